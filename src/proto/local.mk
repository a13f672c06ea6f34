noinst_LIBRARIES += libproto.a
libproto_a_SOURCES = \
	src/proto/claim.c \
	src/proto/claim.h \
	src/proto/ethlink.c \
	src/proto/ethlink.h \
	src/proto/netvst-wavpack.c \
	src/proto/netvst-wavpack.h \
	src/proto/netvst.c \
	src/proto/netvst.h
libproto_a_CFLAGS = $(AM_CFLAGS) $(WAVPACK_CFLAGS)
