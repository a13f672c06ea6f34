#!/bin/bash
# What does not fit on the link is refused, and nothing at all is sent to it, while the rest plays: a tap stands in for a card
# whose link has a speed, with boxes at its other end that count what comes to them. A box takes 33.024 Mbit/s at 96 kHz:
# three of four fit on 100 Mbit/s.
# Usage: test-bandwidth.sh [CASE-FUNCTION]...
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

TAP=tap0
names=(a b c d)
daemon=()
elsewhere=
reports=0
WIRE=0

# The name says the serial number: a is 0.
serial_of() {
	printf '%d\n' $(($(printf '%d' "'$1") - 97))
}

# Sections stand in the order of names.
write_conf() {
	local name lines=()

	for name in "${names[@]}"; do
		lines+=("[device $name]" "model = dac8" "serial = $(serial_of "$name")")
		[ "$name" != "$elsewhere" ] || lines+=("interface = $NT_HOST_IF")
	done
	NT_HOST_IF=$TAP nt_config "${daemon[@]}" "${lines[@]}"
}

reload() {
	write_conf && nt_ctl reload
}

# $1: Mbit/s, $2: Hz
start() {
	names=(a b c d)
	daemon=()
	write_conf
	nt_inside tap "$TAP_LINK" "$TAP" "$1" && procs_until 10 "the tap" grep -q ready "$PROCS_DIR/tap.out" &&
		nt_jackd "$2" 256 && nt_daemon
}

reported() {
	grep -q "\"report\": \"r$reports\"" "$PROCS_DIR/tap.out"
}

# WIRE: what has been sent about one box so far, frames and claims that it is ours; WIRE_FRAMES: the frames of it.
look_at() {
	reports=$((reports + 1))
	procs_tell tap "report r$reports"
	procs_until 5 "the report" reported || return 1
	read -r WIRE WIRE_FRAMES < <(grep "\"report\": \"r$reports\"" "$PROCS_DIR/tap.out" |
		jq -r --argjson n "$(serial_of "$1")" '.boxes[$n] | "\(.frames + .claims) \(.frames)"')
}

# Whose box it is was asked once, before there was an audio server whose rate could be judged.
never_heard() {
	look_at "$1" && [ "$WIRE_FRAMES" = 0 ] && [ "$WIRE" -le 1 ]
}

device() {
	nt_status ".devices[] | select(.name == \"$1\").$2"
}

# States of all, in the order of the configuration.
states_are() {
	[ "$(nt_status '[.devices[].state] | join(" ")')" = "$1" ]
}

wait_states() {
	procs_until 15 "states $1" states_are "$1" && return 0
	printf '#   they are %s\n' "$(nt_status '[.devices[] | "\(.name) \(.state)"] | join(", ")')"
	return 1
}

starts() {
	local name

	for name in "$@"; do
		device "$name" starts
	done
}

# A counter of an online box moves on: so much time has passed for all.
sent_more() {
	[ "$(device "$1" frames_sent)" -ge "$2" ]
}

# $1: a box that plays; its frames of $2 seconds at 96 kHz.
plays_for() {
	procs_until 15 "$1 to play" sent_more "$1" $(($(device "$1" frames_sent) + $2 * 12000))
}

nothing_to() {
	local before

	look_at "$1" || return 1
	before=$WIRE
	plays_for "$2" 2 && look_at "$1" || return 1
	[ "$WIRE" = "$before" ] && return 0
	printf '# %s frames and claims of %s, then %s\n' "$before" "$1" "$WIRE"
	return 1
}

said() {
	grep -cF -- "$1" "$PROCS_DIR/ethlinkd.err"
}

WHY="box does not fit: 4 boxes x 33.024 Mbit/s = 132.1 Mbit/s, the link of $TAP carries 100 Mbit/s; take 48 kHz, another interface, or set bandwidth in [daemon]"

three_fit() {
	start 100 96000 && wait_states "online online online unsupported" && plays_for a 2 || return 1
	look_at a && [ "$WIRE" -gt 12000 ] && never_heard d && [ "$(device d frames_sent)" = 0 ] &&
		[ "$(device d probes)" = 0 ]
}

# In the log once, and wherever else somebody may look.
reason_is_said() {
	[ "$(said "d: $WHY")" = 1 ] && [ "$(said "$TAP: 3 boxes x 33.024 Mbit/s = 99.1 of 100 Mbit/s: over 90 % of the link")" = 1 ] &&
		[ "$(device d reason)" = "$WHY" ] && [ "$(device a reason)" = null ] || return 1
	nt_ctl status > "$PROCS_DIR/status.txt" && nt_ctl status d > "$PROCS_DIR/device.txt" || return 1
	grep -q '^    box does not fit: 4 boxes x 33.024 Mbit/s' "$PROCS_DIR/status.txt" &&
		grep -q '^    box does not fit: 4 boxes x 33.024 Mbit/s' "$PROCS_DIR/device.txt" &&
		! grep -E '^.{81}' "$PROCS_DIR/status.txt" &&
		[ "$(nt_status '.interfaces == [{name: "tap0", link_mbit: 100, limit_mbit: 100, needed_mbit: 132.1, admitted_mbit: 99.1}]')" = true ]
}

finding() {
	jq -e --arg id "$1" --arg result "$2" --arg text "$3" '[.checks[] | select(.id == $id and .result == $result and
		(.found | contains($text)))] | length > 0' <<< "$doctor" > /dev/null && return 0
	printf '# %s: not %s with "%s", but: %s\n' "$1" "$2" "$3" \
		"$(jq -c --arg id "$1" '[.checks[] | select(.id == $id) | [.result, .found]]' <<< "$doctor")"
	return 1
}

