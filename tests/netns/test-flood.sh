#!/bin/bash
# Many programs at once ask a lot: the audio does not notice, and a box is told of new gains one channel a millisecond at
# most, however often they change.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"

seconds=5
changes=
memory=
kept=

starts() {
	changes=$PROCS_DIR/changes
	NT_FLOOD=$(nt_program bus-flood) || return 1
	nt_config_stage
	nt_jackd 48000 128 && watch_emu emu "$NT_BOX_IF" --dac 0 --log-changes "$changes" && nt_daemon &&
		nt_wait_state stage online && watch_feed --target ethlink:stage/playback_ && watch_steady emu 100
}

gains_are() {
	[ "$(jq -c '.boxes[0].gain_db' "$PROCS_DIR/emu.json")" = "$1" ] && [ "$(nt_status -c '.devices[0].gain_db')" = "$1" ]
}

# A program that asks does not make the daemon grow.
memory_kb() {
	awk '/^RssAnon/ { print $2 }' "/proc/${PROCS_PID[ethlinkd]}/status"
}

# flood READS GAINS: so many a second. The last gains arrive, one a millisecond at most, and memory stays. Sets kept.
flood() {
	local answer lines

	watch_steady emu 50 && watch_mark emu || return 1
	lines=$(wc -l < "$changes")
	memory=$(memory_kb)
	answer=$("$NT_FLOOD" "$NT_RUN/control" /org/ethlinkd1/device/stage "$1" "$2" "$seconds" 2>> "$PROCS_DIR/flood.err") || return 1
	printf '# %s\n' "$answer"
	kept=no
	watch_kept emu && kept=yes
	jq -e --argjson reads "$1" --argjson gains "$2" --argjson s "$seconds" \
		'.errors == 0 and .unanswered == 0 and .reads >= $reads * $s / 2 and .gains >= $gains * $s / 2' \
		<<< "$answer" > /dev/null || return 1
	procs_until 2 "the last gains" gains_are "$(jq -c .gain_db <<< "$answer")" && one_a_millisecond $((lines + 1)) || return 1
	[ $(($(memory_kb) - memory)) -le 256 ] || { printf '# memory was %s kB, is %s kB\n' "$memory" "$(memory_kb)"; return 1; }
}

# From that line on: between two changes, of whatever channels, lies a millisecond of audio.
one_a_millisecond() {
	local said

	said=$(tail -n "+$1" "$changes" | jq -s -c '(map(.frame) | [.[1:], .[:-1]] | transpose | map(.[0] - .[1])) as $gaps |
		{changes: length, least_frames_between: ($gaps | min)}')
	printf '# the box: %s\n' "$said"
	jq -e --argjson least "$((seconds * 20))" '.changes >= $least and .least_frames_between >= 6' <<< "$said" > /dev/null
}

# Where the machine itself stood still, the audio cannot be judged: once more, three times in all.
one() {
	local text=$1 try

	shift
	for try in 1 2 3; do
		watch_faults
		if ! flood "$@"; then
			nt_not_ok "$text"
			return 1
		fi
		if [ "$kept" = yes ]; then
			nt_ok "$text"
			return 0
		fi
		watch_faults
		if [ "$WATCH_FAULTS" -eq 0 ] || [ "$WATCH_LOST" -gt 0 ]; then
			nt_not_ok "$text: without an xrun, but not every frame was played"
			return 1
		fi
		printf '# %d xruns and stalls of this machine (%d)\n' "$WATCH_FAULTS" "$try"
	done
	nt_ok "$text: passed around $WATCH_FAULTS xruns and stalls of this machine"
}

nt_begin
nt_check "a box plays" starts || nt_end
one "10,000 property reads and 100 gain changes a second: not a frame is lost" 10000 100
one "1,000 gain changes a second: the newest counts, one a millisecond goes out" 100 1000
nt_end
