#!/bin/bash
# The daemon's nodes as PipeWire's programs see them: class, names, ports, channel positions, latency, volume, and that
# nothing plays through them that was not told to, unless the configuration says so.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/pipewire.sh
. "$(dirname "$0")/../lib/pipewire.sh"

aux="AUX0 AUX1 AUX2 AUX3 AUX4 AUX5 AUX6 AUX7"
surround="FL FR FC LFE RL RR SL SR"

start() {
	nt_config "[device stage]" "model = dac8" "serial = 0" "[device hall]" "model = dac8" "serial = 1" \
		"description = Great hall" "positions = FL,FR,FC,LFE,RL,RR,SL,SR" "monitor = yes" "labels = Main L, Main R"
	nt_pipewire 256 48000 && nt_pw_sink card && nt_emu emu --dac 0,1 && nt_daemon && nt_wait_state stage online &&
		nt_wait_state hall online && procs_until 5 "the nodes" have_nodes
}

have_nodes() {
	nt_pw_id ethlink.stage && nt_pw_id ethlink.hall
}

# is NAME JQ-FILTER EXPECTED
is() {
	local found

	found=$(nt_pw_value "$1" "$2")
	[ "$found" = "$3" ] && return 0
	printf '# %s of %s is "%s", not "%s"\n' "$2" "$1" "$found" "$3"
	return 1
}

# prop NAME KEY EXPECTED
prop() {
	is "$1" ".info.props[\"$2\"]" "$3"
}

node_props() {
	local name=$1 description=$2

	prop "$name" media.class Audio/Sink && prop "$name" node.name "$name" && prop "$name" node.description "$description" &&
		is "$name" .info.state running && is "$name" '.info["n-input-ports"]' 8
}

both_nodes() {
	node_props ethlink.stage stage && node_props ethlink.hall "Great hall" &&
		is ethlink.stage '.info["n-output-ports"]' 0 && is ethlink.hall '.info["n-output-ports"]' 8
}

# What belongs together runs together.
one_group() {
	local group

	group=$(nt_pw_value ethlink.stage '.info.props["node.group"]')
	[ -n "$group" ] && [ "$group" != null ] && prop ethlink.hall node.group "$group"
}

# ports NAME DIRECTION JQ-FILTER: of each of its ports, in order of their numbers
ports() {
	local id

	id=$(nt_pw_id "$1")
	pw-dump 2> /dev/null | jq -r --argjson node "$id" --arg direction "$2" '[.[] | select(.type == "PipeWire:Interface:Port" and
		.info.props["node.id"] == $node and .info.direction == $direction)] | sort_by(.info.props["port.id"]) | map('"$3"') | join(" ")'
}

# ports_are NAME DIRECTION JQ-FILTER EXPECTED
ports_are() {
	local found

	found=$(ports "$1" "$2" "$3")
	[ "$found" = "$4" ] && return 0
	printf '# %s of the %s ports of %s: %s, not %s\n' "$3" "$2" "$1" "$found" "$4"
	return 1
}

port_names() {
	local playback monitor

	playback=$(printf 'playback_%d ' 1 2 3 4 5 6 7 8)
	monitor=$(printf 'monitor_%d ' 1 2 3 4 5 6 7 8)
	ports_are ethlink.stage input '.info.props["port.name"]' "${playback% }" &&
		ports_are ethlink.hall input '.info.props["port.name"]' "${playback% }" &&
		ports_are ethlink.hall output '.info.props["port.name"]' "${monitor% }" &&
		ports_are ethlink.stage output '.info.props["port.name"]' ""
}

# Labels are for people, so they are in the alias; names are for scripts.
port_labels() {
	ports ethlink.hall input '.info.props["port.alias"]' | grep -q 'Main L.*Main R'
}

positions() {
	ports_are ethlink.stage input '.info.props["audio.channel"]' "$aux" &&
		ports_are ethlink.hall input '.info.props["audio.channel"]' "$surround"
}

