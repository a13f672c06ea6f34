#!/bin/bash
# What goes over the cable when: a probe a second to a box that does not answer, and nothing else; a stream to one that
# does; and nothing at all after the end. Then two interfaces at once.
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

run_case() {
	nt_check "$@"
	nt_stop_all
}

nt_begin
run_case "a box that does not answer gets a probe a second, no stream" not_into_the_void
run_case "a box that answers gets one programming, then a stream without loss" starts_from_probe
run_case "after the end nothing is sent any more" silent_after_the_end
run_case "two interfaces with a box each play at once" two_interfaces
nt_end
