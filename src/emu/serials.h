/*
 * Sets of serial numbers, as people write them: 0-3,17. Pure; the caller owns the struct.
 */
#ifndef EMU_SERIALS_H
#define EMU_SERIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIALS_MAX 65536u

struct serials {
	uint64_t bits[SERIALS_MAX / 64];
};

void serials_clear(struct serials *s);
void serials_fill(struct serials *s);
bool serials_has(const struct serials *s, uint16_t serial);
unsigned serials_count(const struct serials *s);

/*
 * Adds N, N-M, or several with commas, of text[0..len). 0; -EINVAL: not of that form; -ERANGE: above 65535 or
 * the range is the wrong way round; -EEXIST: a number comes twice.
 */
int serials_add(struct serials *s, const char *text, size_t len);

#endif
