#!/bin/bash
# How soon is audio back after whatever may happen to interface, box and audio server? A counter plays all the time
# into two boxes on two interfaces; each event hits the first one, or the server and so both. After the end of each
# cause the audio is exact again within two seconds, every JACK connection is as before, and a second box that the cause
# did not concern has played every frame meanwhile. The times are printed as a table at the end.
# Usage: test-recovery-times.sh [EVENT-FUNCTION]...
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"

limit=200
period=256
rate=48000
table=()

# The boxes hang on a bridge, so that they are still there when the cable to the first host interface is replaced.
make_network() {
	nt_ip link add boxes type bridge mcast_snooping 0 && nt_ip link set boxes up && nt_ip link set "$NT_BOX_IF" master boxes &&
		nt_ip link add host1 type veth peer name box1 && nt_ip link set host1 up && nt_ip link set box1 up
}

plug_in() {
	nt_ip link add host0 type veth peer name box0 && nt_ip link set box0 master boxes && nt_ip link set box0 up &&
		nt_ip link set host0 up
}

configure() {
	nt_config "[device stage]" "model = dac8" "serial = 0" "monitor = yes" \
		"[device hall]" "model = dac8" "serial = 0" "interface = host1"
}

connections() {
	jack_lsp -s "$NT_SERVER" -c 2> /dev/null | awk '/^[^ \t]/ { port = $0; next } port ~ /^ethlink:/ { print port, $1 }' | sort
}

# After a client has hung, jackd 1.9.21 may answer no tool for minutes, until there is an xrun; and what plays shows that
# it is connected.
asks() {
	[ "$1" != other_client_hangs ] && [ "$1" != feed_hangs ]
}

connected_as_before() {
	[ "$(connections)" = "$before" ]
}

jack_tool() {
	JACK_DEFAULT_SERVER=$NT_SERVER JACK_NO_START_SERVER=1 "$@" > /dev/null 2>> "$PROCS_DIR/jack-tool.err"
}

# Ports of ours that play, too: by hand, as in a patch bay.
connect_monitor() {
	jack_tool jack_connect ethlink:stage/monitor_1 system:playback_1
}

feed_both() {
	watch_feed --target ethlink:stage/playback_ --target ethlink:hall/playback_
	procs_until 10 "16 connections" all_connected && connect_monitor
}

all_connected() {
	[ "$(connections | grep -c feed:out_)" -eq 16 ]
}

start() {
	nt_jackd "$rate" "$period" && watch_emu emu boxes --dac 0 && watch_emu emu1 box1 --dac 0 && nt_daemon &&
		procs_until 15 "both boxes to be online" nt_all_online && feed_both && watch_steady emu 50 && watch_steady emu1 50
}

ended() {
	procs_clock
	WATCH_END=$PROCS_NOW
}

# --- the causes: each begins, waits until it has had its effect, and marks its end

interface_appears() {
	procs_stop feed
	procs_stop ethlinkd
	nt_ip link del host0
	nt_daemon && nt_wait_state stage no-interface && nt_wait_state hall online && feed_both && watch_steady emu1 50 || return 1
	watch_mark emu1
	before=$(connections)
	plug_in && ended
}

cable_out() {
	nt_ip link set box0 down && nt_wait_state stage link-down && nt_ip link set box0 up && ended
}

interface_down() {
	nt_ip link set host0 down && nt_wait_state stage link-down && nt_ip link set host0 up && ended
}

renamed() {
	nt_ip link set host0 down && nt_ip link set host0 name other0 && nt_ip link set other0 up &&
		nt_wait_state stage no-interface && nt_ip link set other0 down && nt_ip link set other0 name host0 &&
		nt_ip link set host0 up && ended
}

deleted() {
	nt_ip link del host0 && nt_wait_state stage no-interface && plug_in && ended
}

other_mac() {
	nt_ip link set host0 address "02:00:00:00:01:$(printf '%02x' $((RANDOM % 256)))" && ended
}

