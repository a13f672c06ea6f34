#!/bin/bash
# Peers that mean no good come to the daemon's NetVST server while a DAC box next door plays: huge counts, garbage, byte by
# byte, half a block and silence, a reset, replies that nobody reads, 1000 connections. What the box plays stays exact, the
# slots come back, memory does not grow, and a DAW is served as before.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"

port=27016

config() {
	nt_config "[device stage]" "model = dac8" "serial = 0" "[netvst daw]" "role = server" "dialect = $1"
}

start() {
	nt_jackd 48000 256 && nt_emu emu --dac 0 --record "$NT_RECORDING" && nt_daemon && nt_wait_state stage online &&
		nv_wait daw listening
}

memory_kib() {
	awk '/^RssAnon:/ { print $2 }' "/proc/${PROCS_PID[ethlinkd]}/status"
}

both_free() {
	nv_is daw '[.slots[].state] == ["free", "free"]'
}

# What the server did about it goes to the log of this test.
hostile() {
	nv_hostile --port "$port" "$@" && printf '# %s\n' "$NV_JSON"
}

# $1: so many connections were closed by the server, before we did.
closed() {
	[ "$(nv_json .closed_by_server)" -eq "$1" ] && return 0
	printf '# it was to close %s of them\n' "$1"
	return 1
}

# Byte by byte and half a block: two seconds for each.
all_kinds() {
	hostile --dialect "$1" --mode counts --count 8 --seconds 4 && closed 8 && hostile --dialect "$1" --mode garbage --count 20 --seconds 4 &&
		closed 20 && hostile --dialect "$1" --mode slow --seconds 4 && closed 1 && hostile --dialect "$1" --mode half --seconds 4 &&
		closed 1 && hostile --dialect "$1" --mode reset --count 50 && hostile --dialect "$1" --mode unread --seconds 2 &&
		hostile --dialect "$1" --mode storm --count 1000 && hostile --dialect "$1" --mode stay --count 1000 --seconds 7
}

# under_fire DIALECT
under_fire() {
	start && memory0=$(memory_kib) && nt_feed_start --music --seconds 30 --save "$NT_SOURCE" --target ethlink:stage/playback_ || return 1
	all_kinds "$1" || return 1
	nt_feed_end 60 || return 1
	memory=$(memory_kib)
	bad=$(nv_value daw '.bad_peers')
	timeouts=$(nv_value daw '.timeouts')
	refused=$(nv_value daw '.refused')
	nt_in_state stage online && procs_until 40 "both slots to be free" both_free && served
}

served() {
	nv_client daw --pattern --seconds 1 --dialect "$dialect" && nv_client_end daw 20 &&
		[ "$(nv_json '.error == null and .blocks_received > 50')" = true ]
}

counted() {
	printf '# bad peers %s, time-outs %s, refused %s\n' "$bad" "$timeouts" "$refused"
	# How many of a thousand are let in to be refused depends on the limit of accepts, and on when slots were free.
	[ "$bad" -ge 15 ] && [ "$timeouts" -ge 2 ] && [ "$refused" -ge 5 ]
}

not_grown() {
	printf '# %d KiB before, %d KiB after\n' "$memory0" "$memory"
	[ "$memory" -le $((memory0 + 512)) ]
}

nt_begin
nv_begin
for dialect in 2017 audiokit; do
	config "$dialect"
	if nt_exact "a box plays while hostile peers come, dialect $dialect" under_fire "$dialect"; then
		nt_check "what they did is counted" counted
		nt_check "memory has not grown" not_grown
	fi
done
nt_end
