#include "echo/peer.h"

#include "base/log.h"
#include "base/util.h"
#include "echo/counter.h"
#include "echo/print.h"
#include "echo/process.h"
#include "proto/netvst-wavpack.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536
#define READS_A_TURN 8
#define REPLIES_MAX 256 /* that wait; then nothing is read any more */

struct reply {
	struct reply *next;
	int64_t due_ns;
	size_t n, at;
	uint8_t bytes[];
};

struct peer {
	const struct options *opt;
	unsigned number;
	int fd;
	char address[RUN_ADDRESS_MAX];
	char reason[160];
	struct process *process;
	struct netvst_wavpack *wavpack;
	struct wav_writer *recorder;
	struct reply *first, **last;
	unsigned n_replies;
	bool cut; /* after what waits, the connection is reset */
	int64_t begin_ns;
	uint64_t blocks, frames, bytes_received, bytes_sent, audio_bytes, midi, params;
	uint32_t block_min, block_max;
	uint64_t timestamps_on, timestamps_still, timestamps_jumped;
	uint32_t next_timestamp, last_timestamp;
	struct counter counter;
	struct netvst_parser parser;
	struct netvst_block block;
	uint8_t bytes[NETVST_BYTES_MAX];
	size_t in_at, in_n; /* of what was read: not looked at yet */
	uint8_t in[READ_BYTES];
};

int peer_new(const struct options *o, unsigned number, int fd, const struct sockaddr_storage *address,
	struct wav_writer *recorder, struct peer **ret_peer)
{
	struct peer *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		return -ENOMEM;
	}
	p->opt = o;
	p->number = number;
	p->fd = fd;
	p->recorder = recorder;
	p->last = &p->first;
	p->begin_ns = now_ns();
	run_format_address(address, p->address);
	counter_init(&p->counter);
	r = process_new(o, &p->process);
	if (r == 0 && netvst_wavpack_supported()) {
		r = netvst_wavpack_new(&p->wavpack);
	}
	if (r < 0) {
		p->fd = -1;
		peer_free(p);
		return r;
	}
	netvst_parser_init(&p->parser, o->dialect, NETVST_REQUEST, o->synth, p->wavpack);
	*ret_peer = p;
	if (o->json) {
		print_line("{\"event\":\"connected\",\"peer\":%u,\"address\":\"%s\"}", number, p->address);
	} else {
		print_line("%u: connected: %s", number, p->address);
	}
	return 0;
}

void peer_free(struct peer *p)
{
	if (p->fd >= 0) {
		close(p->fd);
	}
	while (p->first) {
		struct reply *next = p->first->next;

		free(p->first);
		p->first = next;
	}
	process_free(p->process);
	netvst_wavpack_free(p->wavpack);
	free(p);
}

int peer_fd(const struct peer *p)
{
	return p->fd;
}

short peer_events(const struct peer *p)
{
	short events = p->n_replies < REPLIES_MAX && !p->cut ? POLLIN : 0;

	return p->first && p->first->due_ns <= now_ns() ? (short)(events | POLLOUT) : events;
}

int64_t peer_due_ns(const struct peer *p)
{
	return p->first ? p->first->due_ns : INT64_MAX;
}

static bool end(struct peer *p, const char *reason)
{
	snprintf(p->reason, sizeof(p->reason), "%s", reason);
	counter_end(&p->counter);
	if (p->opt->json) {
		print_line("{\"event\":\"closed\",\"peer\":%u,\"reason\":\"%s\"}", p->number, p->reason);
	} else {
		print_line("%u: closed: %s", p->number, p->reason);
	}
	peer_report(p, true);
	return false;
}

/* --- what came */