# So much happens to a third link that the daemon's socket overruns while it stands still; ours is replaced meanwhile.
overrun() {
	local i

	nt_ip link show spare0 > /dev/null 2>&1 || nt_ip link add spare0 type veth peer name spare1 || return 1
	for ((i = 0; i < 1000; i++)); do
		printf 'link set spare0 mtu %d\n' $((1400 + i % 2))
	done > "$PROCS_DIR/links"
	procs_signal ethlinkd STOP
	nt_ip -batch "$PROCS_DIR/links" && nt_ip link del host0 && plug_in && nt_ip -batch "$PROCS_DIR/links"
	has_overrun
	i=$?
	procs_signal ethlinkd CONT
	ended
	[ "$i" -eq 0 ] || echo "# the socket did not overrun"
	return "$i"
}

# The kernel counts what a netlink socket lost.
has_overrun() {
	ip netns exec "$NT_NS" cat /proc/net/netlink | awk -v pid="${PROCS_PID[ethlinkd]}" '$2 == 0 && $3 == pid { n += $9 } END { exit !n }'
}

power_cycled() {
	procs_tell emu "power-cycle 0" && ended
}

switched_off() {
	procs_tell emu "off 0" && nt_wait_state stage searching && procs_until 10 "some probes" probes_more 3 || return 1
	procs_tell emu "on 0" && ended
}

probes_more() {
	: "${probes_before:=$(nt_status '.devices[0].frames_sent')}"
	[ "$(nt_status '.devices[0].frames_sent')" -ge $((probes_before + $1)) ]
}

set_by_another() {
	procs_tell emu "preset 0 rate=44100 depth=16 gain=-20 host=02:00:00:00:00:99" && ended
}

jack_appears() {
	procs_stop feed
	procs_stop ethlinkd
	procs_stop jackd
	nt_daemon && nt_wait_state stage stopped || return 1
	nt_jackd "$rate" "$period" && ended && feed_both || return 1
	before=$(connections)
}

# restart SIGNAL: the feed is gone with its server and comes back under its name; who connects it is the daemon.
restart() {
	nt_jackd_end "$1"
	nt_wait_state stage stopped || return 1
	procs_stop feed
	nt_jackd "$rate" "$period" && ended && watch_feed && connect_nothing
}

connect_nothing() {
	:
}

jack_stopped() {
	restart TERM
}

jack_killed() {
	restart KILL
}

jack_other_period() {
	period=512
	restart TERM
}

jack_other_rate() {
	rate=96000
	restart TERM
}

jack_as_at_first() {
	period=256
	rate=48000
	restart KILL
}

new_period() {
	jack_tool jack_bufsize 1024 && ended
}

old_period() {
	jack_tool jack_bufsize 256 && ended
}

# hangs PROCESS SECONDS: stands still for so long.
hangs() {
	procs_signal "$1" STOP
	sleep "$2"
	procs_signal "$1" CONT
	ended
}

other_client_hangs() {
	procs_start other "$NT_FEED" --server "$NT_SERVER" --client other --pattern --endless
	procs_until 10 "the other client" has_client other && hangs other 2
}

has_client() {
	jack_lsp -s "$NT_SERVER" | grep -q "^$1:"
}

feed_hangs() {
	hangs feed 2
}

jack_hangs() {
	hangs jackd 2
}

# Longer than the daemon waits for a cycle. Whatever the server does, the daemon answers.
jack_hangs_long() {
	procs_signal jackd STOP
	procs_until 12 "the daemon to leave the server that stands still" nt_in_state stage stopped || return 1
	procs_signal jackd CONT
	ended
}

# Nobody waits for a server that may never answer again.
ends_while_jack_hangs() {
	local begin

	procs_signal jackd STOP
	procs_clock
	begin=$PROCS_NOW
	procs_stop ethlinkd
	printf '# ended after %s s\n' "$(procs_since "$begin")"
	[ "$PROCS_STATUS" -eq 0 ] && [ $((PROCS_NOW - begin)) -le 500 ]
}

# --- an event

# The latency is what is configured again. A late callback now and then takes some of it, but not always.
cushion_is_there() {
	cushion=$(($(nt_status '.devices[0].latency_frames') / 8))
	watch_level emu
	[ "$WATCH_LEVEL" -ge $((cushion * 2 / 3)) ] && [ "$WATCH_LEVEL" -le $((cushion + 8)) ]
}