port_flags() {
	ports_are ethlink.stage input '.info.props["port.physical"]' "true true true true true true true true" &&
		ports_are ethlink.stage input '.info.props["port.terminal"]' "true true true true true true true true" &&
		ports_are ethlink.stage input '.info.props["format.dsp"] | test("32 bit float mono audio")' \
			"true true true true true true true true"
}

# What the session manager links by.
format() {
	is ethlink.stage '.info.params.EnumFormat[0] | [.mediaType, .mediaSubtype, .format, .channels] | join(" ")' "audio raw F32P 8" &&
		is ethlink.stage '.info.params.EnumFormat[0].position | join(" ")' "$aux" &&
		is ethlink.hall '.info.params.EnumFormat[0].position | join(" ")' "$surround"
}

# Frames until a sample that goes in is heard, of one port, whatever the parts they are told in.
latency_of() {
	local quantum rate

	quantum=$(nt_status .period)
	rate=$(nt_status .sample_rate)
	pw-dump 2> /dev/null | jq -r --argjson node "$(nt_pw_id "$1")" --argjson quantum "$quantum" --argjson rate "$rate" '
		[.[] | select(.type == "PipeWire:Interface:Port" and .info.props["node.id"] == $node and .info.direction == "input") |
		.info.params.Latency[] | select(.direction == "Input") |
		.minQuantum * $quantum + .minRate + .minNs * $rate / 1e9, .maxQuantum * $quantum + .maxRate + .maxNs * $rate / 1e9] | unique | join(" ")'
}

latency_is_told() {
	[ "$(latency_of ethlink.stage)" = "$(nt_status '.devices[] | select(.name == "stage").latency_frames')" ]
}

# Of the ports and of the node.
latencies() {
	local frames

	for quantum in 256 1024 64; do
		nt_pw_quantum "$quantum" && procs_until 5 "the daemon to see the quantum $quantum" quantum_is "$quantum" &&
			procs_until 5 "the latency at quantum $quantum to be told" latency_is_told || {
			printf '# it is %s, of the status %s\n' "$(latency_of ethlink.stage)" "$(nt_status '.devices[0].latency_frames')"
			return 1
		}
		frames=$(nt_status '.devices[] | select(.name == "stage").latency_frames')
		is ethlink.stage '.info.params.ProcessLatency[0] | [.quantum, .rate, .ns] | join(" ")' "0 $frames 0" || return 1
	done
	nt_pw_quantum 0
}

quantum_is() {
	[ "$(nt_status .period)" = "$1" ]
}

volumes() {
	is ethlink.stage '.info.params.Props[0] | [.mute, (.channelVolumes | length), (.channelVolumes | unique | join(" "))] | join(" ")' "false 8 1" &&
		wpctl get-volume "$(nt_pw_id ethlink.stage)" | grep -q '^Volume: 1.00$'
}

lists() {
	[ "$(pw-link -i | grep -c '^ethlink.stage:playback_[1-8]$')" -eq 8 ] && [ "$(pw-link -o | grep -c '^ethlink.hall:monitor_[1-8]$')" -eq 8 ] &&
		wpctl status | sed -n '/Sinks:/,/Sink endpoints:/p' | grep -q '[0-9]\. Great hall ' &&
		wpctl status | sed -n '/Sinks:/,/Sink endpoints:/p' | grep -q '[0-9]\. stage '
}

default_is() {
	[ "$(wpctl inspect @DEFAULT_AUDIO_SINK@ | sed -n 's/.*node.name = "\(.*\)"/\1/p')" = "$1" ]
}

# A player that names no output: eight channels, so that any would do.
plays_into() {
	local node=$1

	"$NT_FEED" --music --seconds 30 --save-only 48000 --save "$PROCS_DIR/any.wav"
	procs_start cat pw-cat --playback "$PROCS_DIR/any.wav"
	procs_until 10 "the player to be linked to $node" linked_to "$node"
	node=$?
	procs_stop cat
	return "$node"
}

