# shellcheck shell=bash disable=SC2034
# A virtual box, a JACK server and the daemon on the two ends of a veth pair in a network namespace of their own.
# Needs root. Programs come from the build folder $BUILD (default: the current one).
#
#   nt_begin                     skips (77) without root; makes the namespace; NT_HOST_IF is the daemon's end, NT_BOX_IF the box's;
#                                starts the script again with a /dev/shm of its own
#   nt_jackd RATE PERIOD         its own JACK server $NT_SERVER, realtime
#   nt_jackd_end [SIGNAL]        stops it
#   nt_emu NAME ARG...           ethlink-emu --json ARG... on NT_BOX_IF, ready
#   nt_config [LINE...]          writes $NT_CONF: [daemon] for this server and interface, then the lines
#   nt_config_stage              the same with one device, "stage", serial 0
#   nt_daemon                    ethlinkd -c $NT_CONF, answering
#   NT_NS, NT_CONF, NT_PROC, NT_RUN, NT_STATE   set before nt_daemon, nt_ctl and the like: of another daemon
#   nt_ctl ARG..., nt_status JQ-FILTER, nt_wait_state DEVICE STATE [SECONDS]
#   nt_feed_start ARG..., nt_feed_end SECONDS   jack-feed; its report is in $NT_FEED_JSON
#   NT_BACKEND, NT_FEED, NT_FEED_SERVER   the daemon's backend (jack), the program that plays (jack-feed) and its server
#                                ($NT_SERVER); pipewire.sh sets others
#   nt_exact NAME CMD...         CMD plays $NT_SOURCE into a box that records $NT_RECORDING: are they equal?
#                                NT_RECORDINGS: its files, where there are several boxes, all of them equal
#                                NT_LOST_BEFORE: what the box had lost before the music, if CMD says so
#   NT_AS_USER                   what runs the daemon and the JACK clients; empty: root does
#   nt_ok TEXT, nt_not_ok TEXT, nt_check TEXT CMD..., nt_end

NT_ARGS=("$@")
NT_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/procs.sh
. "$NT_LIB/procs.sh"

BUILD=$(cd "${BUILD:-.}" && pwd) || exit 1
NT_NS=
NT_MORE_NS=()
NT_PROC=ethlinkd
NT_RUN=
NT_STATE=
NT_AS_USER=()
NT_SPRAY=
NT_HOST_IF=host0
NT_BOX_IF=box0
NT_SERVER=
NT_BACKEND=jack
NT_FEED_SERVER=
NT_CONF=
NT_FEED_JSON={}
NT_EMU_JSON={}
NT_COMPARE_JSON={}
NT_SOURCE=
NT_RECORDING=
NT_RECORDINGS=()
NT_XRUNS=0
NT_GAPS_EACH=1
NT_LOST_BEFORE=0
NT_SAID=
NT_PASSED=0
NT_FAILED=0

