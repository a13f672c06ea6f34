/*
 * What a NetVST insert costs in a cycle: a client whose replies come in time, and a slot whose DAW keeps time. "cold": other
 * data has gone through the caches since the last cycle, as in a graph with other programs.
 */
#include "config.h"

#include "base/util.h"
#include "insert-rig.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define CALLS 20000
#define WARM_CALLS 2000
#define COLD_BYTES (4u << 20)

static struct insert_rig rig;
static unsigned char cold[COLD_BYTES];
static int64_t took_ns[CALLS];

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int bench(enum insert_role role, uint32_t period, float gain, bool is_cold)
{
	unsigned sum = 0;

	if (insert_rig_make(&rig, role, period, gain) < 0) {
		return 1;
	}
	for (unsigned i = 0; i < CALLS + WARM_CALLS; i++) {
		int64_t begin;

		for (size_t j = 0; is_cold && j < sizeof(cold); j += CACHELINE_SIZE) {
			cold[j]++;
			sum += cold[j];
		}
		begin = now_ns();
		insert_process_rt(NULL, &rig.cycle, &rig.io);
		took_ns[i % CALLS] = now_ns() - begin;
		insert_rig_serve(&rig);
	}
	qsort(took_ns, CALLS, sizeof(took_ns[0]), compare);
	printf("%-6s %-4s P %4u gain %.1f  median %5lld  p99 %5lld ns%s\n",
		role == INSERT_CLIENT ? "client" : "slot", is_cold ? "cold" : "warm", period, (double)gain,
		(long long)took_ns[CALLS / 2], (long long)took_ns[CALLS * 99 / 100],
		insert_get_report(rig.insert)->playing ? "" : " (does not play)");
	insert_rig_clear(&rig);
	return sum == 1;
}

int main(void)
{
	static const uint32_t periods[] = {64, 256, 1024};
	int failed = 0;

	for (unsigned role = INSERT_CLIENT; role <= INSERT_SLOT; role++) {
		for (unsigned p = 0; p < ARRAY_SIZE(periods); p++) {
			failed |= bench((enum insert_role)role, periods[p], 1.0f, false);
			failed |= bench((enum insert_role)role, periods[p], 0.5f, false);
		}
		failed |= bench((enum insert_role)role, 64, 1.0f, true);
	}
	return failed;
}
