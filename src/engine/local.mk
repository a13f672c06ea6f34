noinst_LIBRARIES += libengine.a
libengine_a_SOURCES = \
	src/engine/clock-rt.c \
	src/engine/clock-rt.h \
	src/engine/cushion-rt.c \
	src/engine/cushion-rt.h \
	src/engine/dac-block-rt.c \
	src/engine/dac-block-rt.h \
	src/engine/dac-rt.c \
	src/engine/dac-rt.h \
	src/engine/engine-rt.c \
	src/engine/engine-rt.h \
	src/engine/engine.c \
	src/engine/engine.h \
	src/engine/pacer-rt.c \
	src/engine/pacer-rt.h \
	src/engine/pacer.c \
	src/engine/pacer.h \
	src/engine/policy.c \
	src/engine/policy.h \
	src/engine/seam.h
