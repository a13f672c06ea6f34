# shellcheck shell=bash disable=SC2034
# Boxes that are watched while a counter plays into them without end: since when is what they play unbroken, and what
# was lost? Sourced after netns.sh. Times are hundredths of a second, as PROCS_NOW.
#
#   watch_emu NAME INTERFACE ARG...   a virtual box (process NAME) that keeps its status in $PROCS_DIR/NAME.json
#   watch_feed ARG...                 the counter: process feed, JACK client feed
#   watch_faults                      WATCH_FAULTS: xruns, skipped cycles and stalls since the last call
#   NAME below may be NAME/N: the box number N, from 0, of that process
#   watch_read NAME                   WATCH_RUN: for how long it has played unbroken; WATCH_LOST: frames it lost;
#                                     WATCH_BREAKS, WATCH_ZEROS
#   watch_mark NAME, watch_kept NAME  since the mark, it played every frame
#   watch_back NAME DEVICE SECONDS    waits until it has played right for a second since WATCH_END; WATCH_AUDIO and
#                                     WATCH_ONLINE: how long after WATCH_END that began, and the device was online
#   watch_level NAME                  WATCH_LEVEL: the fewest blocks that waited in its queue, over 0.3 s from now on
#   watch_seconds HUNDREDTHS          prints seconds

WATCH_RIGHT=100
WATCH_RUN=0
WATCH_LOST=0
WATCH_BREAKS=0
WATCH_ZEROS=0
WATCH_FAULTS=0
WATCH_LEVEL=0
WATCH_END=0
WATCH_AUDIO=
WATCH_ONLINE=
declare -A WATCH_MARK=() WATCH_MARK_COUNTS=()

watch_emu() {
	local name=$1 interface=$2

	shift 2
	NT_BOX_IF=$interface nt_emu "$name" --check-counter --commands --status-file "$PROCS_DIR/$name.json" \
		--interval 0.05 "$@"
}

watch_feed() {
	procs_start feed "${NT_AS_USER[@]}" "$NT_FEED" --server "$NT_FEED_SERVER" --client feed --pattern --endless --lead-in 0 "$@"
}

watch_lines() {
	[ "$(wc -l < "$PROCS_DIR/feed.out")" -gt "$watch_n_lines" ]
}

# What nt_faults counts, but while it plays.
watch_faults() {
	local latency watch_n_lines

	WATCH_FAULTS=0
	procs_alive feed || return 0
	latency=$(nt_status '.devices[0].latency_frames')
	watch_n_lines=$(wc -l < "$PROCS_DIR/feed.out")
	procs_signal feed USR1
	procs_until 2 "" watch_lines || return 0
	WATCH_FAULTS=$(tail -n 1 "$PROCS_DIR/feed.out" | jq -r --argjson latency "${latency:-0}" '.xruns + .skipped_cycles +
		(if .stall_max_us * .rate / 1e6 > $latency / 2 then .stalls else 0 end)')
}

watch_read() {
	local n=0

	[[ $1 != */* ]] || n=${1#*/}
	read -r WATCH_RUN WATCH_LOST WATCH_BREAKS WATCH_ZEROS < <(jq -r --argjson n "$n" '.boxes[$n] |
		[(if .rate > 0 then .pattern_run * 800 / .rate | floor else 0 end), .frames_lost, .pattern_breaks,
		.zero_blocks_mid_audio] | @tsv' "$PROCS_DIR/${1%/*}.json")
	procs_clock
	WATCH_RUN=${WATCH_RUN:-0}
}

watch_runs() {
	watch_read "$1"
	[ "$WATCH_RUN" -ge "$2" ]
}

# $2: hundredths of a second that it must have played right.
watch_steady() {
	procs_until 15 "$1 to play right for a while" watch_runs "$1" "$2"
}

watch_mark() {
	watch_read "$1"
	WATCH_MARK[$1]=$PROCS_NOW
	WATCH_MARK_COUNTS[$1]="$WATCH_LOST $WATCH_BREAKS $WATCH_ZEROS"
}

# The status is up to 0.05 s old, and what plays is a little behind. A run that is as long as the time since then
# has no gap in it; the counts tell also what happened right at its beginning.
watch_kept() {
	watch_read "$1"
	[ "$WATCH_LOST $WATCH_BREAKS $WATCH_ZEROS" = "${WATCH_MARK_COUNTS[$1]}" ] &&
		[ "$WATCH_RUN" -ge $((PROCS_NOW - WATCH_MARK[$1] - 15)) ] && return 0
	printf '# %s: lost, breaks, holes were %s, are %s; unbroken for %s of %s s\n' "$1" "${WATCH_MARK_COUNTS[$1]}" \
		"$WATCH_LOST $WATCH_BREAKS $WATCH_ZEROS" "$(watch_seconds "$WATCH_RUN")" "$(watch_seconds $((PROCS_NOW - WATCH_MARK[$1])))"
	return 1
}

watch_back() {
	local begin

	WATCH_AUDIO=
	WATCH_ONLINE=
	while :; do
		if [ -z "$WATCH_ONLINE" ] && nt_in_state "$2" online; then
			procs_clock
			WATCH_ONLINE=$((PROCS_NOW - WATCH_END))
		fi
		watch_read "$1"
		begin=$((PROCS_NOW - WATCH_RUN))
		[ "$begin" -ge "$WATCH_END" ] || begin=$WATCH_END
		if [ $((PROCS_NOW - begin)) -ge "$WATCH_RIGHT" ] && [ "$WATCH_RUN" -ge "$WATCH_RIGHT" ] && [ -n "$WATCH_ONLINE" ]; then
			WATCH_AUDIO=$((begin - WATCH_END))
			return 0
		fi
		[ "$PROCS_NOW" -lt $((WATCH_END + 100 * $3)) ] || return 1
		sleep "$PROCS_POLL_S"
	done
}

watch_has_played() {
	[ "$(jq '.boxes[0].blocks_played' "$PROCS_DIR/$1.json")" -ge "$2" ]
}

watch_level() {
	procs_tell "$1" "mark 0"
	procs_until 5 "$1 to play" watch_has_played "$1" $(($(jq '.boxes[0] | .blocks_played + .rate / 8 * 0.3 | floor' "$PROCS_DIR/$1.json")))
	WATCH_LEVEL=$(jq '.boxes[0].queue_min' "$PROCS_DIR/$1.json")
}

watch_seconds() {
	printf '%d.%02d\n' $(($1 / 100)) $(($1 % 100))
}
