#!/bin/bash
# What a virtual box plays is, sample for sample, what a PipeWire client fed into the daemon's node: real PipeWire and
# WirePlumber, daemon and emulator over a veth pair, at many quanta and every rate of the box, while the quantum
# changes, with eight boxes at once, and for a player that the session manager links. A rate that boxes do not know is
# said, and is over when it is.
# Usage: test-pw-play.sh [QUANTUM RATE]...    SECONDS_EACH=10
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/pipewire.sh
. "$(dirname "$0")/../lib/pipewire.sh"

each_s=${SECONDS_EACH:-10}
boxes=8

# start QUANTUM RATE
start() {
	nt_pipewire "$1" "$2" && nt_emu emu --dac 0 --record "$NT_RECORDING" && nt_daemon && nt_wait_state stage online
}

feed() {
	nt_feed_start --music --seconds "$each_s" --save "$NT_SOURCE" --target ethlink.stage "$@" &&
		nt_feed_end $((2 * each_s + 20))
}

play() {
	start "$1" "$2" && feed && [ "$(nt_feed_value period)" = "$1" ] && [ "$(nt_feed_value rate)" = "$2" ]
}

# PipeWire 0.3's dummy driver begins the cycle after the first one of B frames as if it had had A, the length before: B - A
# frames come early, or as many are missing. What came early is kept for when they are.
# Its own client asks for them, as one that needs a short latency for a while does.
client_changes() {
	start 256 48000 && feed --quanta 64,1000,32,1024,256 --every 1 && changes_seen
}

changes_seen() {
	[ "$(nt_feed_value period_changes)" -ge $((each_s - 2)) ] && return 0
	printf '# only %s changes of the quantum\n' "$(nt_feed_value period_changes)"
	return 1
}

# The user does, for all: in the middle of a cycle, which may then be timed as if it had the new length. Nothing is there to be
# played in such a hole; the steps are small enough for any cushion.
settings_change() {
	local quanta=(192 128 96 160 128) i=0

	start 128 48000 || return 1
	nt_feed_start --music --seconds "$each_s" --save "$NT_SOURCE" --target ethlink.stage || return 1
	while procs_alive feed; do
		nt_pw_quantum "${quanta[i++ % 5]}" || return 1
		procs_until 1 "" procs_dead feed
	done
	nt_feed_end 5 && changes_seen
}

# A counting client that is linked to nothing tells what the server did while pw-cat played. It plays whole cycles: of
# one that is not full at the end, pw-cat loses the audio.
pw_cat() {
	local seconds

	seconds=$(jq -n "($each_s * 48000 / 1024 | floor) * 1024 / 48000")
	start 1024 48000 && "$NT_FEED" --music --seconds "$seconds" --save-only 48000 --save "$NT_SOURCE" || return 1
	nt_feed_start --client watch --pattern --endless
	procs_start cat pw-cat --playback --latency 1024 --target ethlink.stage --channel-map AUX0,AUX1,AUX2,AUX3,AUX4,AUX5,AUX6,AUX7 "$NT_SOURCE"
	procs_until 10 "the session manager to link the player" linked pw-cat ethlink.stage || return 1
	procs_wait cat $((2 * each_s + 20)) && [ "$PROCS_STATUS" -eq 0 ] && procs_signal feed TERM && nt_feed_end 10
}

# linked FROM TO: eight channels, each to its own.
linked() {
	[ "$(nt_pw_links | grep -c "^$1:output_AUX\([0-7]\) $2:playback_[1-8]$")" -eq 8 ]
}

# Boxes know no 192000 Hz.
unknown_rate() {
	start 256 48000 && nt_pw_rate 192000 && nt_wait_state stage unsupported &&
		[ "$(nt_status .sample_rate)" = 192000 ] && nt_pw_rate 48000 && nt_wait_state stage online && feed
}

eight() {
	local i targets=()

	for ((i = 0; i < boxes; i++)); do
		targets+=(--target "ethlink.box$i")
	done
	nt_pipewire 256 48000 && nt_emu emu --dac "0-$((boxes - 1))" --record "$NT_RECORDING" && nt_daemon &&
		procs_until 20 "$boxes boxes to be online" nt_all_online || return 1
	nt_feed_start --music --seconds "$each_s" --save "$NT_SOURCE" "${targets[@]}" && nt_feed_end $((2 * each_s + 30))
}

config_eight() {
	local i lines=()

	for ((i = 0; i < boxes; i++)); do
		lines+=("[device box$i]" "model = dac8" "serial = $i")
		NT_RECORDINGS+=("${NT_RECORDING%.wav}-$i.wav")
	done
	nt_config "${lines[@]}"
}

nt_begin
nt_pw_begin
nt_config_stage
if [ $(($# % 2)) -ne 0 ]; then
	echo "usage: test-pw-play.sh [QUANTUM RATE]..."
	exit 2
fi
if [ $# -gt 0 ]; then
	while [ $# -gt 0 ]; do
		nt_exact "$2 Hz, quantum $1" play "$1" "$2"
		shift 2
	done
	nt_end
fi
for quantum in 32 64 256 1000 1024; do
	nt_exact "48000 Hz, quantum $quantum" play "$quantum" 48000
done
for rate in 44100 88200 96000; do
	nt_exact "$rate Hz, quantum 128" play 128 "$rate"
done
nt_exact "a client changes the quantum every second" client_changes
nt_exact "the settings change the quantum every second" settings_change
nt_exact "pw-cat, linked by the session manager" pw_cat
nt_exact "a rate that the box does not know, and back" unknown_rate
nt_stop_all
config_eight
nt_exact "$boxes boxes at once" eight
nt_end