# Where a program of this build is; tests also run from a distribution's build folder.
nt_program() {
	local f

	for f in "$BUILD/$1" "$BUILD"/src/*/"$1" "$BUILD/tests/tools/$1"; do
		if [ -f "$f" ] && [ -x "$f" ]; then
			printf '%s\n' "$f"
			return 0
		fi
	done
	printf '# %s is not in %s; build first, or set BUILD to the build folder\n' "$1" "$BUILD" >&2
	return 1
}

nt_begin() {
	local p

	if [ "$(id -u)" -ne 0 ]; then
		echo "# skipped: network namespaces need root"
		exit 77
	fi
	for p in ip jq jackd jack_lsp; do
		if ! command -v "$p" > /dev/null; then
			printf '# skipped: %s is not installed\n' "$p"
			exit 77
		fi
	done
	nt_private_shm
	# Nor are the machine's own message buses.
	export DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/session DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent/system
	nt_setup && nt_make_ns || exit 1
}

# JACK has room for eight servers in /dev/shm, and one that was killed keeps its place until a server of the same name
# comes: here nobody takes another script's places, and the machine's own JACK is not touched.
nt_private_shm() {
	if [ "${NT_SHM_OF:-}" != $$ ]; then
		NT_SHM_OF=$$ exec unshare --mount "$BASH" "$0" "${NT_ARGS[@]}"
		exit 1
	fi
	mount -t tmpfs -o mode=1777,size=512m ethlinkd-shm /dev/shm || exit 1
}

# Programs, folders and names; no namespace yet.
nt_setup() {
	NT_DAEMON=$(nt_program ethlinkd) && NT_CTL=$(nt_program ethlinkctl) && NT_EMU=$(nt_program ethlink-emu) &&
		NT_FEED=$(nt_program jack-feed) && NT_COMPARE=$(nt_program wav-compare) &&
		NT_SPRAY=$(nt_program frame-spray) || return 1
	procs_begin
	NT_SERVER=ethlinkd-test-$$
	NT_FEED_SERVER=$NT_SERVER
	NT_CONF=$PROCS_DIR/ethlinkd.conf
	NT_RUN=$PROCS_DIR/run
	NT_STATE=$PROCS_DIR/state
	NT_SOURCE=$PROCS_DIR/source.wav
	NT_RECORDING=$PROCS_DIR/recording.wav
	# JACK wants its memory locked; where root may not raise the limit, it warns and goes on.
	ulimit -l unlimited 2> /dev/null
	return 0
}

# An empty namespace in which nobody speaks unasked.
nt_add_ns() {
	ip netns add "$1" || return 1
	ip netns exec "$1" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2> /dev/null
	ip -n "$1" link set lo up
}

# One more beside NT_NS.
nt_another_ns() {
	nt_add_ns "$1" && NT_MORE_NS+=("$1")
}

nt_make_ns() {
	NT_NS=ethlinkd-$$
	nt_add_ns "$NT_NS" || return 1
	nt_ip link add "$NT_HOST_IF" type veth peer name "$NT_BOX_IF" &&
		nt_ip link set "$NT_HOST_IF" up && nt_ip link set "$NT_BOX_IF" up
}

# Without a namespace (a real interface): in the machine's own.
nt_ip() {
	if [ -n "$NT_NS" ]; then
		ip -n "$NT_NS" "$@"
	else
		ip "$@"
	fi
}

# Called by procs_end when all processes are gone.
procs_cleanup() {
	local ns

	for ns in $NT_NS "${NT_MORE_NS[@]}"; do
		ip netns del "$ns" 2> /dev/null
	done
}

nt_jack_answers() {
	"${NT_AS_USER[@]}" jack_lsp -s "$NT_SERVER"
}

nt_jackd() {
	JACK_NO_AUDIO_RESERVATION=1 procs_start jackd jackd -n "$NT_SERVER" -R -P 60 -d dummy -r "$1" -p "$2"
	procs_until 10 "the JACK server" nt_jack_answers || return 1
	if ! ps -L -o cls=,rtprio= -p "${PROCS_PID[jackd]}" | grep -q 'FF'; then
		echo "# no realtime priority for JACK on this machine: xruns are likely"
	fi
}

nt_jackd_end() {
	procs_stop jackd "${1:-TERM}" 2> /dev/null
}

# Starts PROCESS-NAME inside the namespace.
nt_inside() {
	PROCS_ENTER=()
	[ -z "$NT_NS" ] || PROCS_ENTER=(ip netns exec "$NT_NS")
	procs_start "$@"
	PROCS_ENTER=()
}

nt_emu() {
	local name=$1

	shift
	: > "$PROCS_DIR/$name.out"
	nt_inside "$name" "$NT_EMU" -i "$NT_BOX_IF" --json --interval=86400 "$@"
	procs_until 10 "the virtual box to be ready" grep -q '"ready"' "$PROCS_DIR/$name.out"
}

# Ends it and leaves its summary in NT_EMU_JSON; NAME is the process, not the box.
nt_emu_end() {
	procs_stop "$1"
	NT_EMU_JSON=$(grep '"boxes"' "$PROCS_DIR/$1.out" | tail -n 1)
	if [ -z "$NT_EMU_JSON" ]; then
		printf '# %s ended with status %s and without a summary\n' "$1" "$PROCS_STATUS"
		NT_EMU_JSON={}
		return 1
	fi
}

# One number of the first box.
nt_emu_value() {
	jq -r ".boxes[0].$1" <<< "$NT_EMU_JSON"
}

# The sum over all boxes.
nt_emu_sum() {
	jq -r "[.boxes[].$1] | add" <<< "$NT_EMU_JSON"
}

nt_config() {
	local line

	printf '[daemon]\nbackend = %s\njack-server = %s\ninterface = %s\n' "$NT_BACKEND" "$NT_SERVER" "$NT_HOST_IF" > "$NT_CONF"
	for line in "$@"; do
		printf '%s\n' "$line" >> "$NT_CONF"
	done
}

nt_config_stage() {
	nt_config "[device stage]" "model = dac8" "serial = 0"
}

nt_ctl() {
	"$NT_CTL" --socket="$NT_RUN/control" "$@"
}

# $@: a filter for jq over the status, and options.
nt_status() {
	nt_ctl status --json | jq -r "$@"
}

nt_answers() {
	[ "$(nt_status '.devices | length')" -gt 0 ]
}

# $@: what runs it (setpriv and the like); nothing otherwise.
nt_launch() {
	mkdir -p "$NT_RUN" "$NT_STATE"
	RUNTIME_DIRECTORY=$NT_RUN STATE_DIRECTORY=$NT_STATE nt_inside "$NT_PROC" "$@" "$NT_DAEMON" -c "$NT_CONF"
}

nt_daemon() {
	nt_launch "${NT_AS_USER[@]}"
	procs_until 10 "the daemon to answer" nt_answers
}

nt_in_state() {
	[ "$(nt_status ".devices[] | select(.name == \"$1\").state")" = "$2" ]
}

nt_wait_state() {
	procs_until "${3:-15}" "the device $1 to be $2" nt_in_state "$1" "$2" && return 0
	printf '#   it is %s\n' "$(nt_status ".devices[] | select(.name == \"$1\").state")"
	return 1
}

nt_all_online() {
	[ "$(nt_status '[.devices[] | select(.state != "online")] | length')" = 0 ]
}

nt_dropped_by_all() {
	nt_status '[.devices[].frames_dropped] | add'
}

# What was dropped before (an interface went away, say) is not the music's.
nt_feed_start() {
	nt_dropped_before=$(nt_dropped_by_all)
	procs_start feed "${NT_AS_USER[@]}" "$NT_FEED" --server "$NT_FEED_SERVER" "$@"
}

# $1: seconds that it may take.
nt_feed_end() {
	procs_wait feed "$1" || return 1
	NT_FEED_JSON=$(tail -n 1 "$PROCS_DIR/feed.out")
	[ "$PROCS_STATUS" -eq 0 ]
}

# $1: a key of the feed's report.
nt_feed_value() {
	jq -r ".$1" <<< "$NT_FEED_JSON"
}

nt_ok() {
	NT_PASSED=$((NT_PASSED + 1))
	printf 'ok - %s\n' "$1"
}

nt_not_ok() {
	NT_FAILED=$((NT_FAILED + 1))
	PROCS_FAILED=1
	printf 'not ok - %s\n' "$1"
	procs_show_logs
}

# nt_check TEXT CMD...: one test from one command.
nt_check() {
	local text=$1

	shift
	if "$@"; then
		nt_ok "$text"
		return 0
	fi
	nt_not_ok "$text"
	return 1
}

# How often this machine, and not the daemon, was at fault while the feed played: what the audio server reported, and
# stalls of the whole machine that are longer than half of what the box had in hand.
nt_faults() {
	local latency

	latency=$(nt_status '.devices[0].latency_frames')
	jq -r --argjson latency "${latency:-0}" '.xruns + .skipped_cycles +
		(if .stall_max_us * .rate / 1e6 > $latency / 2 then .stalls else 0 end)' <<< "$NT_FEED_JSON"
}

# One that is not equal speaks for all.
nt_compare() {
	local f json

	NT_COMPARE_JSON=
	for f in "${NT_RECORDINGS[@]:-$NT_RECORDING}"; do
		json=$("$NT_COMPARE" --source "$NT_SOURCE" "$f" 2>> "$PROCS_DIR/compare.err")
		if [ -z "$NT_COMPARE_JSON" ] || [ "$(jq -r .identical <<< "$json")" != true ]; then
			NT_COMPARE_JSON=${json:-{\}}
		fi
	done
}

# After playing: stops the daemon and the box (process emu) and compares. Sets NT_XRUNS, NT_COMPARE_JSON and NT_SAID.
# 0: exact. 1: not, but this machine was at fault at least once. 2: wrong.
nt_judge() {
	local status said

	NT_XRUNS=$(nt_faults)
	nt_dropped=$(($(nt_dropped_by_all) - nt_dropped_before))
	procs_stop ethlinkd
	status=$PROCS_STATUS
	nt_emu_end emu || return 2
	nt_compare
	printf '%s\n' "$NT_FEED_JSON" "$NT_COMPARE_JSON" > "$PROCS_DIR/compare.out"
	nt_lost=$(($(nt_emu_sum frames_lost) - NT_LOST_BEFORE))
	nt_gaps=$(jq -r .gaps <<< "$NT_COMPARE_JSON")
	# Outside of the gaps all is there, and a gap is short: an xrun costs its periods and the fades around them.
	nt_whole=$(jq -r --argjson n "$NT_XRUNS" '.source_frames - .frames_compared <= $n * .rate / 20' <<< "$NT_COMPARE_JSON")
	said="$(jq -r .identical <<< "$NT_COMPARE_JSON") $nt_lost $(nt_emu_sum zero_blocks_mid_audio) $nt_dropped $status"
	# shellcheck disable=SC2086
	NT_SAID=$(printf 'identical %s, lost by the box %s, zero blocks %s, dropped %s, exit status %s' $said)
	NT_SAID="$NT_SAID, gaps ${nt_gaps:-?}, xruns and stalls $NT_XRUNS"
	if [ "$said" = "true 0 0 0 0" ]; then
		return 0
	fi
	[ "$NT_XRUNS" -gt 0 ] && [ "$status" -eq 0 ] && return 1
	return 2
}

# A gap for each xrun at most (NT_GAPS_EACH), nothing lost on the way, and all else equal.
nt_around_xruns() {
	[ "$nt_lost $nt_dropped $nt_whole" = "0 0 true" ] && [ "$nt_gaps" -le $((NT_GAPS_EACH * NT_XRUNS)) ]
}

# One test. CMD starts everything, plays, and leaves the daemon and the box (process emu) running. A run in which the
# audio server reported no xrun must be exact; one with xruns may be repeated twice.
nt_exact() {
	local name=$1 attempt result

	shift
	for attempt in 1 2 3; do
		rm -f "$NT_SOURCE" "$NT_RECORDING" "${NT_RECORDINGS[@]}"
		NT_SAID="it did not get as far as playing"
		NT_XRUNS=0
		NT_LOST_BEFORE=0
		result=2
		"$@" && { nt_judge; result=$?; }
		if [ "$result" -eq 0 ]; then
			nt_ok "$name: exact$([ "$NT_XRUNS" -eq 0 ] || printf ' over %d xruns and stalls of this machine' "$NT_XRUNS")"
		elif [ "$result" -eq 1 ] && [ "$attempt" -lt 3 ]; then
			printf '# %s: the audio server had xruns, or the machine stalls (%s); again\n' "$name" "$NT_SAID"
			nt_stop_all
			continue
		elif [ "$result" -eq 1 ] && nt_around_xruns; then
			nt_ok "$name: passed around $NT_XRUNS xruns and stalls of this machine ($nt_gaps gaps)"
		else
			nt_not_ok "$name: $NT_SAID"
		fi
		nt_stop_all
		[ "$result" -ne 2 ]
		return
	done
}

# Everything but the namespace.
nt_stop_all() {
	local i

	procs_continue
	for ((i = ${#PROCS_NAMES[@]} - 1; i >= 0; i--)); do
		procs_stop "${PROCS_NAMES[i]}"
	done
	rm -f "$PROCS_DIR"/*.out "$PROCS_DIR"/*.err "$PROCS_DIR"/*.in
}

nt_end() {
	printf '# %d passed, %d failed\n' "$NT_PASSED" "$NT_FAILED"
	[ "$NT_FAILED" -eq 0 ] && [ "$NT_PASSED" -gt 0 ]
	exit
}
