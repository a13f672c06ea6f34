#!/bin/bash
# The daemon as other JACK programs see it: ports, flags, pretty names, order, latency, connections; and what the server
# may do to it: another period, freewheeling, going away and coming back.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

trap_so=$BUILD/tests/tools/cancel-trap.so

lsp() {
	jack_lsp -s "$NT_SERVER" "$@" 2> /dev/null
}

# The lines that jack_lsp OPTION prints below a port.
about() {
	lsp "$1" | awk -v port="$2" '$0 == port { on = 1; next } /^[^ \t]/ { on = 0 } on'
}

property() {
	JACK_DEFAULT_SERVER=$NT_SERVER jack_property -l 2> /dev/null | grep -qE "$1"
}

start() {
	nt_jackd 48000 64 && nt_emu emu --dac 0 && nt_daemon && nt_wait_state stage online
}

ports() {
	nt_config "[device stage]" "model = dac8" "serial = 0" "monitor = yes" "labels = Main L, Main R,, Höhe" \
		"connect = system:capture_1, system:capture_2" "latency = 128"
	start || return 1
	[ "$(lsp | grep -c '^ethlink:stage/playback_[1-8]$')" = 8 ] && [ "$(lsp | grep -c '^ethlink:stage/monitor_[1-8]$')" = 8 ]
}

flags() {
	about -p ethlink:stage/playback_1 | grep -q 'input,physical,terminal' &&
		about -p ethlink:stage/monitor_1 | grep -q 'output,' && ! about -p ethlink:stage/monitor_1 | grep -q physical
}

latency_is() {
	about -l ethlink:stage/playback_8 | grep -q "playback latency = \[ $1 $1 \]"
}

# What comes in at the source is heard so much later: seen from the source's port, too.
latencies() {
	latency_is 128 && [ "$(nt_status '.devices[0].latency_frames')" = 128 ] &&
		about -l system:capture_1 | grep -q 'playback latency = \[ 128 128 \]' &&
		about -l ethlink:stage/monitor_1 | grep -q 'capture latency = \[ 64 64 \]'
}

metadata() {
	property 'pretty-name.*Main L|value: Main L' && property 'Main R' && property 'Höhe' && property 'metadata/order'
}

connected_to() {
	about -c "$1" | grep -q "$2"
}

only_written_connections() {
	connected_to ethlink:stage/playback_1 system:capture_1 && connected_to ethlink:stage/playback_2 system:capture_2 &&
		[ -z "$(about -c ethlink:stage/playback_3)" ] && [ -z "$(about -c ethlink:stage/playback_4)" ]
}

# A source that is there later is connected when it comes.
later_source() {
	nt_config "[device stage]" "model = dac8" "serial = 0" "connect = feed:out_1" "labels = a, b"
	start || return 1
	nt_feed_start --client feed --music --timeout 1 --seconds 3 || return 1
	procs_until 10 "the late source to be connected" connected_to ethlink:stage/playback_1 feed:out_1
}

new_period() {
	nt_config_stage
	start || return 1
	for period in 256 1024 100 64; do
		JACK_DEFAULT_SERVER=$NT_SERVER jack_bufsize "$period" > /dev/null 2>&1
		procs_until 10 "period $period" nt_period_is "$period" && nt_wait_state stage online || return 1
		# The header's depth does not follow the period.
		procs_until 10 "streaming again" nt_streaming || return 1
		latency_is "$(nt_status '.devices[0].latency_frames')" || return 1
	done
	nt_emu_end emu && [ "$(nt_emu_value depth_changes)" = 1 ] && [ "$(nt_emu_value frames_lost)" = 0 ] &&
		[ "$(nt_emu_value rate_changes)" = 1 ]
}

nt_period_is() {
	[ "$(nt_status .period)" = "$1" ]
}

nt_streaming() {
	[ "$(nt_status '.devices[0].streaming')" = true ]
}

not_streaming() {
	! nt_streaming
}

freewheel() {
	nt_config_stage
	start && procs_until 10 "streaming" nt_streaming || return 1
	JACK_DEFAULT_SERVER=$NT_SERVER jack_freewheel y > /dev/null 2>&1
	procs_until 10 "silence in freewheeling" not_streaming || return 1
	before=$(nt_status '.devices[0].frames_sent')
	# It stays online: the box is kept awake with a probe a second.
	procs_until 10 "two more probes" sent_more 2 && nt_wait_state stage online || return 1
	[ "$(nt_status '.devices[0].frames_sent')" -lt $((before + 50)) ] || return 1
	JACK_DEFAULT_SERVER=$NT_SERVER jack_freewheel n > /dev/null 2>&1
	procs_until 10 "streaming again" nt_streaming || return 1
	nt_emu_end emu && [ "$(nt_emu_value frames_lost)" = 0 ]
}

sent_more() {
	[ "$(nt_status '.devices[0].frames_sent')" -ge $((before + $1)) ]
}

trap_value() {
	jq -r ".$1" "$PROCS_DIR/cancel-trap.json"
}

# libjack ends its threads at whatever instruction they are: a lock that they hold is never given back. The daemon must
# have taken locks on them, all guarded.
locks_guarded() {
	[ -s "$PROCS_DIR/cancel-trap.json" ] || return 1
	printf '# locks on threads of libjack: '
	cat "$PROCS_DIR/cancel-trap.json"
	[ "$(trap_value closes)" = true ] && [ "$(trap_value checked)" -gt 0 ] && [ "$(trap_value violations)" = 0 ]
}

server_restarts() {
	rm -f "$PROCS_DIR/cancel-trap.json"
	nt_config_stage
	nt_jackd 48000 64 && nt_emu emu --dac 0 || return 1
	nt_launch env "LD_PRELOAD=$trap_so" "CANCEL_TRAP_REPORT=$PROCS_DIR/cancel-trap.json"
	procs_until 10 "the daemon to answer" nt_answers && nt_wait_state stage online || return 1
	procs_stop jackd "$1"
	nt_wait_state stage stopped || return 1
	nt_jackd 96000 128 && nt_wait_state stage online && [ "$(lsp | grep -c '^ethlink:stage/playback_[1-8]$')" = 8 ] &&
		[ "$(nt_status .sample_rate)" = 96000 ] || return 1
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ] && locks_guarded
}

run_case() {
	nt_check "$@"
	nt_stop_all
}

nt_begin
if [ ! -e "$trap_so" ]; then
	echo "# $trap_so is not built"
	exit 1
fi
nt_check "a device has its ports under its name" ports
nt_check "flags are those of a sound card" flags
nt_check "latency ranges are exact, at the ports and beyond" latencies
nt_check "pretty names and port order are metadata" metadata
nt_check "connected is what is written, and nothing else" only_written_connections
nt_stop_all
run_case "a source that comes later is connected then" later_source
run_case "the period changes while it plays; depth and rate of the box do not" new_period
run_case "freewheeling: silence, nothing builds up, and back" freewheel
run_case "the server is stopped and comes back at another rate" server_restarts TERM
run_case "the server is killed and comes back at another rate" server_restarts KILL
nt_end
