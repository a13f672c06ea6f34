#!/bin/bash
# Inserts in a PipeWire graph, without the daemon: the backend with inserts that give back what comes in, between a client
# that plays the graph's clock and one that tells how old is what arrives. What the nodes look like, that audio and MIDI are
# exact and in their cycle at every quantum, latency, links that come back, inserts that come and go, and a device beside them.
# Usage: test-pw-insert.sh [QUANTUM]...    FRAMES_EACH=24000
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/pipewire.sh
. "$(dirname "$0")/../lib/pipewire.sh"

frames_each=${FRAMES_EACH:-24000}
quantum=256
quanta=(32 64 256 1000 1024)
said=

# --- the programs

# tell PROCESS LINE: its answer is in $said.
tell() {
	local out=$PROCS_DIR/$1.out n

	n=$(wc -l < "$out")
	procs_tell "$1" "$2"
	procs_until 10 "$1 to answer" has_lines "$out" $((n + 1)) || return 1
	said=$(tail -n 1 "$out")
}

has_lines() {
	[ "$(wc -l < "$1")" -ge "$2" ]
}

# order LINE: to the server of inserts, which has nothing to object.
order() {
	tell serve "$1" && [ "$said" = '{"error":0}' ] && return 0
	printf '# %s: %s\n' "$1" "$said"
	return 1
}

# status JQ-FILTER
status() {
	tell serve status && jq -r "$1" <<< "$said"
}

status_is() {
	[ "$(status "$1")" = "$2" ]
}

wait_joined() {
	procs_until 10 "the inserts to be joined" status_is .state joined
}

begin_serve() {
	nt_inside serve "$insert_program"
	wait_joined
}

begin_clients() {
	nt_inside play "$clock_program" play
	nt_inside capture "$clock_program" capture
	procs_until 5 "the player" nt_pw_id play && procs_until 5 "the recorder" nt_pw_id capture
}

# As in a patch bay.
link() {
	procs_until 5 "the ports to link $1 and $2" pw-link "$1" "$2"
}

by_hand() {
	link play:midi_out ethlink.reverb:midi && link ethlink.reverb:midi_out capture:midi_in
}

links() {
	nt_pw_links | grep ethlink
}

# The audio as the configuration says, MIDI as it was made by hand.
linked() {
	[ "$(links)" = "ethlink.reverb:midi_out capture:midi_in
ethlink.reverb:return_1 capture:in_1
ethlink.reverb:return_2 capture:in_2
play:midi_out ethlink.reverb:midi
play:out_1 ethlink.reverb:send_1
play:out_2 ethlink.reverb:send_2" ]
}

all_linked() {
	procs_until 10 "all six links" linked && return 0
	links | sed 's/^/# /'
	return 1
}

start() {
	nt_pipewire 256 48000 && begin_serve && begin_clients &&
		order "client reverb 640 play:out_1 play:out_2 capture:in_1 capture:in_2" &&
		procs_until 5 "the insert's ports" has_port ethlink.reverb:midi_out && by_hand && all_linked
}

has_port() {
	{ pw-link -i; pw-link -o; } | grep -qx "$1"
}

# --- what came through

# Both channels have had something for a while, and a note came.
flows() {
	tell capture "" && jq -e '.exact > 0 and .silent == 0 and .notes > 0' <<< "$said"
}

# captured [CMD...]: what arrives in so many frames, or while CMD runs; in $said.
captured() {
	procs_until 10 "audio and notes to arrive" flows || { printf '# %s\n' "$said"; return 1; }
	if [ $# -eq 0 ]; then
		tell capture "$frames_each"
	else
		"$@" && tell capture ""
	fi
}

# What came is what was played, in its cycle. Where the machine is late, whole cycles of it are silent or late: then it is
# tried again.
exact_while() {
	local tries

	for ((tries = 1; tries <= 20; tries++)); do
		captured "$@" || return 1
		jq -e '.silent == 0 and .wrong == 0 and .wrong_notes == 0 and .exact > 1000 and .notes > 1 and .age == [0, 0] and
			.note_age == [0, 0]' <<< "$said" > /dev/null && return 0
		printf '# try %s: %s\n' "$tries" "$said"
		jq -e --argjson quantum "$quantum" '.wrong == 0 and .wrong_notes == 0 and
			([.silent, .age[], .note_age[]] | all(. % $quantum == 0)) and .silent < .exact / 10' <<< "$said" > /dev/null || return 1
	done
	# Of cycles of 0.7 ms some may be late in each try. All else was right in all of them, and what was not late was in its cycle.
	[ "$quantum" -le 32 ] && jq -e '.age[0] == 0 and .note_age[0] == 0' <<< "$said" > /dev/null &&
		echo "# passed around late cycles of this machine"
}

is_exact() {
	exact_while
}

at_quantum() {
	quantum=$1
	nt_pw_quantum "$1" && procs_until 5 "the quantum $1" status_is .period "$1" && is_exact
}

# A quantum that changes all the time: a cycle may be lost in the server or late, but nothing else comes, and all is well after.
change_quanta() {
	local q

	for q in 64 1000 32 512 128 1024 256; do
		nt_pw_quantum "$q" && procs_until 5 "the quantum $q" status_is .period "$q" || return 1
	done
	nt_pw_quantum 256
}

changing() {
	captured change_quanta && quantum=256 || return 1
	printf '# %s\n' "$said"
	jq -e '.wrong == 0 and .wrong_notes == 0 and .age[0] == 0 and .silent < .exact / 2' <<< "$said" > /dev/null &&
		status_is '.members.reverb.quantum | .[0] <= 32 and .[1] >= 1024' true && at_quantum 256
}

# --- what the graph shows

# is NAME JQ-FILTER EXPECTED
is() {
	procs_until 5 "" same_value "$@" && return 0
	printf '# %s of %s is "%s", not "%s"\n' "$2" "$1" "$(nt_pw_value "$1" "$2")" "$3"
	return 1
}

same_value() {
	[ "$(nt_pw_value "$1" "$2")" = "$3" ]
}

# ports NAME DIRECTION JQ-FILTER: of each of its ports, in order of their numbers
ports() {
	pw-dump 2> /dev/null | jq -r --argjson node "$(nt_pw_id "$1")" --arg direction "$2" '[.[] | select(.type == "PipeWire:Interface:Port" and
		.info.props["node.id"] == $node and .info.direction == $direction)] | sort_by(.info.props["port.id"]) | map('"$3"') | join(" ")'
}

