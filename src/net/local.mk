noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	src/net/link.c \
	src/net/link.h \
	src/net/netvst-address.c \
	src/net/netvst-carry.c \
	src/net/netvst-client-run.c \
	src/net/netvst-client.c \
	src/net/netvst-conn.c \
	src/net/netvst-internal.h \
	src/net/netvst-io.c \
	src/net/netvst-io.h \
	src/net/netvst-pace.c \
	src/net/netvst-server.c \
	src/net/netvst-slot.c \
	src/net/nvpipe-rt.c \
	src/net/nvpipe-rt.h \
	src/net/nvpipe.c \
	src/net/pktring-internal.h \
	src/net/pktring-mem.c \
	src/net/pktring-packet.c \
	src/net/pktring-rt.c \
	src/net/pktring-rt.h \
	src/net/pktring.c \
	src/net/pktring.h \
	src/net/watch.c \
	src/net/watch.h
