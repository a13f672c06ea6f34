/* The callback of the JACK backend, with a libjack of our own: which buffers it asks for. */
#include "backend/jack-rt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <jack/midiport.h>
#include <jack/transport.h>

#define FRAMES 64
/* After so many cycles each port has been asked whether it is connected. */
#define LOOKED (JACK_LOOK_CYCLES + AUDIO_CHANNELS)

struct port {
	int links;
	unsigned given; /* buffers */
	unsigned asked;
	float buffer[FRAMES];
};

static struct port ports[AUDIO_CHANNELS];
static const float *seen[AUDIO_CHANNELS];

static struct port *of(const jack_port_t *port)
{
	return (struct port *)(uintptr_t)port;
}

void *jack_port_get_buffer(jack_port_t *port, jack_nframes_t frames)
{
	assert_int_equal(frames, FRAMES);
	of(port)->given++;
	return of(port)->buffer;
}

int jack_port_connected(const jack_port_t *port)
{
	of(port)->asked++;
	return of(port)->links;
}

jack_transport_state_t jack_transport_query(const jack_client_t *client, jack_position_t *position)
{
	(void)client;
	(void)position;
	return JackTransportStopped;
}

uint32_t jack_midi_get_event_count(void *buffer)
{
	(void)buffer;
	return 0;
}

int jack_midi_event_get(jack_midi_event_t *event, void *buffer, uint32_t index)
{
	(void)event;
	(void)buffer;
	(void)index;
	return -1;
}

void jack_midi_clear_buffer(void *buffer)
{
	(void)buffer;
}

int jack_midi_event_write(void *buffer, jack_nframes_t time, const jack_midi_data_t *data, size_t size)
{
	(void)buffer;
	(void)time;
	(void)data;
	(void)size;
	return -1;
}

static struct jack_rt_group group;
static struct jack_table table;
static struct jack_rt rt;
static jmp_buf no_more_cycles;
static unsigned cycles_left;
static char order[8]; /* of a cycle: w(ait), p(rocess), s(ignal), f(inish) */

static void note(char what)
{
	size_t len = strlen(order);

	assert_true(len + 1 < sizeof(order));
	order[len] = what;
}

/* As libjack does, it ends the thread. */
jack_nframes_t jack_cycle_wait(jack_client_t *client)
{
	assert_int_equal(rt.begun, rt.ended);
	if (cycles_left == 0) {
		longjmp(no_more_cycles, 1);
	}
	cycles_left--;
	memset(order, 0, sizeof(order));
	note('w');
	return FRAMES;
}

void jack_cycle_signal(jack_client_t *client, int status)
{
	assert_int_equal(status, 0);
	note('s');
}

static void process_rt(void *data, const struct audio_cycle *cycle)
{
	(void)data;
	note('p');
	assert_int_equal(rt.begun, rt.ended + 1);
	assert_int_equal(cycle->n_groups, 1);
	memcpy(seen, cycle->groups[0]->in, sizeof(seen));
}

static void finish_rt(void *data)
{
	note('f');
	assert_int_equal(rt.begun, rt.ended + 1);
}

static void begin(bool sees_links)
{
	memset(ports, 0, sizeof(ports));
	memset(&group, 0, sizeof(group));
	memset(&table, 0, sizeof(table));
	memset(&rt, 0, sizeof(rt));
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		atomic_store(&group.in[k], (jack_port_t *)(void *)&ports[k]);
	}
	table.n_groups = 1;
	table.groups[0] = &group;
	table.audio[0] = &group.audio;
	rt.callbacks.process_rt = process_rt;
	rt.sees_links = sees_links;
	atomic_store(&rt.table, &table);
}

static void cycles(unsigned n)
{
	cycles_left = n;
	if (setjmp(no_more_cycles) == 0) {
		jack_backend_thread_rt(&rt);
	}
}

static void cycle(void)
{
	cycles(1);
}

/* The server hears that we are ready before what nobody waits for. */
static void the_graph_goes_on_before_the_finish(void **state)
{
	(void)state;
	begin(true);
	cycle();
	assert_string_equal(order, "wps");
	rt.callbacks.finish_rt = finish_rt;
	cycles(3);
	assert_string_equal(order, "wpsf");
	assert_int_equal(rt.ended, 4);
}

static void unconnected_ports_have_no_buffer(void **state)
{
	(void)state;
	begin(true);
	ports[3].links = 1;
	cycles(LOOKED);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		ports[k].given = 0;
	}
	cycles(10);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		assert_ptr_equal(seen[k], k == 3 ? ports[3].buffer : NULL);
		assert_int_equal(ports[k].given, k == 3 ? 10 : 0);
	}
}

static void connected_ports_are_hardly_asked(void **state)
{
	(void)state;
	begin(true);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		ports[k].links = 2;
	}
	cycles(10 * JACK_LOOK_CYCLES);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		assert_int_equal(ports[k].given, 10 * JACK_LOOK_CYCLES);
		assert_int_equal(ports[k].asked, 10);
	}
}

/* Whenever the graph is another: the very cycle that has a connection brings its audio. */
static void a_new_connection_is_heard_at_once(void **state)
{
	(void)state;
	for (unsigned when = 0; when < 2 * LOOKED; when++) {
		begin(true);
		cycles(when);
		ports[5].links = 1;
		cycle();
		assert_ptr_equal(seen[5], ports[5].buffer);
		cycle();
		assert_ptr_equal(seen[5], ports[5].buffer);
	}
}

static void a_connection_may_go(void **state)
{
	(void)state;
	begin(true);
	ports[0].links = 1;
	cycles(LOOKED);
	ports[0].links = 0;
	cycles(LOOKED);
	assert_null(seen[0]);
	ports[0].links = 1;
	cycle();
	assert_ptr_equal(seen[0], ports[0].buffer);
	ports[0].asked = 0;
	cycles(JACK_LOOK_CYCLES);
	assert_int_equal(ports[0].asked, 1);
}

/* A number below 0 is no answer. */
static void a_port_that_cannot_be_asked_has_its_buffer(void **state)
{
	(void)state;
	begin(true);
	ports[1].links = -1;
	cycles(LOOKED);
	assert_ptr_equal(seen[1], ports[1].buffer);
}

static void other_libjacks_are_not_asked(void **state)
{
	(void)state;
	begin(false);
	atomic_store(&group.in[2], NULL);
	cycles(LOOKED);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		assert_ptr_equal(seen[k], k == 2 ? NULL : ports[k].buffer);
		assert_int_equal(ports[k].asked, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_graph_goes_on_before_the_finish),
		cmocka_unit_test(unconnected_ports_have_no_buffer),
		cmocka_unit_test(connected_ports_are_hardly_asked),
		cmocka_unit_test(a_new_connection_is_heard_at_once),
		cmocka_unit_test(a_connection_may_go),
		cmocka_unit_test(a_port_that_cannot_be_asked_has_its_buffer),
		cmocka_unit_test(other_libjacks_are_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