same_ports() {
	[ "$(ports "$1" "$2" "$3")" = "$4" ]
}

# ports_are NAME DIRECTION JQ-FILTER EXPECTED: soon; the graph tells of its ports bit by bit.
ports_are() {
	procs_until 5 "" same_ports "$@" && return 0
	printf '# %s of the %s ports of %s: %s, not %s\n' "$3" "$2" "$1" "$(ports "$1" "$2" "$3")" "$4"
	return 1
}

looks() {
	local name='.info.props["port.name"]' dsp='.info.props["format.dsp"] | split(" ")[0]'
	local flags='[.info.props["port.physical"], .info.props["port.terminal"]] | tostring'

	is ethlink.reverb '.info.props["media.class"]' null && is ethlink.reverb .info.state running &&
		is ethlink.reverb '.info.props["node.description"]' reverb && is ethlink.reverb '.info["n-input-ports"]' 3 &&
		ports_are ethlink.reverb input "$name" "send_1 send_2 midi" && ports_are ethlink.reverb output "$name" "return_1 return_2 midi_out" &&
		ports_are ethlink.reverb input "$dsp" "32 32 8" && ports_are ethlink.reverb output "$dsp" "32 32 8" &&
		ports_are ethlink.reverb input "$flags" "[null,null] [null,null] [null,null]" &&
		ports_are ethlink.reverb input '.info.props["port.alias"]' "reverb:send_1 reverb:send_2 reverb:midi"
}

# What the session manager links by itself has other things to play into.
left_alone() {
	! wpctl status | sed -n '/Sinks:/,/Sources:/p' | grep -q reverb && all_linked
}

# latency NAME in|out Input|Output: least and most frames of its ports, Input: until it is heard, Output: since it came.
latency() {
	ports "$1" "$2" "(.info.params.Latency[] | select(.direction == \"$3\") | \"\(.minRate)-\(.maxRate)\")"
}

# latencies_are NAME in|out Input|Output FRAMES: of all its ports
latencies_are() {
	[ "$(latency "$1" "$2" "$3" | tr ' ' '\n' | sort -u)" = "$4-$4" ]
}

