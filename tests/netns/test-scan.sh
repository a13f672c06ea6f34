#!/bin/bash
# ethlinkctl scan: it finds boxes by listening and by asking, says whose they are, and leaves alone what somebody plays:
# music stays bit-exact and the settings of others' boxes untouched. Errors and their exit statuses.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

scan_host=02:00:00:00:00:99

# Leaves what it said in scan.out and scan.err, its exit status in SCAN_STATUS.
scan() {
	ip netns exec "$NT_NS" timeout 30 "$NT_CTL" "${scan_way[@]}" scan "$@" > "$PROCS_DIR/scan.out" 2> "$PROCS_DIR/scan.err"
	SCAN_STATUS=$?
}
scan_way=()

# found JQ-FILTER: true of the report?
found() {
	jq -e "$1" "$PROCS_DIR/scan.out" > /dev/null
}

# fails STATUS TEXT ARG...
fails() {
	local status=$1 text=$2

	shift 2
	scan "$@"
	[ "$SCAN_STATUS" -eq "$status" ] && grep -qF -- "$text" "$PROCS_DIR/scan.err" && [ ! -s "$PROCS_DIR/scan.out" ]
}

wrong_command_lines() {
	fails 2 "needs an interface" && fails 2 "does not know '--prob'" host0 --prob && fails 2 "not '5-2'" host0 --probe --serial 5-2 &&
		fails 2 "not '65536'" host0 --probe --serial=65536 && fails 2 "not '-1'" host0 --probe --serial -1 &&
		fails 2 "not ''" host0 --probe --serial && fails 2 "not 'dac9'" host0 --probe --model dac9 &&
		fails 2 "needs --probe" host0 --serial 3 && fails 2 "1 to 3600, not '0'" host0 --seconds 0 &&
		fails 2 "does not know 'box0'" host0 box0
}

no_interface() {
	fails 1 "there is no interface 'nope7'; there is: lo, " nope7 && grep -q host0 "$PROCS_DIR/scan.err" &&
		fails 1 "no interface 'a-name-too-long-for-any'" a-name-too-long-for-any && fails 1 "no Ethernet interface" lo
}

no_link() {
	local good=0

	nt_ip link set box0 down && fails 1 "host0 has no link; check its cable" host0 &&
		nt_ip link set host0 down && fails 1 "sudo ip link set host0 up" host0 || good=1
	nt_ip link set host0 up && nt_ip link set box0 up
	return "$good"
}

no_right() {
	ip netns exec "$NT_NS" setpriv --bounding-set=-net_raw --inh-caps=-net_raw "$NT_CTL" scan host0 > "$PROCS_DIR/scan.out" 2> "$PROCS_DIR/scan.err"
	[ $? -eq 1 ] && grep -q 'sudo setcap cap_net_raw+ep' "$PROCS_DIR/scan.err"
}

# Nobody is there: no error, and what to check.
nobody() {
	scan host0 --seconds 1
	[ "$SCAN_STATUS" -eq 0 ] && grep -q -- '--probe' "$PROCS_DIR/scan.out" || return 1
	scan host0 --probe --serial 7
	[ "$SCAN_STATUS" -eq 0 ] && grep -q 'it has power' "$PROCS_DIR/scan.out"
}

finds_by_asking() {
	nt_emu emu --dac 2,5 && nt_emu dark --dac 3 --off || return 1
	scan host0 --probe --json --serial 0-9
	[ "$SCAN_STATUS" -eq 0 ] && found '[.boxes[] | [.model, .serial, .state, .mac]] ==
		[["dac8", 2, "free", "00:e8:da:c0:00:02"], ["dac8", 5, "free", "00:e8:da:c0:00:05"]]' && found '.complete'
}

# What it prints is a configuration that the daemon takes.
pastes() {
	scan host0 --probe --serial 2-5 || return 1
	nt_config
	sed -n '/^\[device/,$p' "$PROCS_DIR/scan.out" >> "$NT_CONF"
	ip netns exec "$NT_NS" "$NT_DAEMON" --check-config -c "$NT_CONF" > "$PROCS_DIR/said.out" 2>&1 &&
		grep -q 'device dac1' "$PROCS_DIR/said.out" && grep -q 'serial = 5' "$NT_CONF"
}

spray() {
	procs_start spray ip netns exec "$NT_NS" "$NT_SPRAY" --interface box0 --dst ff:ff:ff:ff:ff:ff --box "$1" --rate 500 --count 100000 "${@:2}"
}