# attempt CAUSE SECOND-BOX: 0 right, 1 the machine was at fault, 2 wrong
attempt() {
	said=
	unset probes_before
	watch_steady emu 50 && watch_steady emu1 50 || { said="not healthy before"; return 2; }
	asks "$1" && before=$(connections)
	watch_faults
	watch_mark emu1
	"$1" || { said="the cause did not work"; return 2; }
	[ "$2" = kept ] || watch_faults
	watch_back emu stage 15 || { said="no exact audio within 15 s (online after ${WATCH_ONLINE:-?}), "; return 2; }
	! asks "$1" || connected_as_before || { said="connections differ, "; return 2; }
	[ "$WATCH_AUDIO" -le "$limit" ] || said="audio after $(watch_seconds "$WATCH_AUDIO") s, "
	if [ "$2" = kept ]; then
		watch_kept emu1 || said="${said}the second box lost something, "
	else
		watch_steady emu1 20 || said="${said}the second box is not back, "
	fi
	procs_until 5 "" cushion_is_there || said="${said}the box has no more than $WATCH_LEVEL blocks in hand instead of $cushion, "
	[ -n "$said" ] || return 0
	watch_faults
	[ "$WATCH_FAULTS" -eq 0 ] || return 1
	return 2
}

# event TEXT CAUSE SECOND-BOX; kept: it plays on; back: it was concerned as well
event() {
	local try result

	if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $2 "* ]]; then
		return 0
	fi
	for try in 1 2 3; do
		attempt "$2" "$3"
		result=$?
		[ "$result" -eq 1 ] || break
		printf '# %s: %s%d xruns and stalls of this machine; not judged (%d)\n' "$1" "$said" "$WATCH_FAULTS" "$try"
	done
	# In time, but the machine left no second box in peace three times.
	if [ "$result" -eq 1 ] && [ "$said" = "the second box lost something, " ]; then
		result=0
		nt_ok "$1: audio after $(watch_seconds "$WATCH_AUDIO") s, passed around $WATCH_FAULTS xruns and stalls of this machine"
	elif [ "$result" -eq 0 ]; then
		nt_ok "$1: audio after $(watch_seconds "$WATCH_AUDIO") s"
	fi
	if [ "$result" -eq 0 ]; then
		table+=("$(printf '%-52s %8s %8s' "$1" "$(watch_seconds "$WATCH_ONLINE")" "$(watch_seconds "$WATCH_AUDIO")")")
		return 0
	fi
	nt_not_ok "$1: $said${WATCH_FAULTS} xruns and stalls"
	diff <(printf '%s\n' "$before") <(connections) | sed 's/^/# /'
	table+=("$(printf '%-52s   FAILED' "$1")")
	# What comes after it gets a fresh start.
	nt_stop_all
	nt_ip link show host0 > /dev/null 2>&1 || plug_in
	nt_ip link set box0 up
	nt_ip link set host0 up
	period=256
	rate=48000
	start || nt_not_ok "a fresh start"
}

print_table() {
	printf '# %-52s %8s %8s\n' "seconds from the end of the cause until" online audio
	printf '# %s\n' "${table[@]}"
}

wanted=("$@")
nt_begin
make_network && configure && start || { nt_not_ok "start"; nt_end; }
event "cable out and in" cable_out kept
event "interface down and up" interface_down kept
event "interface renamed and back" renamed kept
event "interface deleted and made anew" deleted kept
event "interface gets another MAC" other_mac kept
event "interface replaced while netlink overruns" overrun back
event "interface appears after the start" interface_appears kept
event "box power-cycled" power_cycled kept
event "box switched off and on" switched_off kept
event "box set by another host" set_by_another kept
event "JACK server appears after the start" jack_appears back
event "JACK server stopped and started" jack_stopped back
event "JACK server killed and started" jack_killed back
event "JACK server restarted at another period" jack_other_period back
event "JACK server restarted at another rate" jack_other_rate back
event "JACK server killed, rate and period as at first" jack_as_at_first back
event "jack_bufsize 256 to 1024 while it plays" new_period back
event "jack_bufsize 1024 to 256 while it plays" old_period back
event "another JACK client hangs for 2 s" other_client_hangs back
event "the playing JACK client hangs for 2 s" feed_hangs back
event "JACK server stands still for 2 s" jack_hangs back
event "JACK server stands still until it is left" jack_hangs_long back
print_table
nt_check "on SIGTERM it ends, though the JACK server stands still" ends_while_jack_hangs
nt_end
