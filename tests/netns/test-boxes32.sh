#!/bin/bash
# 32 virtual boxes on one interface, all fed with a counter: each gets every frame, in order, and none starves.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

seconds=${SECONDS_EACH:-20}
boxes=32

write_config() {
	local i lines=()

	for ((i = 0; i < boxes; i++)); do
		lines+=("[device box$i]" "model = dac8" "serial = $i")
	done
	nt_config "${lines[@]}"
}

run() {
	local i targets=()

	for ((i = 0; i < boxes; i++)); do
		targets+=(--target "ethlink:box$i/playback_")
	done
	nt_jackd 48000 64 && nt_emu emu --dac "0-$((boxes - 1))" --check-counter && nt_daemon || return 1
	procs_until 30 "$boxes boxes to be online" nt_all_online || return 1
	nt_feed_start --pattern --seconds "$seconds" "${targets[@]}"
	nt_feed_end $((2 * seconds + 30)) || return 1
	status=$(nt_ctl status --json)
	xruns=$(nt_faults)
	procs_stop ethlinkd
	if [ "$PROCS_STATUS" -ne 0 ]; then
		said="the daemon ended with status $PROCS_STATUS"
		return 1
	fi
	nt_emu_end emu
}

# $1: filter over the boxes that gives a number.
of_boxes() {
	jq -r "[.boxes[] | $1] | add" <<< "$NT_EMU_JSON"
}

# One attempt; as in test-play.sh: 0 right, 1 the server was at fault, 2 wrong.
attempt() {
	local blocks

	said="it did not get as far as playing"
	xruns=0
	run || return 2
	blocks=$(($(nt_feed_value frames) / 8))
	lost=$(of_boxes .frames_lost)
	breaks=$(of_boxes .pattern_breaks)
	# A fade makes blocks that are no pattern at all; what is left are jumps of the counter.
	jumps=$(of_boxes '.pattern_breaks - .pattern_garbled')
	zeros=$(of_boxes .zero_blocks_mid_audio)
	short=$(jq -r --argjson n "$blocks" '[.boxes[] | select(.pattern_blocks < $n)] | length' <<< "$NT_EMU_JSON")
	dropped=$(jq -r '[.devices[].frames_dropped] | add' <<< "$status")
	ring=$(jq -r .ring_drops <<< "$NT_EMU_JSON")
	said="breaks $breaks, lost $lost, zero blocks $zeros, boxes with too few blocks $short, dropped $dropped"
	said="$said, lost by the emulator's own socket $ring"
	[ "$breaks $lost $zeros $short $dropped" = "0 0 0 0 0" ] && return 0
	[ "$xruns" -gt 0 ] && return 1
	return 2
}

nt_begin
write_config
for try in 1 2 3; do
	attempt
	result=$?
	if [ "$result" -ne 1 ] || [ "$try" -eq 3 ]; then
		break
	fi
	printf '# the audio server had xruns, or the machine stalls: %d (%s); again\n' "$xruns" "$said"
	nt_stop_all
done
if [ "$result" -eq 0 ]; then
	nt_ok "$boxes boxes, $seconds s: every frame in order ($xruns xruns and stalls of this machine)"
elif [ "$result" -eq 1 ] && [ "$lost $dropped" = "0 0" ] && [ "$jumps" -le $((2 * boxes * xruns)) ]; then
	nt_ok "$boxes boxes, $seconds s: passed around $xruns xruns and stalls of this machine ($jumps jumps of the counter)"
else
	nt_not_ok "$boxes boxes, $seconds s: $said"
fi
nt_end
