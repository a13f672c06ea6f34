#!/bin/bash
# Whatever state a box is in when the daemon finds it, it is brought up the same way, and what it then plays is exact.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

feed() {
	nt_feed_start --music --seconds 4 --save "$NT_SOURCE" --target ethlink:stage/playback_ && nt_feed_end 30
}

# online WHAT SECONDS-BEGIN: waits, and says how long it took since then.
online() {
	nt_wait_state stage online 20 || return 1
	printf '# online %s s after %s\n' "$(procs_since "$2")" "$1"
}

start_with() {
	nt_jackd 48000 256 && nt_emu emu --dac 0 --record "$NT_RECORDING" --commands "$@"
}

# The box is there when the daemon starts, in a state given by the emulator's options.
left_as() {
	local begin

	start_with "$@" || return 1
	procs_clock
	begin=$PROCS_NOW
	nt_daemon && online "the start of the daemon" "$begin" && feed
}

# The daemon looks for it, and finds it when it is switched on.
switched_on_late() {
	local begin

	start_with --off && nt_daemon && nt_wait_state stage searching || return 1
	procs_clock
	begin=$PROCS_NOW
	procs_tell emu "on 0" && online "the box was switched on" "$begin" && feed
}

# Off while the daemon streams: it notices, and brings the box back by itself.
power_cycled() {
	local begin

	start_with && nt_daemon && nt_wait_state stage online && procs_tell emu "off 0" &&
		nt_wait_state stage searching || return 1
	procs_clock
	begin=$PROCS_NOW
	procs_tell emu "on 0" && online "the box was switched on again" "$begin" && feed
}

starts() {
	[ "$(nt_status '.devices[0].starts')" -ge "$1" ]
}

# So short that not one reply is missing: the stream itself sets the box up, in the middle of the audio. That is noticed,
# and the stream begins anew with its whole cushion.
power_cycled_shortly() {
	local begin

	start_with --status-file "$PROCS_DIR/box.json" --interval 0.1 && nt_daemon && nt_wait_state stage online &&
		procs_until 5 "a reply to the stream" replies_at_least 2 || return 1
	procs_clock
	begin=$PROCS_NOW
	procs_tell emu "power-cycle 0"
	procs_until 5 "a new start" starts 2 || return 1
	printf '# a new start %s s after the power-cycle\n' "$(procs_since "$begin")"
	# While it was set up by the stream: this cannot be otherwise.
	NT_LOST_BEFORE=$(jq -r '.boxes[0].frames_lost' "$PROCS_DIR/box.json")
	feed
}

replies_at_least() {
	[ "$(nt_status '.devices[0].replies')" -ge "$1" ]
}

# After nt_exact: the box holds the settings of this configuration, whatever it held before.
settings_are_ours() {
	[ "$(nt_emu_value rate) $(nt_emu_value depth)" = "48000 128" ] &&
		[ "$(jq -c '.boxes[0].gain_db' <<< "$NT_EMU_JSON")" = "[0,0,0,0,0,0,0,0]" ]
}

test_start() {
	nt_exact "$@" && nt_check "$1: rate, depth and gains are those of the configuration" settings_are_ours
}

nt_begin
nt_config_stage
test_start "a box fresh from power-up" left_as
test_start "a box left at another rate" left_as --preset "0 rate=96000"
test_start "a box left with a short queue" left_as --preset "0 depth=5"
test_start "a box left with other settings by another host" left_as \
	--preset "0 rate=44100 depth=16 gain=-20 host=02:00:00:00:00:99"
test_start "a box switched on after the daemon" switched_on_late
test_start "a box switched off and on while the daemon runs" power_cycled
test_start "a box that loses its power for a moment only" power_cycled_shortly
nt_end