wait_latency() {
	procs_until 5 "" latencies_are "$@" && return 0
	printf '# latency %s of the %sput ports of %s is %s, not %s\n' "$3" "$2" "$1" "$(latency "$1" "$2put" "$3")" "$4"
	return 1
}

# Through both ways, and on to the ports beyond.
latency_through() {
	local frames

	for frames in 640 1000 0 64; do
		order "latency reverb $frames" && wait_latency ethlink.reverb input Input "$frames" && wait_latency ethlink.reverb output Output "$frames" &&
			wait_latency play output Input "$frames" && wait_latency capture input Output "$frames" &&
			is ethlink.reverb '.info.params.ProcessLatency[0] | [.quantum, .rate, .ns] | join(" ")' "0 $frames 0" || return 1
	done
}

# One behind the other: the sum. The recorder beside it hears the first alone.
latency_in_a_row() {
	row_has_latency
	row=$?
	order "remove second" && all_linked && return "$row"
}

row_has_latency() {
	order "client second 100" && link ethlink.reverb:return_1 ethlink.second:send_1 || return 1
	wait_latency ethlink.second output Output 164 && procs_until 5 "the sum" latency_has ethlink.reverb input Input 64-164
}

latency_has() {
	latency "$1" "$2" "$3" | grep -q "$4"
}

# A slot begins and ends what passes: what goes in does not come out.
latency_of_ends() {
	ends_have_latency
	ends=$?
	order "remove daw" && all_linked && return "$ends"
}

ends_have_latency() {
	order "slot daw 300" && link play:out_1 ethlink.daw:reply_1 && link ethlink.daw:receive_1 capture:in_1 || return 1
	wait_latency ethlink.daw input Input 300 && wait_latency ethlink.daw output Output 300 && order "latency daw 200" &&
		wait_latency ethlink.daw input Input 200 && wait_latency ethlink.daw output Output 200 &&
		ports_are ethlink.daw input '.info.props["port.name"]' "reply_1 reply_2" &&
		ports_are ethlink.daw output '.info.props["port.name"]' "receive_1 receive_2 midi" && procs_alive wireplumber
}

# --- what comes and goes

come_and_go() {
	local i

	for ((i = 0; i < 5; i++)); do
		order "client guest$i 64 play:out_1 play:out_2" &&
			procs_until 5 "another insert to be linked" guest_plays "guest$i" && order "remove guest$i" &&
			procs_until 5 "it to go" is_gone "ethlink.guest$i" || return 1
	done
}

plays_on() {
	exact_while come_and_go
}

guest_plays() {
	status_is ".members.$1.fed > 0" true
}

is_gone() {
	! nt_pw_id "$1"
}

# A removed one does not know its links any more, the others do.
removed_and_added() {
	order "remove reverb" && procs_until 5 "it to go" is_gone ethlink.reverb || return 1
	order "client reverb 640 play:out_1 play:out_2 capture:in_1 capture:in_2" &&
		procs_until 5 "the insert's ports" has_port ethlink.reverb:midi_out && by_hand && all_linked && is_exact
}

