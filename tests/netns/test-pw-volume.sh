#!/bin/bash
# The node's volume and mute, as a desktop sets them, are the box's gain and mutes in dB, and the other way round; or,
# where the configuration says so, a factor that the daemon applies; or nothing at all.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/pipewire.sh
. "$(dirname "$0")/../lib/pipewire.sh"

node=ethlink.stage

# configure LINE...: of the device; starts all
configure() {
	nt_stop_all
	rm -rf "$NT_STATE"
	nt_config "[device stage]" "model = dac8" "serial = 0" "$@"
	nt_pipewire 256 48000 && nt_emu emu --dac 0 --status-file "$PROCS_DIR/emu.json" --interval 0.05 --commands "${record[@]}" &&
		nt_daemon && nt_wait_state stage online && procs_until 5 "the node" nt_pw_id "$node"
}
record=()

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

all() {
	printf '[%s,%s,%s,%s,%s,%s,%s,%s]' "$1" "$1" "$1" "$1" "$1" "$1" "$1" "$1"
}

# Of the node, in dB with one decimal; "mute" in front where it is muted.
node_volume() {
	nt_pw_value "$node" '.info.params.Props[0] | [if .mute then "mute" else empty end, (.channelVolumes[] |
		if . <= 0 then "-inf" else (20 * log10 * 10 | round / 10 | if . == 0 then 0 else . end) end)] | join(" ")'
}

node_has() {
	[ "$(node_volume)" = "$1" ]
}

shows() {
	procs_until 3 "the node to have the volume $1" node_has "$1" || { printf '#   it has %s\n' "$(node_volume)"; return 1; }
}

# The words are eight numbers.
# shellcheck disable=SC2086
every() {
	printf '%s ' $1 $1 $1 $1 $1 $1 $1 $1 | sed 's/ $//'
}

# A volume that is set while the session manager is at work on a node that is new is taken for one that it remembers.
try_volume() {
	wp set-volume "$1" && node_has "$(every "$2")"
}

counts() {
	[ "$(nt_status -c '.devices[0].volume_db | map(. * 10 | round / 10) | unique')" = "[$1]" ]
}

# takes VOLUME DB: of a node that is new; in software.
takes() {
	procs_until 3 "the node to take the volume $1" try_volume "$@" && procs_until 3 "$2 dB to count" counts "$2"
}

set_props() {
	pw-cli set-param "$(nt_pw_id "$node")" Props "$1" > /dev/null 2>> "$PROCS_DIR/pw-tool.err"
}

wp() {
	wpctl "$1" "$(nt_pw_id "$node")" "$2"
}

# Desktops count in cubes: a half is an eighth, -18.06 dB.
desktop_sets() {
	configure && shows "$(every 0)" && wp set-volume 0.5 && arrives "$(all -18)" && wp set-volume 1.0 && arrives "$(all 0)" &&
		wp set-volume 0.8 && arrives "$(all -6)" && [ "$(nt_status -c '.devices[0].gain_db')" = "$(all -6)" ]
}

louder() {
	wp set-volume 1.5 && arrives "$(all 11)" && wp set-volume 1.0 && arrives "$(all 0)"
}

each_channel() {
	set_props '{ channelVolumes: [ 1.0, 0.5, 0.25, 0.1, 0.01, 2.0, 0.002, 1.0 ] }' && arrives "[0,-6,-12,-20,-40,6,-54,0]"
}

mutes() {
	wp set-mute 1 && arrives "$(all null)" && [ "$(nt_status -c '.devices[0].mute | unique')" = "[true]" ] &&
		wp set-mute 0 && arrives "[0,-6,-12,-20,-40,6,-54,0]" && [ "$(nt_status -c '.devices[0].mute | unique')" = "[false]" ]
}

# What the box holds is shown, not what was wished; a slider that the user holds is not pulled away while the dB is the same.
ctl_sets() {
	nt_ctl gain stage all -10 && arrives "$(all -10)" && shows "$(every -10)" && nt_ctl gain stage 3 4 &&
		arrives "[-10,-10,4,-10,-10,-10,-10,-10]" && shows "-10 -10 4 -10 -10 -10 -10 -10"
}

ctl_mutes() {
	nt_ctl mute stage all on && arrives "$(all null)" && shows "mute -10 -10 4 -10 -10 -10 -10 -10" &&
		nt_ctl mute stage all off && shows "-10 -10 4 -10 -10 -10 -10 -10"
}

