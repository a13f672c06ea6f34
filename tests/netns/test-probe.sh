#!/bin/bash
# What goes over the cable when: a probe a second to a box that does not answer, and nothing else; a stream to one that
# does; and nothing at all after the end. Then two interfaces at once. Beside all that another daemon looks for two boxes
# that are not there, for a minute and longer: then it asks every 5 s, but at once when there is a reason.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

sent() {
	nt_status '.devices[0].frames_sent'
}

sent_at_least() {
	[ "$(sent)" -ge "$1" ]
}

# Frames that left the interface, whoever counted them.
on_the_wire() {
	nt_ip -json -stats link show "$NT_HOST_IF" | jq -r '.[0].stats64.tx.packets'
}

# Nobody else uses this cable: the kernel's count is ours. The emulator's own MAC announcements go the other way.
not_into_the_void() {
	local begin took wire0

	nt_config_stage
	wire0=$(on_the_wire)
	nt_jackd 48000 64 && nt_emu emu --dac 0 --off && nt_daemon || return 1
	procs_until 10 "the first probes" sent_at_least 2 || return 1
	procs_clock
	begin=$PROCS_NOW
	procs_until 20 "five more probes" sent_at_least 7 || return 1
	procs_clock
	took=$((PROCS_NOW - begin))
	printf '# five probes in %d.%02d s\n' $((took / 100)) $((took % 100))
	[ "$took" -ge 400 ] && [ "$took" -le 700 ] && nt_in_state stage searching || return 1
	procs_stop ethlinkd
	[ "$(($(on_the_wire) - wire0))" -le 10 ]
}

starts_from_probe() {
	nt_config_stage
	nt_jackd 48000 64 && nt_emu emu --dac 0 && nt_daemon && nt_wait_state stage online || return 1
	procs_until 5 "a stream" sent_at_least 3000 || return 1
	procs_stop ethlinkd
	nt_emu_end emu || return 1
	# One programming of rate, depth and gains; not a frame lost in it, none afterwards.
	[ "$(nt_emu_value rate_changes) $(nt_emu_value depth_changes) $(nt_emu_value frames_lost)" = "1 1 0" ]
}

# After SIGTERM the box hears nothing more, and what it heard last was silence.
silent_after_the_end() {
	local wire0

	nt_config_stage
	nt_jackd 48000 64 && nt_emu emu --dac 0 --status-file "$PROCS_DIR/box.json" --interval 0.2 && nt_daemon &&
		nt_wait_state stage online || return 1
	nt_feed_start --music --seconds 60 --lead-in 0 --target ethlink:stage/playback_
	procs_until 10 "a second of music" sent_at_least 9000 || return 1
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ] || return 1
	wire0=$(on_the_wire)
	procs_until 5 "a red LED" box_is_red || return 1
	[ "$(on_the_wire)" -eq "$wire0" ]
}

box_is_red() {
	[ "$(jq -r '.boxes[0].led' "$PROCS_DIR/box.json")" = red ]
}

two_interfaces() {
	local box

	nt_ip link add host1 type veth peer name box1 && nt_ip link set host1 up && nt_ip link set box1 up || return 1
	nt_config "[device stage]" "model = dac8" "serial = 0" "[device hall]" "model = dac8" "serial = 0" "interface = host1"
	nt_jackd 48000 256 && nt_emu emu --dac 0 --check-counter && NT_BOX_IF=box1 nt_emu emu1 --dac 0 --check-counter &&
		nt_daemon && procs_until 20 "both boxes to be online" nt_all_online || return 1
	nt_feed_start --pattern --seconds 4 --target ethlink:stage/playback_ --target ethlink:hall/playback_
	nt_feed_end 30 || return 1
	procs_stop ethlinkd
	for box in emu emu1; do
		nt_emu_end "$box" || return 1
		printf '# %s: %s blocks, %s breaks, %s lost; %s server xruns\n' "$box" "$(nt_emu_value pattern_blocks)" \
			"$(nt_emu_value pattern_breaks)" "$(nt_emu_value frames_lost)" "$(nt_feed_value xruns)"
		[ "$(nt_emu_value frames_lost)" = 0 ] && [ "$(nt_emu_value pattern_blocks)" -ge 20000 ] || return 1
		[ "$(nt_emu_value pattern_breaks)" = 0 ] || [ "$(nt_feed_value xruns)" -gt 0 ] || return 1
	done
}

# --- the other daemon, with a server and interfaces of its own

