# shellcheck shell=bash disable=SC2034
# NetVST in a test's namespace: servers and clients of netvst-echo, hostile peers, and JACK clients that play into the
# daemon's inserts and compare what comes back. Sourced after netns.sh.
#
#   nv_begin                     programs; after nt_begin
#   nv_server NAME ARG...        netvst-echo server (process NAME), listening; NV_PORT
#   nv_server_event NAME FILTER  what it has printed, through jq; nv_server_report NAME: its report as of now, in NV_JSON
#   nv_client NAME ARG...        netvst-echo client (process NAME) to 127.0.0.1 unless --connect is given
#   nv_client_end NAME SECONDS   waits for its end; its report is in NV_JSON, its exit status in PROCS_STATUS
#   nv_hostile ARG...            netvst-hostile to the end; its report is in NV_JSON
#   nv_daemon                    ethlinkd -c $NT_CONF, answering
#   nv_value NAME JQ-FILTER      of the entry NAME of the status's netvst; nv_wait NAME STATE [SECONDS]; nv_wait_all STATE
#   nv_play ARG...               insert-play to the end; its report is in NV_PLAY; nv_play_start, nv_play_end SECONDS
#   nv_faults                    how often the machine, and not the daemon, was at fault during it: NV_FAULTS
#   nv_loop NAME                 connects what the slot receives with what it answers
#   nv_exact TEXT CMD...         CMD starts everything and plays into NV_NAMES, whose returns are the pairs of NV_PLAY in their
#                                order: equal, at the latency that the status tells? NV_SNR: of a pair, "" (equal) or the least
#                                signal-to-noise ratio in dB
#   nv_try TEXT CMD...           one test, that plays; again where the machine was at fault. Stops nothing but before that
#   NV_ONLY                      of nv_exact and nv_try, only the tests whose text it is in
#   nv_has_wavpack               is it built in?
#   NV_CLIENT                    the daemon's name in the graph (ethlink:)

NV_ECHO=
NV_INSERT=
NV_HOSTILE=
NV_PORT=0
NV_JSON={}
NV_PLAY={}
NV_FAULTS=0
NV_SAID=
NV_CLIENT=ethlink:
NV_NAMES=()
NV_SNR=()
# What runs insert-play: pw-jack for PipeWire.
NV_WITH=()

nv_begin() {
	NV_ECHO=$(nt_program netvst-echo) && NV_INSERT=$(nt_program insert-play) && NV_HOSTILE=$(nt_program netvst-hostile) ||
		exit 1
}

# --- netvst-echo and netvst-hostile

nv_is_listening() {
	NV_PORT=$(nv_server_event "$1" 'select(.event == "listening").port')
	[ -n "$NV_PORT" ]
}

nv_server() {
	local name=$1

	shift
	: > "$PROCS_DIR/$name.out"
	nt_inside "$name" "$NV_ECHO" server --json --realtime "$@"
	procs_until 10 "the server $name to listen" nv_is_listening "$name" && nv_is_listening "$name"
}

nv_server_event() {
	jq -r "$2" "$PROCS_DIR/$1.out" 2> /dev/null
}

# $1: process; $2: how many reports there are already.
nv_has_more_reports() {
	[ "$(grep -c '"report"' "$PROCS_DIR/$1.out")" -gt "$2" ]
}

nv_server_report() {
	local before

	before=$(grep -c '"report"' "$PROCS_DIR/$1.out")
	procs_signal "$1" USR1
	procs_until 5 "a report of $1" nv_has_more_reports "$1" "$before" || return 1
	NV_JSON=$(grep '"report"' "$PROCS_DIR/$1.out" | tail -n 1)
}

nv_client() {
	local name=$1

	shift
	: > "$PROCS_DIR/$name.out"
	nt_inside "$name" "$NV_ECHO" client --json --realtime --connect 127.0.0.1 "$@"
}

nv_client_end() {
	procs_wait "$1" "$2" || return 1
	NV_JSON=$(grep '"report"' "$PROCS_DIR/$1.out" | tail -n 1)
	[ -n "$NV_JSON" ]
}

nv_hostile() {
	NV_JSON=$(ip netns exec "$NT_NS" "$NV_HOSTILE" "$@" 2>> "$PROCS_DIR/hostile.err")
}

# Of the report in NV_JSON.
nv_json() {
	jq -r "$1" <<< "$NV_JSON"
}

# --- the daemon

nv_answers() {
	[ "$(nt_status '.netvst | length')" -gt 0 ]
}

nv_daemon() {
	nt_launch "${NT_AS_USER[@]}"
	procs_until 10 "the daemon to answer" nv_answers
}

nv_value() {
	# shellcheck disable=SC2016 # of jq
	nt_status --arg name "$1" '.netvst[] | select(.name == $name) | '"$2"
}

nv_in_state() {
	[ "$(nv_value "$1" .state)" = "$2" ]
}

nv_wait() {
	procs_until "${3:-15}" "the insert $1 to be $2" nv_in_state "$1" "$2" && return 0
	printf '#   it is %s: %s\n' "$(nv_value "$1" .state)" "$(nv_value "$1" .error)"
	return 1
}

nv_wait_all() {
	local name

	for name in "${NV_NAMES[@]}"; do
		nv_wait "$name" "$1" || return 1
	done
}

# nv_is NAME JQ-CONDITION
nv_is() {
	[ "$(nv_value "$1" "$2")" = true ]
}