no_jumps() {
	set_props '{ channelVolumes: [ 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5 ] }' && arrives "$(all -6)" && shows "$(every -6)" &&
		set_props '{ channelVolumes: [ 0.52, 0.52, 0.52, 0.52, 0.52, 0.52, 0.52, 0.52 ] }' && shows "$(every -5.7)" &&
		arrives "$(all -6)" && ! procs_until 1 "" node_has "$(every -6)"
}

silence() {
	wp set-volume 0 && arrives "$(all -56)" && [ "$(nt_pw_value "$node" '.info.params.Props[0].channelVolumes | add')" = 0 ] &&
		wp set-volume 1 && arrives "$(all 0)"
}

# What the desktop has set is kept as what ethlinkctl sets is. The session manager remembers it as well, and more
# exactly than in whole dB.
kept() {
	wp set-volume 0.5 && arrives "$(all -18)" && procs_stop ethlinkd && nt_daemon && nt_wait_state stage online &&
		arrives "$(all -18)" && procs_until 5 "the node" nt_pw_id "$node" && procs_until 3 "-18 dB of the node" shows_18 || return 1
	nt_pw_restart KILL && nt_wait_state stage online && procs_until 5 "the node" nt_pw_id "$node" &&
		procs_until 3 "-18 dB of the node" shows_18 && arrives "$(all -18)"
}

shows_18() {
	node_has "$(every -18)" || node_has "$(every -18.1)"
}

resets() {
	nt_ctl reset stage && arrives "$(all 0)" && shows "$(every 0)"
}

# --- in software: the box keeps its gain, what it plays is smaller

feed() {
	nt_feed_start --music --seconds 4 --lead-in 0.2 --save "$NT_SOURCE" --target "$node" "$@"
}

in_software() {
	configure "volume = software" "gain = -3" && shows "$(every 0)" && takes 0.5 -18.1 || return 1
	[ "$(nt_status '.devices[0].volume')" = software ] &&
		arrives "$(all -3)" && nt_ctl gain stage all -4 && arrives "$(all -4)" && shows "$(every -18.1)"
}

# What is saved is what should come out.
an_eighth() {
	record=(--record "$NT_RECORDING")
	configure "volume = software" && takes 0.5 -18.1 && feed --save-times 0.125 && nt_feed_end 20
}

never_louder() {
	wp set-volume 1.5 && shows "$(every 0)" && [ "$(nt_status -c '.devices[0].volume_db | unique')" = "[0]" ]
}

kept_in_software() {
	configure "volume = software" && takes 0.5 -18.1 && procs_stop ethlinkd && nt_daemon &&
		nt_wait_state stage online && procs_until 5 "the node" nt_pw_id "$node" && shows "$(every -18.1)" &&
		wp set-mute 1 && shows "mute $(every -18.1)" && arrives "$(all 0)" && wp set-mute 0 && never_louder
}

exact_at_one() {
	record=(--record "$NT_RECORDING")
	configure "volume = software" && feed && nt_feed_end 20
}

ignored() {
	configure "volume = ignore" "gain = -3" && wp set-volume 0.5 && shows "$(every 0)" && arrives "$(all -3)" &&
		wp set-mute 1 && shows "$(every 0)" && arrives "$(all -3)" && nt_ctl gain stage all -7 && arrives "$(all -7)" && shows "$(every 0)"
}

untouched() {
	record=(--record "$NT_RECORDING")
	configure "volume = box" && wp set-volume 0.5 && arrives "$(all -18)" && feed && nt_feed_end 20
}

nt_begin
nt_pw_begin
nt_check "the desktop's volume is the box's gain" desktop_sets
nt_check "louder than 100 %, too" louder
nt_check "each channel has its own" each_channel
nt_check "mute mutes all channels of the box" mutes
nt_check "what ethlinkctl sets is the desktop's volume" ctl_sets
nt_check "and its mute" ctl_mutes
nt_check "a slider between two dB stays where it is" no_jumps
nt_check "volume 0 is silence" silence
nt_check "it is kept over restarts of the daemon and of PipeWire" kept
nt_check "reset goes back to the configuration" resets
nt_check "volume = software: the box keeps its gain" in_software
nt_check "it is kept, mutes, and is never more than 0 dB" kept_in_software
nt_check "volume = ignore: nothing of it" ignored
nt_exact "volume = software, an eighth: an eighth is played" an_eighth
nt_exact "volume = software, 0 dB: samples are not touched" exact_at_one
nt_exact "volume = box, -18 dB: samples are not touched" untouched
nt_end