static void tell_events(const struct peer *p, const struct netvst_block *b)
{
	for (unsigned i = 0; i < b->n_midi && p->opt->json; i++) {
		const struct netvst_midi *m = &b->midi[i];

		print_line("{\"event\":\"midi\",\"peer\":%u,\"block\":%" PRIu64 ",\"position\":%" PRIu64
			   ",\"song\":%" PRIu32 ",\"status\":%u,\"data1\":%u,\"data2\":%u}",
			p->number, p->blocks, p->frames + m->frame, b->timestamp + m->frame, m->status,
			m->data1, m->data2);
	}
	for (unsigned i = 0; i < b->n_params && p->opt->json; i++) {
		print_line("{\"event\":\"param\",\"peer\":%u,\"block\":%" PRIu64
			   ",\"effect\":%u,\"param\":%u,\"value\":%.9g}",
			p->number, p->blocks, b->params[i].effect, b->params[i].param,
			(double)b->params[i].value);
	}
}

static void note_timestamp(struct peer *p, const struct netvst_block *b)
{
	if (p->blocks > 0) {
		if (b->timestamp == p->next_timestamp) {
			p->timestamps_on++;
		} else if (b->timestamp == p->last_timestamp) {
			p->timestamps_still++;
		} else {
			p->timestamps_jumped++;
		}
	}
	p->last_timestamp = b->timestamp;
	p->next_timestamp = b->timestamp + b->frames;
}

static void note_block(struct peer *p, const struct netvst_block *b)
{
	tell_events(p, b);
	note_timestamp(p, b);
	p->midi += b->n_midi;
	p->params += b->n_params;
	p->block_min = p->blocks == 0 ? b->frames : MIN(p->block_min, b->frames);
	p->block_max = MAX(p->block_max, b->frames);
	p->audio_bytes += (uint64_t)b->frames * NETVST_CHANNELS * sizeof(float) * (b->has_audio ? 2 : 1);
	if (b->has_audio) {
		wav_write(p->recorder, b->audio[0], b->audio[1], b->frames);
		if (p->opt->check_counter) {
			counter_check(&p->counter, b->audio[0], b->audio[1], b->frames);
		}
	}
	p->blocks++;
	p->frames += b->frames;
}

/* --- answers */

static int answer(struct peer *p)
{
	struct reply *reply;
	int n;

	note_block(p, &p->block);
	process_block(p->process, &p->block);
	n = netvst_write(p->bytes, sizeof(p->bytes), p->opt->dialect, NETVST_REPLY, p->opt->codec, p->wavpack,
		&p->block);
	if (n < 0) {
		return n;
	}
	if (p->opt->break_after > 0 && p->number == 1 && p->blocks > p->opt->break_after) {
		n /= 2;
		p->cut = true;
	}
	reply = malloc(sizeof(*reply) + (size_t)n);
	if (!reply) {
		return -ENOMEM;
	}
	*reply = (struct reply){
		.n = (size_t)n, .due_ns = now_ns() + (int64_t)(p->opt->slow_ms * (double)NSEC_PER_MSEC)};
	memcpy(reply->bytes, p->bytes, (size_t)n);
	*p->last = reply;
	p->last = &reply->next;
	p->n_replies++;
	return 0;
}

/* 0: all that was due is on its way; 1: the peer does not take more now; -errno. */
static int send_due(struct peer *p)
{
	while (p->first && p->first->due_ns <= now_ns()) {
		struct reply *r = p->first;
		ssize_t n = send(p->fd, r->bytes + r->at, r->n - r->at, MSG_NOSIGNAL);

		if (n < 0) {
			return errno == EAGAIN || errno == EINTR ? 1 : -errno;
		}
		p->bytes_sent += (uint64_t)n;
		r->at += (size_t)n;
		if (r->at == r->n) {
			p->first = r->next;
			p->last = p->first ? p->last : &p->first;
			p->n_replies--;
			free(r);
		}
	}
	return 0;
}

static bool has_room(const struct peer *p)
{
	return p->n_replies < REPLIES_MAX && !p->cut;
}

