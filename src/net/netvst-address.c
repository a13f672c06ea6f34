#include "net/netvst-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STACK_BYTES (1024 * 1024) /* modules that look names up may want as much */

/* Two hold it: who asks, and the thread that finds out. The last one frees it. */
struct netvst_lookup {
	_Atomic unsigned holders;
	_Atomic bool done;
	int error; /* EAI_ */
	unsigned n;
	struct netvst_address addresses[NETVST_ADDRESSES_MAX];
	char port[8];
	char host[];
};

static void let_go(struct netvst_lookup *lookup)
{
	if (atomic_fetch_sub(&lookup->holders, 1) == 1) {
		free(lookup);
	}
}

static void find(struct netvst_lookup *lookup, int flags)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	struct addrinfo *list;

	lookup->error = getaddrinfo(lookup->host, lookup->port, &hints, &list);
	if (lookup->error) {
		return;
	}
	for (struct addrinfo *ai = list; ai && lookup->n < NETVST_ADDRESSES_MAX; ai = ai->ai_next) {
		struct netvst_address *address = &lookup->addresses[lookup->n++];

		memcpy(&address->sa, ai->ai_addr, ai->ai_addrlen);
		address->len = ai->ai_addrlen;
	}
	freeaddrinfo(list);
}

static void *lookup_main(void *data)
{
	struct netvst_lookup *lookup = data;

	find(lookup, 0);
	atomic_store(&lookup->done, true);
	let_go(lookup);
	return NULL;
}

/* It may be made by a realtime thread, and is to be none. */
static int start(struct netvst_lookup *lookup)
{
	struct sched_param param = {0};
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_OTHER);
	pthread_attr_setschedparam(&attr, &param);
	atomic_fetch_add(&lookup->holders, 1);
	r = pthread_create(&thread, &attr, lookup_main, lookup);
	pthread_attr_destroy(&attr);
	if (r) {
		let_go(lookup);
	}
	return -r;
}

int netvst_lookup_new(const char *host, uint16_t port, struct netvst_lookup **ret_lookup)
{
	size_t len = strlen(host) + 1;
	struct netvst_lookup *lookup = calloc(1, sizeof(*lookup) + len);
	int r = 0;

	if (!lookup) {
		return -ENOMEM;
	}
	memcpy(lookup->host, host, len);
	snprintf(lookup->port, sizeof(lookup->port), "%u", port);
	atomic_init(&lookup->holders, 1);
	find(lookup, AI_NUMERICHOST);
	if (lookup->error) {
		r = start(lookup);
	} else {
		atomic_store(&lookup->done, true);
	}
	if (r < 0) {
		let_go(lookup);
		return r;
	}
	*ret_lookup = lookup;
	return 0;
}

int netvst_lookup_get(struct netvst_lookup *lookup, struct netvst_address ret_addresses[NETVST_ADDRESSES_MAX])
{
	if (!atomic_load(&lookup->done)) {
		return 0;
	}
	if (lookup->error || lookup->n == 0) {
		return lookup->error ? lookup->error : EAI_NONAME;
	}
	memcpy(ret_addresses, lookup->addresses, lookup->n * sizeof(lookup->addresses[0]));
	return (int)lookup->n;
}

void netvst_lookup_free(struct netvst_lookup *lookup)
{
	if (lookup) {
		let_go(lookup);
	}
}

bool netvst_address_from_string(const char *host, uint16_t port, struct netvst_address *ret_address)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *list;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &list)) {
		return false;
	}
	memcpy(&ret_address->sa, list->ai_addr, list->ai_addrlen);
	ret_address->len = list->ai_addrlen;
	freeaddrinfo(list);
	return true;
}

void netvst_address_to_in6(const struct netvst_address *address, struct in6_addr *ret_in6)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct sockaddr_in *in = (const void *)&address->sa;
	const struct sockaddr_in6 *in6 = (const void *)&address->sa;

	if (address->sa.ss_family == AF_INET6) {
		*ret_in6 = in6->sin6_addr;
		return;
	}
	memcpy(ret_in6->s6_addr, mapped, sizeof(mapped));
	memcpy(ret_in6->s6_addr + sizeof(mapped), &in->sin_addr, sizeof(in->sin_addr));
}

uint16_t netvst_address_port(const struct netvst_address *address)
{
	const struct sockaddr_in *in = (const void *)&address->sa;
	const struct sockaddr_in6 *in6 = (const void *)&address->sa;

	return ntohs(address->sa.ss_family == AF_INET6 ? in6->sin6_port : in->sin_port);
}

void netvst_address_to_string(const struct netvst_address *address, char ret_text[NETVST_TEXT_MAX])
{
	struct in6_addr in6;
	char text[INET6_ADDRSTRLEN];

	netvst_address_to_in6(address, &in6);
	if (IN6_IS_ADDR_V4MAPPED(&in6)) {
		inet_ntop(AF_INET, in6.s6_addr + 12, text, sizeof(text));
	} else {
		inet_ntop(AF_INET6, &in6, text, sizeof(text));
	}
	snprintf(ret_text, NETVST_TEXT_MAX, strchr(text, ':') ? "[%s]:%u" : "%s:%u", text,
		netvst_address_port(address));
}

const char *netvst_errno_text(int error)
{
	const char *text = strerrordesc_np(error < 0 ? -error : error);

	return text ? text : "unknown error";
}

bool netvst_net_from_string(const char *text, struct netvst_net *ret_net)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct netvst_net net = {.bits = 128};
	char address[INET6_ADDRSTRLEN];
	struct in_addr in;
	unsigned max = 128;

	if (len >= sizeof(address)) {
		return false;
	}
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, &in) == 1) {
		max = 32;
		net.address.s6_addr[10] = 0xff;
		net.address.s6_addr[11] = 0xff;
		memcpy(net.address.s6_addr + 12, &in, sizeof(in));
	} else if (inet_pton(AF_INET6, address, &net.address) != 1) {
		return false;
	}
	if (slash) {
		char *end;
		unsigned long bits = strtoul(slash + 1, &end, 10);

		/* strtoul() alone would take signs and spaces. */
		if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > max) {
			return false;
		}
		net.bits = (uint8_t)(128 - max + bits);
	}
	*ret_net = net;
	return true;
}

bool netvst_net_contains(const struct netvst_net *net, const struct in6_addr *address)
{
	unsigned bytes = net->bits / 8, rest = net->bits % 8;

	if (memcmp(net->address.s6_addr, address->s6_addr, bytes) != 0) {
		return false;
	}
	return rest == 0 || (net->address.s6_addr[bytes] ^ address->s6_addr[bytes]) >> (8 - rest) == 0;
}
