#!/bin/bash
# One box, several hosts: two daemons never fight for it. One plays, exactly; the other says taken-over, sends nothing, and
# plays when the first has ended, however it ended. On one interface of one machine, and as two hosts at a switch. Then a
# foreign host is seen: it is left the box, unless takeover = yes.
# Usage: test-takeover.sh
# shellcheck disable=SC2317,SC2030,SC2031 # functions are called by name, with variables set for the call
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"

# The end of the first is said or seen at once, and the box answers within a second. Where it is neither, as that of a host
# that was killed, the second looks every 5 s.
soon_s=4
late_s=8

# The boxes are in NT_NS, behind port host0 of a switch; two hosts in namespaces of their own have ports p1 and p2.
make_network() {
	local n

	nt_ip link add switch type bridge mcast_snooping 0 && nt_ip link set switch up && nt_ip link set host0 master switch || return 1
	for n in 1 2; do
		nt_another_ns "$NT_NS-$n" && nt_ip link add "p$n" type veth peer name net0 netns "$NT_NS-$n" &&
			nt_ip link set "p$n" master switch && nt_ip link set "p$n" up && ip -n "$NT_NS-$n" link set net0 up || return 1
	done
	ns_two=$NT_NS-2
}

# on NAME CMD...: with the folders, names and namespace of the daemon one or two
on() {
	local name=$1 ns=$NT_NS-1

	shift
	[ "$name" = one ] || ns=$ns_two
	NT_HOST_IF=net0 NT_PROC=$name NT_NS=$ns NT_CONF=$PROCS_DIR/$name.conf NT_RUN=$PROCS_DIR/$name NT_STATE=$PROCS_DIR/$name-state "$@"
}

configure() {
	on one nt_config "client-name = one" "[device stage]" "model = dac8" "serial = 0"
	on two nt_config "client-name = two" "[device stage]" "model = dac8" "serial = 0"
}

sent() {
	on "$1" nt_status '.devices[0].frames_sent'
}

box() {
	jq -r ".boxes[${2:-0}].$1" "$PROCS_DIR/emu.json"
}

# yields NAME: it leaves the box alone
yields() {
	on "$1" nt_wait_state stage taken-over 10
}

has_ports() {
	[ "$(jack_lsp -s "$NT_SERVER" | grep -c '^\(one\|two\):stage/playback_')" -eq "$1" ]
}

targets() {
	local n

	for n in "$@"; do
		printf -- '--target\n%s:stage/playback_\n' "$n"
	done
}

start_box() {
	nt_jackd 48000 256 && watch_emu emu box0 --dac 0
}

first_plays() {
	local t

	start_box && on one nt_daemon && on one nt_wait_state stage online || return 1
	mapfile -t t < <(targets one)
	watch_feed "${t[@]}"
	watch_steady emu 50
}

# Every frame of the first arrives, and none of the second, from its start on until it has said that it yields, and beyond.
second_yields() {
	local changes try

	for try in 1 2 3; do
		on one watch_faults
		watch_mark emu
		changes=$(box host_changes)
		on two nt_daemon && yields two && watch_more 100 || return 1
		[ "$(sent two)" = 0 ] && [ "$(box host_changes)" = "$changes" ] && on one nt_in_state stage online || return 1
		watch_kept emu && return 0
		on one watch_faults
		[ "$WATCH_FAULTS" -gt 0 ] || return 1
		printf '# %d xruns and stalls of this machine; not judged (%d)\n' "$WATCH_FAULTS" "$try"
		# All but the lost frames has been judged; after the third time that is enough.
		[ "$try" -lt 3 ] || return 0
		on two procs_stop two
	done
}

# watch_more HUNDREDTHS [BOX]: lets so much of the box's own time pass
watch_more() {
	blocks=$(($(box blocks_played "${2:-0}") + $1 * 60))
	procs_until 10 "the box to play on" played_blocks "$blocks" "${2:-0}"
}

played_blocks() {
	[ "$(box blocks_played "$2")" -ge "$1" ]
}

# succeeds FIRST SIGNAL SECOND SECONDS: the second plays soon after the first was told to end
succeeds() {
	connect_to "$3"
	procs_clock
	WATCH_END=$PROCS_NOW
	procs_stop "$1" "$2" 2> /dev/null
	on "$3" watch_back emu stage $(($4 + 3)) || return 1
	printf '# online %s s, audio %s s after SIG%s\n' "$(watch_seconds "$WATCH_ONLINE")" "$(watch_seconds "$WATCH_AUDIO")" "$2"
	[ "$WATCH_AUDIO" -le $((100 * $4)) ]
}

