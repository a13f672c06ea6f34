#include "echo/script.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 5
#define LINE_MAX_BYTES 256

static bool whole(const char *s, long lo, long hi, long *ret)
{
	char *end;

	errno = 0;
	*ret = s ? strtol(s, &end, 0) : 0;
	return s && errno == 0 && end != s && *end == '\0' && *ret >= lo && *ret <= hi;
}

static bool message(struct script_event *e, uint8_t status, long channel, long data1, long data2)
{
	e->midi = (struct netvst_midi){.status = (uint8_t)(status | (channel - 1)),
		.data1 = (uint8_t)data1,
		.data2 = (uint8_t)data2};
	return true;
}

static bool parse_param(struct script_event *e, char *const *w)
{
	long effect, param;
	char *end;

	if (!w[4] || !whole(w[2], 0, 65535, &effect) || !whole(w[3], 0, 65535, &param)) {
		return false;
	}
	e->is_param = true;
	e->param = (struct netvst_param){
		.effect = (uint16_t)effect, .param = (uint16_t)param, .value = strtof(w[4], &end)};
	return end != w[4] && *end == '\0';
}

/* w: up to five words, NULL behind the last. */
static bool parse_event(struct script_event *e, char *const *w)
{
	long frame, a, b, c;

	if (!w[1] || !whole(w[0], 0, INT64_MAX / 2, &frame)) {
		return false;
	}
	e->frame = (uint64_t)frame;
	if (strcmp(w[1], "param") == 0) {
		return parse_param(e, w);
	}
	if (strcmp(w[1], "raw") == 0) {
		return whole(w[2], 0x80, 0xef, &a) && whole(w[3], 0, 127, &b) && whole(w[4], 0, 127, &c) &&
		       message(e, (uint8_t)a, 1, b, c);
	}
	if (strcmp(w[1], "bend") == 0) {
		return whole(w[2], 1, 16, &a) && whole(w[3], -8192, 8191, &b) && !w[4] &&
		       message(e, 0xe0, a, (b + 8192) & 127, (b + 8192) >> 7);
	}
	if (strcmp(w[1], "off") == 0) {
		return whole(w[2], 1, 16, &a) && whole(w[3], 0, 127, &b) && !w[4] &&
		       message(e, 0x80, a, b, 0);
	}
	if (strcmp(w[1], "on") != 0 && strcmp(w[1], "cc") != 0) {
		return false;
	}
	return whole(w[2], 1, 16, &a) && whole(w[3], 0, 127, &b) && whole(w[4], 0, 127, &c) &&
	       message(e, strcmp(w[1], "on") == 0 ? 0x90 : 0xb0, a, b, c);
}

static int add_line(struct script *s, char *line, const char *path, unsigned number)
{
	char *words[WORDS_MAX + 1] = {0}, *rest = line, *word;
	struct script_event *more, e = {0};
	unsigned n = 0;

	line[strcspn(line, "#\n")] = '\0';
	while (n <= WORDS_MAX && (word = strsep(&rest, " \t"))) {
		if (*word) {
			words[n++] = word;
		}
	}
	if (n == 0) {
		return 0;
	}
	if (n > WORDS_MAX || !parse_event(&e, words)) {
		log_error("%s:%u: no event; see netvst-echo(1) for what there is", path, number);
		return -EINVAL;
	}
	if (s->n > 0 && e.frame < s->events[s->n - 1].frame) {
		log_error("%s:%u: frame %llu comes before the line above; sort them", path, number,
			(unsigned long long)e.frame);
		return -EINVAL;
	}
	more = reallocarray(s->events, s->n + 1, sizeof(*more));
	if (!more) {
		return -ENOMEM;
	}
	s->events = more;
	s->events[s->n++] = e;
	return 0;
}

int script_read(const char *path, struct script *ret_script)
{
	FILE *f = fopen(path, "re");
	char line[LINE_MAX_BYTES];
	unsigned number = 0;
	int r = 0;

	memset(ret_script, 0, sizeof(*ret_script));
	if (!f) {
		log_error("%s: %s", path, strerror(errno));
		return -EIO;
	}
	while (r == 0 && fgets(line, sizeof(line), f)) {
		r = add_line(ret_script, line, path, ++number);
	}
	fclose(f);
	if (r < 0) {
		script_free(ret_script);
	}
	return r;
}

void script_free(struct script *script)
{
	free(script->events);
	memset(script, 0, sizeof(*script));
}

void script_fill(struct script *s, uint64_t position, struct netvst_block *block)
{
	block->n_midi = 0;
	block->n_params = 0;
	for (; s->at < s->n && s->events[s->at].frame < position + block->frames; s->at++) {
		const struct script_event *e = &s->events[s->at];

		if (e->is_param && block->n_params < NETVST_PARAMS_MAX) {
			block->params[block->n_params++] = e->param;
		} else if (!e->is_param && block->n_midi < NETVST_MIDI_MAX) {
			block->midi[block->n_midi] = e->midi;
			block->midi[block->n_midi++].frame =
				e->frame > position ? (uint32_t)(e->frame - position) : 0;
		} else {
			return;
		}
	}
}
