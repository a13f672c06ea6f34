#!/bin/bash
# After freewheeling, and after a pulled cable, music is played exactly; test-recovery-times.sh has all other disturbances,
# with a pattern that runs all the time.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

start() {
	nt_jackd 48000 256 && nt_emu emu --dac 0 --record "$NT_RECORDING" && nt_daemon && nt_wait_state stage online
}

# The music starts only when the disturbance is over: what the box played before was silence.
feed() {
	nt_feed_start --music --seconds 4 --save "$NT_SOURCE" --target ethlink:stage/playback_ && nt_feed_end 30
}

jack_tool() {
	JACK_DEFAULT_SERVER=$NT_SERVER JACK_NO_START_SERVER=1 "$@" > /dev/null 2>> "$PROCS_DIR/jack-tool.err"
}

# A minute of full-scale audio rushes through, much faster than the box could take it: the box must hear none of it.
# The client that sends it stays until real time is back: JACK2 does not like one to leave a freewheeling server.
freewheeling() {
	start || return 1
	procs_start rush "$NT_FEED" --server "$NT_SERVER" --client rush --pattern --seconds 60 --hold \
		--start-file "$PROCS_DIR/rush.go" --target ethlink:stage/playback_
	procs_until 10 "the rushing client" grep -q connected "$PROCS_DIR/rush.err" && jack_tool jack_freewheel y &&
		touch "$PROCS_DIR/rush.go" &&
		procs_until 60 "a minute to rush by" grep -q '"frames": 2880000' "$PROCS_DIR/rush.out" &&
		jack_tool jack_freewheel n && nt_wait_state stage online || return 1
	procs_stop rush
	rm "$PROCS_DIR/rush.go"
	feed
}

cable() {
	start && nt_ip link set "$NT_BOX_IF" down && nt_wait_state stage link-down &&
		nt_ip link set "$NT_BOX_IF" up && nt_wait_state stage online 20 && feed
}

nt_begin
nt_config_stage
nt_exact "after a pulled cable" cable
nt_exact "after freewheeling" freewheeling
nt_end