ask_doctor() {
	doctor=$(ip netns exec "$NT_NS" "$NT_CTL" --socket="$NT_RUN/control" doctor --json 2>> "$PROCS_DIR/doctor.err")
}

doctor_sees_it() {
	ask_doctor
	finding bandwidth problem "99.1 of 100 Mbit/s (99 %); no room for 1 more" &&
		finding boxes problem "d is refused: box does not fit"
}

# One more, in front of all: who plays goes on, without a new start.
added() {
	local before

	before=$(starts a b c)
	names=(e a b c d)
	reload && wait_states "unsupported online online online unsupported" && nothing_to e a && nothing_to d a || return 1
	never_heard e && [ "$(starts a b c)" = "$before" ] && [ "$(said "d: box does not fit")" = 1 ] &&
		[ "$(said "e: box does not fit: 5 boxes x 33.024 Mbit/s = 165.1 Mbit/s")" = 1 ] &&
		[[ $(device d reason) = "box does not fit: 5 boxes"* ]]
}

# Its place is free: the first in the configuration has it.
removed() {
	local before

	before=$(starts a c)
	names=(e a c d)
	reload && wait_states "online online online unsupported" && nothing_to d a && [ "$(starts a c)" = "$before" ]
}

# One that comes from another interface, where there was room, is new here.
moved() {
	local before

	names=(a b c d)
	elsewhere=a
	reload && wait_states "searching online online online" && look_at a || return 1
	before="$WIRE $(starts b c d)"
	elsewhere=
	reload && wait_states "unsupported online online online" && nothing_to a b && [ "$WIRE $(starts b c d)" = "$before" ]
}

# The user says that he knows better, and that he does not.
unlimited() {
	local before

	names=(a b c d)
	reload && wait_states "unsupported online online online" || return 1
	daemon=("bandwidth = unlimited")
	before=$(starts b c d)
	reload && wait_states "online online online online" && [ "$(starts b c d)" = "$before" ] || return 1
	ask_doctor
	finding bandwidth problem "4 boxes x 12000 frames/s x 344 bytes = 132.1 of 100 Mbit/s (132 %)" &&
		plays_for a 1 || return 1
	daemon=("bandwidth = 70")
	reload && wait_states "online online unsupported unsupported" && nothing_to c a && nothing_to d a &&
		[[ $(device d reason) = *"bandwidth in [daemon] allows $TAP 70 Mbit/s"* ]] &&
		[ "$(nt_status '.interfaces[0] | "\(.link_mbit) \(.limit_mbit)"')" = "100 70" ] || return 1
	ask_doctor
	finding boxes problem "c, d are refused" || return 1
	daemon=("bandwidth = auto")
	reload && wait_states "online online online unsupported"
}

# Another speed shows within two seconds, and interrupts nobody who fits.
speed_changed() {
	local before

	before=$(starts a b c)
	procs_tell tap "speed 1000"
	wait_states "online online online online" && [ "$(starts a b c)" = "$before" ] && [ "$(device d reason)" = null ] || return 1
	ask_doctor
	finding bandwidth ok "132.1 of 1000 Mbit/s (13 %)" || return 1
	procs_tell tap "speed 100"
	wait_states "online online online unsupported" && nothing_to d a && [ "$(starts a b c)" = "$before" ] || return 1
	procs_tell tap "speed 10"
	wait_states "unsupported unsupported unsupported unsupported"
}

# A cable that is pulled, and plugged in again as a slower one: not one frame goes out that it has no room for.
replugged() {
	local before

	procs_tell tap "speed 100"
	wait_states "online online online unsupported" && nt_ip link set "$TAP" down &&
		wait_states "link-down link-down link-down link-down" && [ "$(device d reason)" = null ] || return 1
	procs_tell tap "speed 10"
	look_at a || return 1
	before=$WIRE
	nt_ip link set "$TAP" up && wait_states "unsupported unsupported unsupported unsupported" && look_at a &&
		[ "$WIRE" = "$before" ]
}

# At 48 kHz four boxes take what two take at 96.
half_the_rate() {
	nt_stop_all
	start 100 48000 && wait_states "online online online online" || return 1
	[ "$(nt_status '.interfaces[0].admitted_mbit')" = 66 ] || return 1
	names=(a b c d e f g)
	reload && wait_states "online online online online online online unsupported" && nothing_to g a &&
		never_heard g &&
		[ "$(device g reason)" = "box does not fit: 7 boxes x 16.512 Mbit/s = 115.6 Mbit/s, the link of $TAP carries 100 Mbit/s; take another interface, or set bandwidth in [daemon]" ]
}

all() {
	nt_check "of four boxes three fit at 96 kHz; to the fourth nothing is sent" three_fit || return
	nt_check "the arithmetic is in the log, once, in the status and in JSON" reason_is_said
	nt_check "doctor says how much of the link is in use" doctor_sees_it
	nt_check "a reload that adds a box in front stops nobody" added
	nt_check "a box that is removed makes room for the first that waits" removed
	nt_check "a box that comes from another interface stops nobody" moved
	nt_check "bandwidth in the configuration says how much may be used" unlimited
	nt_check "another speed of the link is judged anew, while it plays" speed_changed
	nt_check "a slower link that comes back carries nothing that does not fit" replugged
	nt_check "at 48 kHz twice as many fit" half_the_rate
}

TAP_LINK=$(nt_program tap-link) || exit 1
if [ ! -c /dev/net/tun ]; then
	echo "# skipped: there is no /dev/net/tun"
	exit 77
fi
nt_begin
if [ $# -gt 0 ]; then
	for c in "$@"; do
		nt_check "$c" "$c"
	done
else
	all
fi
nt_end
