#!/bin/bash
# Many programs at once ask a lot: the audio does not notice, and a box is told of new gains one channel a millisecond at
# most, however often they change.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"

seconds=8
changes=
memory=

starts() {
	changes=$PROCS_DIR/changes
	NT_FLOOD=$(nt_program bus-flood) || return 1
	nt_config_stage
	nt_jackd 48000 64 && watch_emu emu "$NT_BOX_IF" --dac 0 --log-changes "$changes" && nt_daemon &&
		nt_wait_state stage online && watch_feed --target ethlink:stage/playback_ && watch_steady emu 100
}

gains_are() {
	[ "$(jq -c '.boxes[0].gain_db' "$PROCS_DIR/emu.json")" = "$1" ] && [ "$(nt_status -c '.devices[0].gain_db')" = "$1" ]
}

# A program that asks does not make the daemon grow.
memory_kb() {
	awk '/^RssAnon/ { print $2 }' "/proc/${PROCS_PID[ethlinkd]}/status"
}

# flood READS GAINS: so many a second. The last gains arrive, and meanwhile every frame is played.
flood() {
	local answer lines

	watch_steady emu 50 && watch_mark emu || return 1
	lines=$(wc -l < "$changes")
	memory=$(memory_kb)
	answer=$("$NT_FLOOD" "$NT_RUN/control" /org/ethlinkd1/device/stage "$1" "$2" "$seconds" 2>> "$PROCS_DIR/flood.err") || return 1
	printf '# %s\n' "$answer"
	jq -e --argjson reads "$1" --argjson gains "$2" --argjson s "$seconds" \
		'.errors == 0 and .unanswered == 0 and .reads >= $reads * $s / 2 and .gains >= $gains * $s * 9 / 10' \
		<<< "$answer" > /dev/null || return 1
	procs_until 2 "the last gains" gains_are "$(jq -c .gain_db <<< "$answer")" || return 1
	watch_kept emu && one_a_millisecond $((lines + 1)) || return 1
	[ $(($(memory_kb) - memory)) -le 256 ] || { printf '# memory was %s kB, is %s kB\n' "$memory" "$(memory_kb)"; return 1; }
}

# From that line on: a channel and a new gain each.
one_a_millisecond() {
	tail -n "+$1" "$changes" | jq -s -e --argjson least "$((seconds * 20))" '
		(map(.time_us) | [.[1:], .[:-1]] | transpose | map(.[0] - .[1])) as $gaps |
		length >= $least and ($gaps | min) >= 1000' > /dev/null && return 0
	tail -n "+$1" "$changes" | jq -s -c '(map(.time_us) | [.[1:], .[:-1]] | transpose | map(.[0] - .[1])) as $gaps |
		{changes: length, shortest_us: ($gaps | min)}' | sed 's/^/# /'
	return 1
}

# Once more where the machine itself stood still meanwhile.
lossless() {
	local left=3

	while [ "$left" -gt 0 ]; do
		watch_faults
		"$@" && return 0
		watch_faults
		[ "$WATCH_FAULTS" -gt 0 ] || return 1
		left=$((left - 1))
		printf '# %d xruns and stalls of this machine; again\n' "$WATCH_FAULTS"
	done
	return 1
}

nt_begin
nt_check "a box plays" starts || nt_end
nt_check "10,000 property reads and 100 gain changes a second: not a frame is lost" lossless flood 10000 100
nt_check "2,000 gain changes a second: the newest counts, one a millisecond goes out" lossless flood 100 1000
nt_end