/* A request of a few bytes may have a long answer: what there is no room for waits as it came. 0 or -errno. */
static int take_bytes(struct peer *p)
{
	while (p->in_at < p->in_n && has_room(p)) {
		size_t used;
		int r = netvst_parse(&p->parser, p->in + p->in_at, p->in_n - p->in_at, &used, &p->block);

		p->in_at += used;
		if (r > 0) {
			r = answer(p);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* readable: more may have come. False: said why. */
static bool receive(struct peer *p, bool readable)
{
	for (unsigned i = 0; i < READS_A_TURN && has_room(p); i++) {
		ssize_t n;
		int r;

		if (p->in_at == p->in_n) {
			n = readable ? recv(p->fd, p->in, sizeof(p->in), 0) : -1;
			if (n < 0 && (!readable || errno == EAGAIN || errno == EINTR)) {
				return true;
			}
			if (n <= 0) {
				return end(p, n < 0 ? strerror(errno)
					      : netvst_parser_is_inside(&p->parser)
						      ? "by the peer, in the middle of a block"
						      : "by the peer");
			}
			p->bytes_received += (uint64_t)n;
			p->in_at = 0;
			p->in_n = (size_t)n;
		}
		r = take_bytes(p);
		if (r < 0) {
			return end(p, r == -EPROTO && p->parser.error ? p->parser.error : strerror(-r));
		}
	}
	return true;
}

bool peer_turn(struct peer *p, bool readable)
{
	int r;

	do {
		if (!receive(p, readable)) {
			return false;
		}
		readable = false;
		r = send_due(p);
		if (r < 0) {
			return end(p, strerror(-r));
		}
	} while (r == 0 && p->in_at < p->in_n && has_room(p));
	if (p->cut && !p->first) {
		/* What is on its way goes out, then the connection ends as if the machine had crashed. */
		run_reset_on_close(p->fd);
		return end(p, "cut, as --break-after says");
	}
	return true;
}

/* --- the report */

void peer_report(const struct peer *p, bool is_final)
{
	double seconds = (double)(now_ns() - p->begin_ns) / (double)NSEC_PER_SEC;

	if (!p->opt->json) {
		print_line("%u: %" PRIu64 " blocks of %u frames in %.1f s, %" PRIu64 " bytes in, %" PRIu64
			   " out, %" PRIu64 " MIDI events, %" PRIu64 " parameters",
			p->number, p->blocks, p->block_max, seconds, p->bytes_received, p->bytes_sent,
			p->midi, p->params);
		if (p->opt->check_counter) {
			print_counter_words(&p->counter);
		}
		return;
	}
	printf("{\"event\":\"report\",\"final\":%s,\"peer\":%u,\"address\":\"%s\",\"seconds\":%.3f,"
	       "\"blocks\":%" PRIu64 ",\"frames\":%" PRIu64
	       ",\"block_min\":%u,\"block_max\":%u,\"bytes_received\":%" PRIu64 ",\"bytes_sent\":%" PRIu64
	       ",\"midi\":%" PRIu64 ",\"params\":%" PRIu64,
		is_final ? "true" : "false", p->number, p->address, seconds, p->blocks, p->frames,
		p->block_min, p->block_max, p->bytes_received, p->bytes_sent, p->midi, p->params);
	printf(",\"timestamps\":{\"on\":%" PRIu64 ",\"still\":%" PRIu64 ",\"jumped\":%" PRIu64
	       ",\"last\":%u}",
		p->timestamps_on, p->timestamps_still, p->timestamps_jumped, p->last_timestamp);
	print_ratio(p->bytes_received + p->bytes_sent, p->audio_bytes, p->opt->codec);
	if (p->opt->check_counter) {
		print_counter(&p->counter);
	}
	print_line(",\"reason\":%s%s%s}", *p->reason ? "\"" : "", *p->reason ? p->reason : "null",
		*p->reason ? "\"" : "");
}
