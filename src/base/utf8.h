/* What ctl and the configuration both have to know of UTF-8. Header only, no state; any thread. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/util.h"

/* How long a UTF-8 character is that begins with c; 0 for what cannot begin one. */
static inline unsigned utf8_length_from(unsigned char c)
{
	static const struct {
		unsigned char below;
		unsigned len;
	} lengths[] = {{0x80, 1}, {0xc2, 0}, {0xe0, 2}, {0xf0, 3}, {0xf5, 4}};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		if (c < lengths[i].below) {
			return lengths[i].len;
		}
	}
	return 0;
}

#endif
