#include "engine/notes-rt.h"

#define NOTE_OFF 0x80
#define NOTE_ON 0x90
#define CONTROL 0xb0
#define CC_SUSTAIN 64
#define CC_ALL_SOUND_OFF 120
#define CC_ALL_NOTES_OFF 123

void notes_heard_rt(struct notes *notes, uint8_t status, uint8_t data1, uint8_t data2)
{
	unsigned channel = status & 0x0f;
	uint64_t *on = &notes->on[channel][data1 >> 6 & 1];
	uint64_t bit = 1ull << (data1 & 63);
	uint16_t channel_bit = (uint16_t)(1u << channel);

	notes->used |= channel_bit;
	switch (status & 0xf0) {
	case NOTE_ON:
		*on = data2 > 0 ? *on | bit : *on & ~bit;
		break;
	case NOTE_OFF:
		*on &= ~bit;
		break;
	case CONTROL:
		if (data1 == CC_SUSTAIN && data2 >= 64) {
			notes->sustained |= channel_bit;
		} else if (data1 == CC_SUSTAIN) {
			notes->sustained &= (uint16_t)~channel_bit;
		} else if (data1 == CC_ALL_SOUND_OFF || data1 >= CC_ALL_NOTES_OFF) {
			notes->on[channel][0] = 0;
			notes->on[channel][1] = 0;
		}
		break;
	default:
		break;
	}
}

static void message_rt(uint8_t ret_message[3], unsigned status, unsigned data1)
{
	ret_message[0] = (uint8_t)status;
	ret_message[1] = (uint8_t)data1;
	ret_message[2] = 0;
}

bool notes_end_rt(struct notes *notes, uint8_t ret_message[3])
{
	unsigned channel;

	if (notes->used == 0) {
		return false;
	}
	channel = (unsigned)__builtin_ctz(notes->used);
	for (unsigned half = 0; half < 2; half++) {
		uint64_t *on = &notes->on[channel][half];

		if (*on) {
			message_rt(
				ret_message, NOTE_OFF | channel, half * 64 + (unsigned)__builtin_ctzll(*on));
			*on &= *on - 1;
			return true;
		}
	}
	if (notes->sustained >> channel & 1) {
		message_rt(ret_message, CONTROL | channel, CC_SUSTAIN);
		notes->sustained &= (uint16_t) ~(1u << channel);
		return true;
	}
	message_rt(ret_message, CONTROL | channel, CC_ALL_NOTES_OFF);
	notes->used &= (uint16_t) ~(1u << channel);
	return true;
}
