#!/bin/bash
# backend = auto: the daemon takes the JACK server where one runs, else PipeWire, changes over when the one or the other
# comes or goes, says so, and plays exactly after each change.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"
# shellcheck source=tests/lib/pipewire.sh
. "$(dirname "$0")/../lib/pipewire.sh"

each_s=${SECONDS_EACH:-4}

# $1: the daemon's configuration, more lines
start() {
	NT_BACKEND=auto
	nt_config "[device stage]" "model = dac8" "serial = 0" "$@"
	watch_emu emu "$NT_BOX_IF" --dac 0 --record "$NT_RECORDING" && nt_daemon
}

backend_is() {
	[ "$(nt_status .backend)" = "$1" ]
}

joins() {
	procs_until 10 "the daemon to join $1" backend_is "$1" && nt_wait_state stage online && return 0
	printf '# it is with %s\n' "$(nt_status .backend)"
	return 1
}

# said TEXT [TIMES]: in the log
said() {
	local n

	n=$(grep -ciE -- "$1" "$PROCS_DIR/ethlinkd.err")
	[ "$n" -eq "${2:-1}" ] && return 0
	printf '# "%s" is %s times in the log:\n' "$1" "$n"
	sed 's/^/#   /' "$PROCS_DIR/ethlinkd.err"
	return 1
}

# Music into whatever the daemon has joined.
feed() {
	local to=ethlink.stage

	if backend_is jack; then
		NT_FEED=$jack_feed NT_FEED_SERVER=$NT_SERVER to=ethlink:stage/playback_
	else
		NT_FEED=$pw_feed NT_FEED_SERVER=pipewire-0
	fi
	NT_LOST_BEFORE=$(jq '.boxes[0].frames_lost' "$PROCS_DIR/emu.json")
	nt_feed_start --music --seconds "$each_s" --save "$NT_SOURCE" --target "$to" && nt_feed_end $((2 * each_s + 20))
}

no_node() {
	! nt_pw_id ethlink.stage
}

no_client() {
	! jack_lsp -s "$NT_SERVER" 2> /dev/null | grep -q '^ethlink:'
}

only_pipewire() {
	nt_pipewire 256 48000 && start && joins pipewire && feed
}

only_jack() {
	start && nt_wait_state stage stopped && nt_jackd 48000 128 && joins jack && feed
}

neither_then_pipewire() {
	start && nt_wait_state stage stopped && said "neither a JACK server .* nor PipeWire" && nt_pipewire 256 48000 && joins pipewire && feed
}

jack_comes() {
	nt_pipewire 256 48000 && start && joins pipewire && nt_jackd 48000 128 && joins jack &&
		procs_until 5 "the node to go" no_node && said "changing over" && said "joined JACK" && feed
}

jack_goes() {
	nt_pipewire 256 48000 && nt_jackd 48000 128 && start && joins jack || return 1
	nt_jackd_end "$1"
	joins pipewire && procs_until 5 "the node" nt_pw_id ethlink.stage && said "JACK server .* has gone" && said "joined PipeWire" && feed
}

jack_ends() {
	jack_goes TERM
}

jack_is_killed() {
	jack_goes KILL
}

back_and_forth() {
	local n

	nt_pipewire 256 48000 && start && joins pipewire || return 1
	for n in 1 2 3; do
		nt_jackd 48000 128 && joins jack || return 1
		nt_jackd_end TERM
		joins pipewire || return 1
	done
	said "joined PipeWire" 4 && said "joined JACK" 3 && feed
}

# What JACK plays is not touched.
pipewire_restarts() {
	local joined

	nt_pipewire 256 48000 && nt_jackd 48000 128 && start && joins jack || return 1
	joined=$(grep -c joined "$PROCS_DIR/ethlinkd.err")
	NT_FEED=$jack_feed NT_FEED_SERVER=$NT_SERVER
	nt_feed_start --music --seconds $((each_s + 4)) --save "$NT_SOURCE" --target ethlink:stage/playback_ || return 1
	nt_pw_kill KILL
	nt_pw_server && nt_pw_manager && nt_feed_end $((2 * each_s + 30)) && backend_is jack &&
		[ "$(grep -c joined "$PROCS_DIR/ethlinkd.err")" -eq "$joined" ]
}

# Rates and periods differ between the two.
other_rate() {
	nt_pipewire 1024 44100 && start && joins pipewire && nt_jackd 96000 64 && joins jack &&
		procs_until 5 "JACK's rate" rate_is 96000 && nt_wait_state stage online && feed
}

rate_is() {
	[ "$(nt_status .sample_rate)" = "$1" ]
}

# connect = has names of both; links made by hand come back with their server.
links_of_each() {
	nt_pipewire 256 48000 && start "connect = system:capture_1, card:monitor_FL" && joins pipewire && nt_pw_sink card &&
		procs_until 5 "the configured link" pw_linked card:monitor_FL ethlink.stage:playback_2 &&
		pw-link card:monitor_FR ethlink.stage:playback_5 || return 1
	nt_jackd 48000 128 && joins jack && procs_until 5 "the configured connection" jack_connected || return 1
	nt_jackd_end TERM
	joins pipewire && procs_until 5 "the configured link again" pw_linked card:monitor_FL ethlink.stage:playback_2 &&
		procs_until 5 "the link made by hand again" pw_linked card:monitor_FR ethlink.stage:playback_5
}

pw_linked() {
	nt_pw_links | grep -q "^$1 $2$"
}

jack_connected() {
	jack_lsp -s "$NT_SERVER" -c ethlink:stage/playback_1 | grep -q system:capture_1
}

gains_stay() {
	nt_pipewire 256 48000 && start && joins pipewire && nt_ctl gain stage all -9 && nt_jackd 48000 128 && joins jack || return 1
	[ "$(nt_status -c '.devices[0].gain_db | unique')" = "[-9]" ] && nt_jackd_end TERM
	joins pipewire && [ "$(nt_status -c '.devices[0].gain_db | unique')" = "[-9]" ] &&
		procs_until 5 "the node to show the gain" shows_gain
}

shows_gain() {
	nt_pw_value ethlink.stage '.info.params.Props[0].channelVolumes | map(20 * log10 | round) | unique == [-9]' | grep -q true
}

ends_at_once() {
	local begin

	nt_pipewire 256 48000 && nt_jackd 48000 128 && start && joins jack || return 1
	procs_signal jackd STOP
	procs_signal pipewire STOP
	procs_clock
	begin=$PROCS_NOW
	procs_stop ethlinkd
	printf '# ended after %s s\n' "$(procs_since "$begin")"
	[ "$PROCS_STATUS" -eq 0 ] && [ $((PROCS_NOW - begin)) -le 500 ]
}

checked() {
	rm -rf "$NT_STATE"
	nt_check "$@"
	nt_stop_all
}

nt_begin
jack_feed=$NT_FEED
nt_pw_begin
pw_feed=$NT_FEED
nt_exact "only PipeWire runs" only_pipewire
nt_exact "only JACK comes" only_jack
nt_exact "neither runs, then PipeWire comes" neither_then_pipewire
nt_exact "JACK comes: changes over" jack_comes
nt_exact "JACK ends: back to PipeWire" jack_ends
nt_exact "JACK is killed: back to PipeWire" jack_is_killed
nt_exact "back and forth three times" back_and_forth
nt_exact "with JACK, PipeWire may come and go" pipewire_restarts
nt_exact "JACK has another rate and period" other_rate
checked "links of each server come back with it" links_of_each
checked "gains stay, and the node shows them" gains_stay
checked "on SIGTERM it ends, though both servers stand still" ends_at_once
nt_end
