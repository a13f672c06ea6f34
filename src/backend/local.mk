noinst_LIBRARIES += libbackend.a
libbackend_a_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS) $(PIPEWIRE_CFLAGS)
libbackend_a_SOURCES = \
	src/backend/auto.c \
	src/backend/backend.h \
	src/backend/null.c
if WITH_JACK
libbackend_a_SOURCES += \
	src/backend/jack-internal.h \
	src/backend/jack-latency.c \
	src/backend/jack-links.c \
	src/backend/jack-ports.c \
	src/backend/jack-rt.c \
	src/backend/jack-rt.h \
	src/backend/jack-work.c \
	src/backend/jack.c
endif
if WITH_PIPEWIRE
libbackend_a_SOURCES += \
	src/backend/pipewire-graph.c \
	src/backend/pipewire-graph.h \
	src/backend/pipewire-group.c \
	src/backend/pipewire-insert-rt.c \
	src/backend/pipewire-internal.h \
	src/backend/pipewire-links.c \
	src/backend/pipewire-make.c \
	src/backend/pipewire-make.h \
	src/backend/pipewire-node.c \
	src/backend/pipewire-params.c \
	src/backend/pipewire-port.c \
	src/backend/pipewire-rt.c \
	src/backend/pipewire-rt.h \
	src/backend/pipewire.c
endif
