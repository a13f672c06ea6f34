#!/bin/bash
# What is wrong is said, with the remedy, and the exit statuses are the documented ones. What may come later (interface,
# audio server, another sample rate) is waited for.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

# Runs the daemon to its own end; everything it says goes to said.err.
daemon_says() {
	timeout 10 ip netns exec "$NT_NS" "$NT_DAEMON" "$@" > "$PROCS_DIR/said.err" 2>&1
}

said() {
	grep -qE -- "$1" "$PROCS_DIR/${2:-said}.err"
}

bad_command_line() {
	daemon_says --no-such-option
	[ $? -eq 2 ] || return 1
	daemon_says --backend=oss
	[ $? -eq 2 ] && said 'jack' && said 'pipewire'
}

# Every wrong line is named, not only the first.
bad_configuration() {
	local line

	nt_config "[device stage]" "model = dac9" "serial = 70000" "gian = 3" "[devise x]"
	daemon_says -c "$NT_CONF"
	[ $? -eq 78 ] || return 1
	for line in 6 7 8 9; do
		said "ethlinkd.conf:$line: " || return 1
	done
}

checked_only() {
	nt_config_stage
	daemon_says --check-config -c "$NT_CONF" || return 1
	nt_config "[device stage]" "model = dac8" "serial = -1"
	daemon_says --check-config -c "$NT_CONF"
	[ $? -eq 78 ] && said "ethlinkd.conf:7: serial"
}

no_configuration() {
	daemon_says -c "$PROCS_DIR/none.conf"
	[ $? -eq 78 ] && said "none.conf"
}

same_box_twice() {
	nt_config "[device one]" "model = dac8" "serial = 4" "[device two]" "model = dac8" "serial = 4"
	daemon_says -c "$NT_CONF"
	[ $? -eq 78 ] && said "ethlinkd.conf:8: \[device two\]: .*\[device one\].*ethlinkd.conf:5"
}

missing_interface() {
	nt_config_stage
	sed -i 's/^interface = .*/interface = nope7/' "$NT_CONF"
	nt_jackd 48000 64 && nt_daemon && nt_wait_state stage no-interface && said nope7 ethlinkd &&
		ports_are_there || return 1
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ]
}

ports_are_there() {
	[ "$(jack_lsp -s "$NT_SERVER" | grep -c '^ethlink:stage/playback_[1-8]$')" -eq 8 ]
}

no_capability() {
	nt_config_stage
	nt_jackd 48000 64 || return 1
	nt_launch setpriv --inh-caps=-net_raw --bounding-set=-net_raw
	procs_until 10 "a message about CAP_NET_RAW" said CAP_NET_RAW ethlinkd && said 'setcap|systemctl' ethlinkd
}

no_server() {
	nt_config_stage
	nt_emu emu --dac 0 && nt_daemon && nt_wait_state stage stopped || return 1
	[ "$(nt_status .connected)" = false ] || return 1
	nt_jackd 48000 64 && nt_wait_state stage online 20
}

no_server_ever() {
	nt_config_stage
	nt_daemon && nt_wait_state stage stopped || return 1
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ]
}

# A rate that no box has: nothing is sent, and the ports are there nevertheless.
unsupported_rate() {
	nt_config_stage
	nt_jackd "$1" 64 && nt_emu emu --dac 0 && nt_daemon && nt_wait_state stage unsupported && ports_are_there &&
		said "$1" ethlinkd || return 1
	nt_emu_end emu && [ "$(nt_emu_value frames_received)" = 0 ] && [ "$(nt_status '.devices[0].frames_sent')" = 0 ]
}

run_case() {
	nt_check "$@"
	nt_stop_all
}

nt_begin
run_case "a bad command line ends with 2 and says what is allowed" bad_command_line
run_case "a bad configuration ends with 78 and every bad line is named" bad_configuration
run_case "--check-config judges and does not start" checked_only
run_case "a missing configuration file is named" no_configuration
run_case "two sections for one box are an error that names both" same_box_twice
run_case "a missing interface is named and waited for" missing_interface
run_case "without CAP_NET_RAW the message names it and the remedy" no_capability
run_case "without an audio server the daemon waits, and joins it when it comes" no_server
run_case "waiting for an audio server it ends on SIGTERM with 0" no_server_ever
run_case "at 32000 Hz nothing is sent and the ports stay" unsupported_rate 32000
run_case "at 22050 Hz nothing is sent and the ports stay" unsupported_rate 22050
nt_end