connect_to() {
	local c

	for c in 1 2 3 4 5 6 7 8; do
		JACK_DEFAULT_SERVER=$NT_SERVER JACK_NO_START_SERVER=1 jack_connect "feed:out_$c" "$1:stage/playback_$c" > /dev/null 2>&1
	done
}

first_comes_back() {
	on one nt_daemon && connect_to one && yields one && [ "$(sent one)" = 0 ]
}

one_of_two() {
	[ "$(printf '%s\n' "$(on one nt_status '.devices[0].state')" "$(on two nt_status '.devices[0].state')" | sort | paste -sd ' ')" = "online taken-over" ]
}

# Both at once: soon exactly one plays, and it stays the one.
both_at_once() {
	local changes

	start_box && on one nt_launch && on two nt_launch || return 1
	on one procs_until 10 "the first to answer" nt_answers && on two procs_until 10 "the second to answer" nt_answers &&
		procs_until 15 "one to play and one to yield" one_of_two && procs_until 10 "all ports" has_ports 16 || return 1
	mapfile -t t < <(targets one two)
	watch_feed "${t[@]}"
	watch_steady emu 100 || return 1
	changes=$(box host_changes)
	watch_more 200 && one_of_two && [ "$(box host_changes)" = "$changes" ]
}

# two_daemons WHERE SECONDS: until a killed one is missed
two_daemons() {
	if nt_check "$1: one plays" first_plays; then
		nt_check "$1: a second one yields, sends nothing, and the first loses nothing" second_yields
		nt_check "$1: the second plays after the first has ended" succeeds one TERM two "$soon_s"
		nt_check "$1: the first, back again, yields" first_comes_back
		nt_check "$1: it plays after the second was killed" succeeds two KILL one "$2"
	fi
	nt_stop_all
	nt_check "$1: of two that start at once one plays" both_at_once
	nt_stop_all
}

# --- a foreign host, which the first host's interface gets to see

lines_about() {
	grep -c "$1: .*nothing is sent to it" "$PROCS_DIR/one.err"
}

# spray SERIAL MODE DST RATE: for 7 s, seen by the daemon alone
spray() {
	procs_start "spray$1$2" ip netns exec "$NT_NS" "$NT_SPRAY" --interface p1 --dst "$3" --box "00:e8:da:c0:00:0$1" \
		--mode "$2" --count $((7 * $4)) --rate "$4"
}

in_states() {
	[ "$(on one nt_status '[.devices[].state] | join(" ")')" = "$1" ]
}

# What came to the boxes that are taken over; one of them is off and counts otherwise.
frames_at() {
	jq -r "[.boxes[:3][] | .frames_received + .frames_ignored] | add" "$PROCS_DIR/emu.json"
}

# Of box 0 a host's stream is seen, of box 1 replies with other settings; box 2 answers only another host. Box 3 has all of
# that, but is ours by configuration.
foreign_hosts() {
	local i lines=("client-name = one") mac frames other=02:00:00:00:00:99

	for i in 0 1 2 3; do
		lines+=("[device box$i]" "model = dac8" "serial = $i")
	done
	on one nt_config "${lines[@]}" "takeover = yes"
	nt_jackd 48000 256 && watch_emu emu box0 --dac 0-3 && on one nt_daemon &&
		on one procs_until 20 "four boxes to be online" nt_all_online || return 1
	mac=$(ip -n "$NT_NS-1" -json link show net0 | jq -r '.[0].address')
	procs_tell emu "off 2"
	spray 0 host "$mac" 200
	spray 1 foreign "$mac" 20
	spray 2 foreign "$other" 2
	spray 3 host "$mac" 200
	spray 3 foreign "$other" 2
	procs_until 4 "three boxes to be taken over" in_states "taken-over taken-over taken-over online" || return 1
	# What was on its way has arrived.
	watch_more 30 3
	frames=$(frames_at)
	watch_more 150 3
	[ "$(frames_at)" = "$frames" ] && in_states "taken-over taken-over taken-over online"
}

said_once() {
	for i in 0 1 2; do
		[ "$(lines_about "box$i")" -eq 1 ] || return 1
	done
}

# The foreign host has gone: the boxes are ours again.
they_come_back() {
	procs_tell emu "on 2"
	on one procs_until 15 "the boxes to be online again" nt_all_online
}

nt_begin
make_network && configure || { nt_not_ok "start"; nt_end; }
ns_two=$NT_NS-1
two_daemons "one interface" "$soon_s"
ns_two=$NT_NS-2
two_daemons "two hosts at a switch" "$late_s"
nt_check "a foreign host is left the box, but for takeover = yes" foreign_hosts
nt_check "this is said once" said_once
nt_check "when it is gone the boxes are ours again" they_come_back
nt_end
