noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	src/net/link.c \
	src/net/link.h \
	src/net/pktring-internal.h \
	src/net/pktring-mem.c \
	src/net/pktring-packet.c \
	src/net/pktring-rt.c \
	src/net/pktring-rt.h \
	src/net/pktring.c \
	src/net/pktring.h \
	src/net/watch.c \
	src/net/watch.h