nv_loop() {
	local i

	for i in 1 2; do
		jack_connect -s "$NT_SERVER" "$NV_CLIENT$1/receive_$i" "$NV_CLIENT$1/reply_$i" > /dev/null 2>> "$PROCS_DIR/loop.err" ||
			return 1
	done
}

# --- playing

nv_play_start() {
	local server=(--server "$NT_SERVER")

	[ ${#NV_WITH[@]} -eq 0 ] || server=()
	: > "$PROCS_DIR/play.out"
	nv_before=$(nv_latencies)
	procs_start play "${NV_WITH[@]}" "${NT_AS_USER[@]}" "$NV_INSERT" "${server[@]}" "$@"
}

nv_play_end() {
	procs_wait play "$1" || return 1
	NV_PLAY=$(tail -n 1 "$PROCS_DIR/play.out")
	[ "$PROCS_STATUS" -eq 0 ] && nv_faults
}

nv_play() {
	nv_play_start "$@" && nv_play_end 60
}

# The sends and returns of NV_NAMES, as arguments in NV_PAIRS.
nv_pairs() {
	local name

	NV_PAIRS=()
	for name in "${NV_NAMES[@]}"; do
		NV_PAIRS+=(--send "$NV_CLIENT$name/send_" --return "$NV_CLIENT$name/return_")
	done
}

# Stalls are counted from 1 ms on: what an insert has in hand, with latency = auto.
nv_faults() {
	NV_FAULTS=$(jq -r '.xruns + .skipped_cycles + .stalls' <<< "$NV_PLAY")
}

# The latencies that the status tells of NV_NAMES, with commas between.
nv_latencies() {
	local name list=()

	for name in "${NV_NAMES[@]}"; do
		list+=("$(nv_value "$name" .latency_frames)")
	done
	(IFS=,; printf '%s\n' "${list[*]}")
}

# 0: all as it should be. 1: not, but this machine was at fault. 2: wrong.
nv_judge() {
	local snr

	snr=$(printf '"%s",' "${NV_SNR[@]}")
	nv_latency=$(nv_latencies)
	nv_late=$(nt_status '[.netvst[].late_blocks // 0] | add')
	# Did most come at its place (which may have been moved, where faults piled up), all of it, and how often not?
	# shellcheck disable=SC2016 # of jq
	NV_SAID=$(jq -r --argjson latency "[$nv_latency]" --argjson before "[$nv_before]" --argjson snr "[${snr%,}]" --argjson late "$nv_late" '
		[.pairs | to_entries[] | .key as $i | ($snr[$i] // "") as $least | .value |
			{ at: ($least != "" or .latency_frames == $latency[$i] or .latency_frames == $before[$i]), one: ($least != "" or .one_latency),
			  equal: (if $least == "" then .unequal == 0 else .snr_db >= ($least | tonumber) end), gaps, latency_frames, snr_db }] |
		"\(all(.at)) \(all(.one) and all(.equal) and $late == 0 and $before == $latency) \(map(.gaps) | max) found \(map(.latency_frames) | tostring), told \($latency | tostring), gaps \(map(.gaps) | tostring), late blocks \($late)"' <<< "$NV_PLAY")
	case $NV_SAID in
	"true true "*) return 0 ;;
	*) [ "$NV_FAULTS" -gt 0 ] && return 1 ;;
	esac
	return 2
}

# Where the machine was at fault, no more gaps than it had faults, and the rest at its place.
nv_around() {
	local at gaps

	read -r at _ gaps _ <<< "$NV_SAID"
	[ "$at" = true ] && [ "$gaps" -le $((2 * NV_FAULTS)) ]
}

nv_is_wanted() {
	[[ $1 == *"${NV_ONLY:-}"* ]]
}

nv_exact() {
	local name=$1 attempt result

	shift
	nv_is_wanted "$name" || return
	for attempt in 1 2 3; do
		NV_SAID="it did not get as far as playing"
		NV_FAULTS=0
		result=2
		"$@" && { nv_judge; result=$?; }
		if [ "$result" -eq 0 ]; then
			nt_ok "$name: latency $nv_latency"
		elif [ "$attempt" -lt 3 ] && [ "$result" -eq 1 ]; then
			printf '# %s: %s xruns and stalls of this machine; again (%s)\n' "$name" "$NV_FAULTS" "$NV_SAID"
			nt_stop_all
			continue
		elif [ "$result" -eq 1 ] && nv_around; then
			nt_ok "$name: latency $nv_latency, passed around $NV_FAULTS xruns and stalls of this machine"
		else
			nt_not_ok "$name: $NV_SAID"
		fi
		nt_stop_all
		return
	done
}

nv_try() {
	local text=$1 attempt

	shift
	nv_is_wanted "$text" || return
	for attempt in 1 2 3; do
		NV_FAULTS=0
		if "$@"; then
			nt_ok "$text"
			return 0
		elif [ "$attempt" -eq 3 ] || [ "$NV_FAULTS" -eq 0 ]; then
			nt_not_ok "$text"
			return 1
		fi
		printf '# %s: %s xruns and stalls of this machine; again\n' "$text" "$NV_FAULTS"
		nt_stop_all
	done
}

nv_has_wavpack() {
	! "$NV_ECHO" client --connect 127.0.0.1 --port 1 --codec wavpack 2>&1 | grep -q "without WavPack"
}