# Garbage is heard and not believed; an ADC is a box, too; DHCP from a box that was switched on is enough.
garbage() {
	spray 00:e8:ad:c0:00:07 --mode garbage --mode length
	scan host0 --json --seconds 1
	procs_stop spray
	found '.boxes[] | select(.model == "adc8" and .serial == 7) | .state == "seen" and .frames > 10' || return 1
	spray 00:e8:da:c0:00:09 --mode dhcp
	scan host0 --json --seconds 1
	procs_stop spray
	found '[.boxes[] | [.serial, .state]] == [[9, "seen"]]'
}

interrupts() {
	spray 00:e8:da:c0:00:09 --mode dhcp
	procs_start scanning ip netns exec "$NT_NS" "$NT_CTL" scan host0 --json --seconds 60
	procs_until 5 "the scan to catch signals" catches
	procs_signal scanning INT
	procs_wait scanning 5 || return 1
	procs_stop spray
	cp "$PROCS_DIR/scanning.out" "$PROCS_DIR/scan.out"
	found '.interrupted and .seconds < 20 and .boxes[0].serial == 9'
}

# It is the program by now, and no more the shell that starts it; and SIGINT is caught, so that it may be sent.
catches() {
	local caught

	grep -qx ethlinkctl "/proc/${PROCS_PID[scanning]}/comm" || return 1
	caught=$(awk '/^SigCgt/ { print $2 }' "/proc/${PROCS_PID[scanning]}/status") && [ $((0x$caught & 2)) -ne 0 ]
}

# The daemon plays box 0; a foreign host plays box 4; box 2 is free, box 6 is off. All in the range. Twice: the daemon
# answers us, and it does not (another user's, say).
plays_on() {
	local r

	nt_jackd 48000 256 && nt_emu emu --dac 0 --record "$NT_RECORDING" && nt_emu others --dac 2,4 &&
		nt_emu dark --dac 6 --off && nt_daemon && nt_wait_state stage online || return 1
	procs_start spray ip netns exec "$NT_NS" "$NT_SPRAY" --interface box0 --dst 00:e8:da:c0:00:04 --box 00:e8:da:c0:00:04 \
		--host "$scan_host" --mode host --rate 100 --count 100000
	nt_feed_start --music --seconds 10 --save "$NT_SOURCE" --target ethlink:stage/playback_ || return 1
	scan_way=("--socket=$NT_RUN/control")
	scan host0 --probe --json --serial 0-20
	cp "$PROCS_DIR/scan.out" "$PROCS_DIR/known.json"
	scan_way=("--socket=$PROCS_DIR/none")
	scan host0 --probe --json --serial 0-20
	cp "$PROCS_DIR/scan.out" "$PROCS_DIR/unknown.json"
	scan_way=()
	nt_feed_end 40
	r=$?
	procs_stop spray
	procs_stop others
	cp "$PROCS_DIR/others.out" "$PROCS_DIR/others.json"
	return "$r"
}

whose() {
	jq -e --arg host "$scan_host" '[.boxes[] | [.serial, .state, .name, .host]] ==
		[[0, "configured", "stage", null], [2, "free", null, null], [4, "played", null, $host]]' "$PROCS_DIR/known.json" > /dev/null &&
		jq -e --arg host "$scan_host" '[.boxes[] | [.serial, .state, .name, .host]] ==
		[[0, "local", null, null], [2, "free", null, null], [4, "played", null, $host]]' "$PROCS_DIR/unknown.json" > /dev/null
}

nt_begin
nt_check "a wrong command line is status 2 and says what is allowed" wrong_command_lines
nt_check "an interface that is not there or not Ethernet is status 1; those that are there are listed" no_interface
nt_check "no link is status 1, with what to do" no_link
nt_check "without the right to use raw Ethernet the remedy is said" no_right
nt_check "nobody there is no error" nobody
nt_check "boxes that are on answer, one that is off does not" finds_by_asking
nt_check "the sections are a good configuration" pastes
nt_stop_all
nt_check "garbage and DHCP from a box are heard" garbage
nt_check "Ctrl-C prints what was found" interrupts
nt_stop_all
nt_config_stage
nt_exact "music while the range is asked twice" plays_on
nt_check "each box has its state, with the daemon's answer and without" whose
# A box that no valid frame has reached never had a host.
nt_check "the box of the other host got no frame" jq -es 'map(select(.boxes)) | last | .boxes[] | select(.serial == 4) |
	.frames_received == 0' "$PROCS_DIR/others.json"
nt_end
