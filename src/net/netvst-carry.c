#include "net/netvst-internal.h"

#define NOTE_ON 0x90
#define KEY_PRESSURE 0xa0
#define PROGRAM 0xc0

/* One replaces the other. */
static bool is_same(const struct netvst_midi *midi, uint8_t status, uint8_t data1)
{
	/* Program, pressure and bend of a channel have no number. */
	return midi->status == status && ((status & 0xf0) >= PROGRAM || midi->data1 == data1);
}

void netvst_carry_add(struct netvst_carry *carry, uint8_t status, uint8_t data1, uint8_t data2)
{
	uint8_t kind = status & 0xf0;
	unsigned i = 0;

	if ((kind == NOTE_ON && data2 > 0) || kind == KEY_PRESSURE) {
		return;
	}
	while (i < carry->n && !is_same(&carry->midi[i], status, data1)) {
		i++;
	}
	if (i == NETVST_CARRY_MAX) {
		return;
	}
	if (i < carry->n) {
		/* A program goes behind its bank, and so on. */
		memmove(&carry->midi[i], &carry->midi[i + 1], (carry->n - i - 1) * sizeof(carry->midi[0]));
		carry->n--;
	}
	carry->midi[carry->n++] = (struct netvst_midi){.status = status, .data1 = data1, .data2 = data2};
}
