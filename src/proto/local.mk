noinst_LIBRARIES += libproto.a
libproto_a_SOURCES = \
	src/proto/ethlink.c \
	src/proto/ethlink.h