linked_to() {
	nt_pw_links | grep -q "^pw-cat:.* $1:"
}

not_preferred() {
	default_is card && plays_into card
}

preferred() {
	sed -i '/^\[device hall\]/a preferred = yes' "$NT_CONF"
	nt_ctl reload && procs_until 10 "the hall to be the default" default_is ethlink.hall && plays_into ethlink.hall
}

# Where there is nothing else, it is better than no sound.
only_one() {
	sed -i '/^preferred/d' "$NT_CONF"
	nt_ctl reload && procs_until 10 "the card to be the default" default_is card && pw-cli destroy "$(nt_pw_id card)" > /dev/null || return 1
	procs_until 10 "one of the boxes to be the default" default_is_a_box && [ "$(nt_status '.devices | length')" -eq 2 ]
}

default_is_a_box() {
	default_is ethlink.hall || default_is ethlink.stage
}

sinks_of_pulse() {
	pactl --format=json -s "unix:$XDG_RUNTIME_DIR/pulse/native" list sinks 2> /dev/null
}

pulse_has() {
	sinks_of_pulse | jq -r '.[].name' | grep -qx ethlink.hall
}

pulse() {
	nt_inside pulse pipewire-pulse
	procs_until 10 "the sink in pactl" pulse_has || return 1
	[ "$(sinks_of_pulse | jq -r '.[] | select(.name == "ethlink.hall") | [.description, .channel_map, (.volume | length), .mute] | join(" ")')" = \
		"Great hall front-left,front-right,front-center,lfe,rear-left,rear-right,side-left,side-right 8 false" ] && return 0
	sinks_of_pulse | jq -c '.[] | [.name, .description, .channel_map, .volume, .mute]' | sed 's/^/# /'
	return 1
}

# Another description and other positions, while it runs.
reloaded() {
	sed -i -e 's/^description = .*/description = Small hall/' -e 's/^positions = .*/positions = AUX8,AUX9,AUX10,AUX11,AUX12,AUX13,AUX14,AUX15/' "$NT_CONF"
	nt_ctl reload && procs_until 5 "the new description" prop ethlink.hall node.description "Small hall" &&
		procs_until 5 "the new positions" ports_are ethlink.hall input '.info.props["audio.channel"]' \
			"AUX8 AUX9 AUX10 AUX11 AUX12 AUX13 AUX14 AUX15" && both_in_order
}

both_in_order() {
	nt_wait_state stage online && nt_wait_state hall online && [ "$(nt_pw_links | grep -c ethlink)" -eq 0 ]
}

removed() {
	sed -i '/^\[device hall\]/,$d' "$NT_CONF"
	nt_ctl reload && procs_until 5 "the node to go" is_gone ethlink.hall && nt_pw_id ethlink.stage > /dev/null
}

is_gone() {
	! nt_pw_id "$1"
}

nt_begin
nt_pw_begin
nt_check "two boxes and a card" start || nt_end
nt_check "data loops have realtime priority" nt_pw_rt
nt_check "class, names and descriptions" both_nodes
nt_check "all boxes run in one group" one_group
nt_check "ports have the names of the interface document" port_names
nt_check "labels are the ports' aliases" port_labels
nt_check "channel positions, default and set" positions
nt_check "ports are physical, terminal, float" port_flags
nt_check "the format that a session manager asks for" format
nt_check "latency of ports and node is the status's, at each quantum" latencies
nt_check "a volume for each channel" volumes
nt_check "pw-link and wpctl list them" lists
nt_check "beside a card it is not the default" not_preferred
nt_check "with preferred = yes it is" preferred
nt_check "alone it is" only_one
if command -v pactl > /dev/null && command -v pipewire-pulse > /dev/null; then
	nt_check "for programs of PulseAudio it is a sink of eight channels" pulse
fi
nt_check "another description and other positions on reload" reloaded
nt_check "a device that is removed is no node any more" removed
nt_end