long() {
	NT_PROC=long NT_CONF=$PROCS_DIR/long.conf NT_RUN=$PROCS_DIR/long NT_STATE=$PROCS_DIR/long-state NT_SERVER=ethlinkd-long-$$ "$@"
}

long_starts() {
	local n

	for n in 2 3; do
		nt_ip link add "host$n" type veth peer name "box$n" && nt_ip link set "host$n" up && nt_ip link set "box$n" up || return 1
	done
	long nt_config "client-name = long" "[device two]" "model = dac8" "serial = 2" "interface = host2" \
		"[device three]" "model = dac8" "serial = 3" "interface = host3"
	JACK_NO_AUDIO_RESERVATION=1 procs_start long-jackd jackd -n "ethlinkd-long-$$" -R -P 60 -d dummy -r 48000 -p 1024
	long procs_until 10 "its JACK server" nt_jack_answers && long nt_daemon && long nt_wait_state two searching || return 1
	# Every quarter of a second: when, and how many probes so far.
	# shellcheck disable=SC2016
	procs_start samples bash -c 'while sleep 0.25; do
		n=$("$1" --socket="$2" status --json | jq ".devices[0].frames_sent")
		read -r up rest < /proc/uptime
		printf "%s %s\n" "$up" "$n"
	done' - "$NT_CTL" "$PROCS_DIR/long/control"
}

# sent_between FROM TO: probes in that time, in seconds since the first
sent_between() {
	awk -v from="$1" -v to="$2" '
		$2 > 0 && !begin { begin = $1 }
		begin && $1 - begin <= from { a = $2 }
		begin && $1 - begin <= to { b = $2 }
		END { print b - a }' "$PROCS_DIR/samples.out"
}

sampled_for() {
	awk -v seconds="$1" '$2 > 0 && !begin { begin = $1 } END { exit !(begin && $1 - begin >= seconds) }' "$PROCS_DIR/samples.out"
}

slower_after_a_minute() {
	local first later

	procs_until 90 "a minute and a quarter" sampled_for 80 || return 1
	first=$(sent_between 0 55)
	later=$(sent_between 64 79)
	printf '# %d probes in the first 55 s, %d in 15 s after a minute\n' "$first" "$later"
	[ "$first" -ge 52 ] && [ "$first" -le 57 ] && [ "$later" -ge 2 ] && [ "$later" -le 4 ]
}

long_sent() {
	long nt_status ".devices[] | select(.name == \"$1\").frames_sent"
}

long_sent_more() {
	[ "$(long_sent "$1")" -gt "$2" ]
}

# Not after up to 5 s.
probed_at_carrier() {
	local begin before

	nt_ip link set box3 down && long nt_wait_state three link-down || return 1
	before=$(long_sent three)
	procs_clock
	begin=$PROCS_NOW
	nt_ip link set box3 up && long procs_until 5 "a probe" long_sent_more three "$before" || return 1
	printf '# probed %s s after the carrier\n' "$(procs_since "$begin")"
	[ $((PROCS_NOW - begin)) -le 100 ]
}

# A box that comes up asks for an address; it is heard, asked, answers within a second, and plays.
found_by_dhcp() {
	local begin

	procs_clock
	begin=$PROCS_NOW
	NT_BOX_IF=box2 nt_emu long-emu --dac 2 && long nt_wait_state two online 5 || return 1
	printf '# online %s s after it came up\n' "$(procs_since "$begin")"
	[ $((PROCS_NOW - begin)) -le 250 ]
}

# What a case has started.
stop_case() {
	local name

	for name in feed ethlinkd emu1 emu jackd; do
		procs_stop "$name"
	done
	rm -f "$PROCS_DIR"/{feed,ethlinkd,emu1,emu,jackd}.{out,err,in}
}

run_case() {
	nt_check "$@"
	stop_case
}

nt_begin
nt_check "another daemon looks for two boxes that are not there" long_starts
run_case "a box that does not answer gets a probe a second, no stream" not_into_the_void
run_case "a box that answers gets one programming, then a stream without loss" starts_from_probe
run_case "after the end nothing is sent any more" silent_after_the_end
run_case "two interfaces with a box each play at once" two_interfaces
nt_check "a box that is not there is asked once a second for a minute, then every 5 s" slower_after_a_minute
nt_check "it is asked at once when there is a carrier" probed_at_carrier
nt_check "and when the box comes up" found_by_dhcp
nt_end
