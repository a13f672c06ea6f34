#!/bin/bash
# What is set at run time stays: over restarts of the daemon, kills, power-cycles of the box and reloads. The
# configuration is never written, and what was said last wins.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"

stage=()
settings=
cycles=0

write_conf() {
	nt_config "[device stage]" "model = dac8" "serial = 0" "${stage[@]}"
}

starts() {
	settings=$NT_STATE/settings
	write_conf
	nt_jackd 48000 128 && watch_emu emu "$NT_BOX_IF" --dac 0 && nt_daemon && nt_wait_state stage online
}

# What the box holds, as the emulator sees it: null is muted.
box_gains() {
	jq -c '.boxes[0].gain_db' "$PROCS_DIR/emu.json"
}

box_has() {
	[ "$(box_gains)" = "$1" ]
}

arrives() {
	procs_until 3 "the box to have the gains $1" box_has "$1" || { printf '#   it has %s\n' "$(box_gains)"; return 1; }
}

# GAINS MUTES ORIGINS-OF-GAINS, as status has them.
status_says() {
	[ "$(nt_status -c '.devices[0].gain_db')" = "$1" ] &&
		[ "$(nt_status -c '.devices[0].mute | map(if . then 1 else 0 end)')" = "$2" ] &&
		[ "$(nt_status -r '.devices[0].gain_origin | map(.[0:1]) | join("")')" = "$3" ] && return 0
	nt_status -c '.devices[0] | [.gain_db, .mute, .gain_origin]' | sed 's/^/# /'
	return 1
}

is_kept() {
	[ -f "$settings" ] && grep -q "$1" "$settings"
}

written() {
	procs_until 5 "the settings to be written" is_kept "stage"
}

now_set="[-6,0,3,0,0,0,0,0]"
now_muted="[-6,null,3,0,0,0,0,0]"

set_some() {
	nt_ctl gain stage 1 -6 && nt_ctl gain stage 3 +3 && nt_ctl mute stage 2 on || return 1
	arrives "$now_muted" && status_says "$now_set" "[0,1,0,0,0,0,0,0]" "rcrccccc" && written
}

restart() {
	local conf

	conf=$(cat "$NT_CONF")
	procs_stop ethlinkd "$1" 2> /dev/null
	procs_tell emu "power-cycle all"
	nt_daemon && nt_wait_state stage online && arrives "$now_muted" &&
		status_says "$now_set" "[0,1,0,0,0,0,0,0]" "rcrccccc" && [ "$(cat "$NT_CONF")" = "$conf" ]
}

# At the end what is not written yet is: no second to wait.
last_word_before_the_end() {
	nt_ctl gain stage 8 -20 && procs_stop ethlinkd && nt_daemon && nt_wait_state stage online || return 1
	arrives "[-6,null,3,0,0,0,0,-20]" && nt_ctl gain stage 8 0 && arrives "$now_muted"
}

power_cycle() {
	cycles=$(power_cycles)
	procs_tell emu "power-cycle all" && procs_until 5 "the box to go off and on" was_cycled && arrives "$now_muted"
}

power_cycles() {
	jq '.boxes[0].power_cycles' "$PROCS_DIR/emu.json"
}

was_cycled() {
	[ "$(power_cycles)" -gt "$cycles" ]
}

# The file changes one of the values: that one is taken from it, the others stay.
conf_changes() {
	stage=("gain = -12, 0, 0, 0, 0, 0, 0, 0")
	write_conf && nt_ctl reload && arrives "[-12,null,3,0,0,0,0,0]" &&
		status_says "[-12,0,3,0,0,0,0,0]" "[0,1,0,0,0,0,0,0]" "ccrccccc"
}

# The same, but while the daemon did not run.
conf_changed_meanwhile() {
	procs_stop ethlinkd
	stage=("gain = -12, 0, 1, 0, 0, 0, 0, 0")
	write_conf && nt_daemon && nt_wait_state stage online && arrives "[-12,null,1,0,0,0,0,0]" &&
		status_says "[-12,0,1,0,0,0,0,0]" "[0,1,0,0,0,0,0,0]" "cccccccc"
}

resets() {
	nt_ctl gain stage all -30 && arrives "[-30,null,-30,-30,-30,-30,-30,-30]" && nt_ctl reset stage &&
		arrives "[-12,0,1,0,0,0,0,0]" && status_says "[-12,0,1,0,0,0,0,0]" "[0,0,0,0,0,0,0,0]" "cccccccc"
}

# A device that is taken out of the configuration and put in again has what it had.
comes_back() {
	nt_ctl gain stage 4 -9 && arrives "[-12,0,1,-9,0,0,0,0]" || return 1
	nt_config && nt_ctl reload && procs_until 5 "no device" no_device || return 1
	write_conf && nt_ctl reload && nt_wait_state stage online && arrives "[-12,0,1,-9,0,0,0,0]"
}

no_device() {
	[ "$(nt_status '.devices | length')" = 0 ]
}

# damage CMD...: what CMD makes of the file is set aside, and the configuration's values count.
damage() {
	nt_ctl gain stage 4 -9 && arrives "[-12,0,1,-9,0,0,0,0]" && procs_stop ethlinkd || return 1
	[ -s "$settings" ] || { echo "# there is no file to damage"; return 1; }
	rm -f "$settings.damaged"
	"$@" && : > "$PROCS_DIR/ethlinkd.err" && nt_daemon && nt_wait_state stage online || return 1
	arrives "[-12,0,1,0,0,0,0,0]" && [ -e "$settings.damaged" ] && [ ! -e "$settings" ] &&
		grep -q "settings.damaged" "$PROCS_DIR/ethlinkd.err" && return 0
	sed 's/^/# /' "$PROCS_DIR/ethlinkd.err"
	return 1
}

cut_off() {
	truncate -s -9 "$settings"
}

one_digit() {
	sed -i 's/-9/-8/' "$settings"
}

garbage() {
	head -c 4096 /dev/urandom > "$settings"
}

folder_instead() {
	rm "$settings" && mkdir "$settings"
}

# Nothing can be kept, all else works.
no_folder() {
	procs_stop ethlinkd
	rm -rf "$NT_STATE" && : > "$NT_STATE" && : > "$PROCS_DIR/ethlinkd.err" && nt_daemon && nt_wait_state stage online || return 1
	nt_ctl gain stage 5 -7 && arrives "[-12,0,1,0,-7,0,0,0]" && grep -q "$NT_STATE" "$PROCS_DIR/ethlinkd.err"
}

nt_begin
nt_check "a box is online" starts || nt_end
nt_check "gains and a mute are set, and kept in a file" set_some
nt_check "after a restart they are there again" restart TERM
nt_check "after kill -9, too" restart KILL
nt_check "what was said in the last moment is kept" last_word_before_the_end
nt_check "a box that was power-cycled gets them" power_cycle
nt_check "the configuration says something else: it is taken, where it differs" conf_changes
nt_check "also if it was changed while nothing ran" conf_changed_meanwhile
nt_check "reset goes back to the configuration" resets
nt_check "a device that was gone for a while has what it had" comes_back
nt_check "a file that is cut off is set aside" damage cut_off
nt_check "a file with another digit is set aside" damage one_digit
nt_check "a file of garbage is set aside" damage garbage
nt_check "a folder in its place is set aside" damage folder_instead
nt_check "without a state folder it says so and goes on" no_folder
nt_end
