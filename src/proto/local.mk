noinst_LIBRARIES += libproto.a
libproto_a_SOURCES = \
	src/proto/claim.c \
	src/proto/claim.h \
	src/proto/ethlink.c \
	src/proto/ethlink.h