remembered() {
	tell serve links && [ "$(jq -r 'sort | .[]' <<< "$said")" = "reverb/midi play:midi_out
reverb/midi_out capture:midi_in
reverb/return_1 capture:in_1
reverb/return_2 capture:in_2
reverb/send_1 play:out_1
reverb/send_2 play:out_2" ] && return 0
	printf '# %s\n' "$said"
	return 1
}

# restarted SIGNAL: the clients are gone with their server and come back under their names; who links them is the backend.
restarted() {
	nt_pw_kill "$1"
	procs_until 5 "the inserts to see it" not_joined || return 1
	procs_wait play 10
	procs_wait capture 10
	remembered && nt_pw_server && nt_pw_manager && begin_clients && wait_joined && all_linked && is_exact && remembered
}

not_joined() {
	[ "$(status .state)" != joined ]
}

stopped() {
	local turns

	order stop && procs_until 5 "the node to go" is_gone ethlink.reverb && turns=$(status .members.reverb.turns) &&
		status_is .state off || return 1
	order start && wait_joined && all_linked && is_exact && [ "$(status .members.reverb.turns)" -gt "$turns" ]
}

destroyed() {
	pw-cli destroy "$(nt_pw_id ethlink.reverb)" > /dev/null && all_linked && is_exact
}

link_again() {
	order "link reverb/return_2 other:in_2" && order "link reverb/midi_out other:midi_in" || return 1
	nt_inside other "$clock_program" capture other
	procs_until 10 "what was wanted to be linked" other_linked && procs_stop other && all_linked
}

other_linked() {
	links | grep -q '^ethlink.reverb:return_2 other:in_2$' && links | grep -q '^ethlink.reverb:midi_out other:midi_in$'
}

# Of two that play into one port all notes arrive.
two_of_midi() {
	local notes

	nt_inside two "$clock_program" play two
	link two:midi_out ethlink.reverb:midi && procs_until 10 "twice as many notes" twice_the_notes && tell capture "$frames_each" || return 1
	notes=$said
	procs_stop two
	jq -e '.wrong_notes == 0' <<< "$notes" > /dev/null && all_linked && is_exact
}

twice_the_notes() {
	tell capture 9600 && jq -e '.notes >= 39' <<< "$said"
}

# --- a device beside them

stage_values() {
	status '.members.stage | "\(.turns) \(.breaks) \(.fed)"'
}

device_beside() {
	order "device stage 64" && procs_until 10 "the device's ports" has_port ethlink.stage:playback_1 && link play:out_1 ethlink.stage:playback_1 &&
		procs_until 10 "the device to play" status_is '.members.stage.fed > 0' true && is_exact && device_plays_on
}

# Inserts come and go, a latency is set: the device plays on without a hole.
device_plays_on() {
	local before after tries xruns

	for tries in 1 2 3; do
		xruns=$(status .xruns)
		before=$(stage_values)
		come_and_go && order "latency reverb $((tries * 64))" && tell capture 48000 || return 1
		after=$(stage_values)
		[ "$(cut -d ' ' -f 2 <<< "$before")" = "$(cut -d ' ' -f 2 <<< "$after")" ] &&
			[ "$(cut -d ' ' -f 3 <<< "$after")" -gt $(($(cut -d ' ' -f 3 <<< "$before") + 48000)) ] && return 0
		printf '# turns, breaks, frames: %s, then %s; xruns %s to %s\n' "$before" "$after" "$xruns" "$(status .xruns)"
		[ "$xruns" != "$(status .xruns)" ] || return 1
	done
	return 1
}

one_group() {
	is ethlink.stage '.info.props["node.group"]' "$(nt_pw_value ethlink.reverb '.info.props["node.group"]')"
}

# What an insert gives out is what the device plays in the same cycle.
same_cycle() {
	order "stamp clock" && link ethlink.clock:return_1 ethlink.stage:playback_3 &&
		procs_until 10 "cycles" status_is '.members.stage.hops[0] > 200' true || return 1
	printf '# of the same cycle, the one before, older: %s\n' "$(status '.members.stage.hops | tostring')"
	status_is '.members.stage.hops | .[1] + .[2] <= 1' true && order "remove clock"
}

quits() {
	procs_tell serve quit
	procs_wait serve 10 && [ "$PROCS_STATUS" -eq 0 ]
}

nt_begin
nt_pw_begin
insert_program=$(nt_program pw-insert) && clock_program=$(nt_program pw-clock) || exit 1
if [ $# -gt 0 ]; then
	quanta=("$@")
fi
nt_check "an insert, a player and a recorder" start || nt_end
nt_check "names, ports, formats; no sound card" looks
nt_check "the session manager leaves it alone" left_alone
for q in "${quanta[@]}"; do
	nt_check "quantum $q: audio and MIDI are exact and in their cycle" at_quantum "$q"
done
nt_check "while the quantum changes" changing
nt_check "latency of what passes, at all ports and beyond" latency_through
nt_check "two in a row have the latency of both" latency_in_a_row
nt_check "latency of what ends here" latency_of_ends
nt_check "others come and go while it plays" plays_on
nt_check "removed and added" removed_and_added
nt_check "links are known by name" remembered
nt_check "destroyed by somebody, it comes back" destroyed
nt_check "left and joined again" stopped
nt_check "PipeWire is killed and comes back" restarted KILL
nt_check "PipeWire ends and comes back" restarted TERM
nt_check "a link that is wanted is made when the port comes" link_again
nt_check "MIDI of two sources" two_of_midi
nt_check "a device beside it plays without a hole" device_beside
nt_check "both run in one group" one_group
nt_check "what comes of an insert reaches a device in the same cycle" same_cycle
nt_check "the session manager lives" procs_alive wireplumber
nt_check "ends in an orderly way" quits
nt_end
