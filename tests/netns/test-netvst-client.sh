#!/bin/bash
# Inserts with plug-ins elsewhere: what a JACK client plays into the sends comes back from netvst-echo bit for bit, at exactly
# the latency that the daemon tells, with both dialects, all codecs, many periods and two block lengths; notes become
# sines that begin at their very frame; the transport's position and parameters arrive. The server is killed, frozen,
# and cuts the connection in the middle of a block: fades, no step, and the same latency afterwards.
# Usage: test-netvst-client.sh [PERIOD]...    SECONDS_EACH=3
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"

each_s=${SECONDS_EACH:-3}
wavpack=

# The lines of one insert: NAME PORT BLOCK DIALECT CODEC
section() {
	printf '%s\n' "[netvst $1]" "role = client" "host = 127.0.0.1" "port = $2" "block = $3" "dialect = $4" "codec = $5"
}

# --- audio

servers() {
	nv_server echo-2017 --port 27016 --dialect 2017 && nv_server echo-audiokit --port 27017 --dialect audiokit || return 1
	[ -z "$wavpack" ] || { nv_server echo-wavpack --port 27018 --codec wavpack &&
		nv_server echo-lossy --port 27019 --codec wavpack-lossy; }
}

# Where the period is so short that a busy machine has xruns all the time, two inserts are enough.
config_few() {
	local lines

	NV_NAMES=(old64 kit512)
	NV_SNR=("" "")
	mapfile -t lines < <(section old64 27016 64 2017 pcm; section kit512 27017 512 audiokit pcm)
	nt_config "${lines[@]}"
}

config_all() {
	local lines

	NV_NAMES=(old64 old512 kit64 kit512)
	NV_SNR=("" "" "" "")
	mapfile -t lines < <(section old64 27016 64 2017 pcm; section old512 27016 512 2017 pcm
		section kit64 27017 64 audiokit pcm; section kit512 27017 512 audiokit pcm)
	if [ -n "$wavpack" ]; then
		NV_NAMES+=(pack512 lossy512)
		NV_SNR+=("" 30)
		mapfile -t -O ${#lines[@]} lines < <(section pack512 27018 512 2017 wavpack
			section lossy512 27019 512 2017 wavpack-lossy)
	fi
	nt_config "${lines[@]}"
}

audio() {
	local latencies

	nt_jackd 48000 "$1" && servers && nv_daemon && nv_wait_all online || return 1
	latencies=$(nv_latencies)
	nv_pairs
	# Of the lossy one, the place cannot be found by looking for equal samples.
	nv_play --music --seconds "$each_s" --latency "$latencies" "${NV_PAIRS[@]}"
}

# The ports tell the graph what the status tells.
told_to_jack() {
	[ "$(jq -c '[.pairs[].port_latency] | map(.[0] == .[1]) | all' <<< "$NV_PLAY")" = true ] &&
		[ "$(jq -c '[.pairs[].port_latency[0]]' <<< "$NV_PLAY")" = "[$(nv_latencies)]" ]
}

jack_latency() {
	audio 256 && told_to_jack
}

# --- notes, transport, parameters

config_synth() {
	local lines

	mapfile -t lines < <(section synth 27016 "$1" "$2" pcm)
	[ "$2" != 2017 ] || lines+=("synth = yes")
	nt_config "${lines[@]}"
	NV_NAMES=(synth)
	NV_SNR=("")
}

# notes PERIOD BLOCK DIALECT
notes() {
	local synth=()

	[ "$3" != 2017 ] || synth=(--synth)
	config_synth "$2" "$3"
	nt_jackd 48000 "$1" && nv_server synth-server --port 27016 --dialect "$3" --mode synth --ramp-ms 0 "${synth[@]}" && nv_daemon &&
		nv_wait synth online && nv_play --notes 60 --tolerance 1e-6 --seconds "$each_s" --midi-to "${NV_CLIENT}synth/midi" \
		--roll --return "${NV_CLIENT}synth/return_"
}

# The song's position goes along: from second 1 on, with a jump where it is set, begins and ends.
song_position() {
	nv_server_report synth-server && printf '# timestamps: %s\n' "$(nv_json '.timestamps | tostring')" &&
		[ "$(nv_json '.timestamps | .on > 20 and .jumped <= 4')" = true ] && song_of_notes
}

# Each event's place in the song is its place in the material plus one second.
song_of_notes() {
	[ "$(nv_server_event synth-server 'select(.event == "midi") | .song' | sort -n | head -n 1)" -ge 48000 ]
}

# song_position has to look before the servers are stopped.
notes_with_song() {
	notes "$@" && song_position
}

param_came() {
	[ "$(nv_server_event kit 'select(.event == "param") | "\(.effect) \(.param) \(.value)"' | head -n 1)" = "$1" ]
}

start_kit() {
	local lines

	mapfile -t lines < <(section kit 27017 64 audiokit pcm; section old 27016 64 2017 pcm)
	nt_config "${lines[@]}"
	NV_NAMES=(kit old)
	nt_jackd 48000 256 && nv_server kit --port 27017 --dialect audiokit && nv_server old --port 27016 && nv_daemon && nv_wait_all online
}

parameter() {
	nt_ctl netvst kit param 3 17 0.25 > "$PROCS_DIR/param.out" 2>&1 && procs_until 5 "the parameter to arrive" param_came "3 17 0.25"
}

# That dialect has none, and says so.
no_parameter() {
	! nt_ctl netvst old param 3 17 0.25 > "$PROCS_DIR/param.out" 2>&1 && grep -q "audiokit" "$PROCS_DIR/param.out"
}

# --- faults

start_one() {
	local lines

	mapfile -t lines < <(section reverb 27016 "$1" 2017 pcm)
	nt_config "${lines[@]}"
	NV_NAMES=(reverb)
	NV_SNR=("")
	nt_jackd 48000 256 && nv_server plugin --port 27016 "${@:2}" && nv_daemon && nv_wait reverb online
}

has_received() {
	[ "$(nv_value reverb .blocks_received)" -gt "$1" ]
}

# Some 0.3 s of what goes on.
go_on_playing() {
	procs_until 10 "blocks to come back" has_received $(($(nv_value reverb .blocks_received) + 150))
}

killed() {
	procs_stop plugin KILL 2> /dev/null
	nv_wait reverb connecting && nv_server plugin --port 27016 && nv_wait reverb online
}

frozen() {
	local late

	late=$(nv_value reverb .late_blocks)
	procs_signal plugin STOP
	procs_until 10 "blocks to be late" nv_is reverb ".late_blocks > $late + 100"
	procs_signal plugin CONT
}

# --break-after has cut it in the middle of a block: there is one more connection.
cut_off() {
	procs_until 15 "the connection to be cut and made again" nv_is reverb '.connects >= 2' && nv_wait reverb online
}

# fault FUNCTION ARG...: a sine is played while it happens. Its own steps are 0.0288 at most, and a fade of 5 ms adds
# 0.5/240.
fault() {
	local before

	start_one 64 "${@:2}" || return 1
	before=$(nv_value reverb .latency_frames)
	nv_pairs
	nv_play_start --sine --seconds 8 --latency "$before" "${NV_PAIRS[@]}"
	procs_until 10 "the sine to come back" nv_is reverb '.peak_dbfs.return[0] > -20' && go_on_playing && "$1" && go_on_playing && nv_play_end 30 || return 1
	printf '# %s\n' "$(jq -c '.pairs[0]' <<< "$NV_PLAY" | cut -c 1-300)"
	[ "$(nv_value reverb .latency_frames)" = "$before" ] &&
		[ "$(jq '.pairs[0] | .one_latency and .gaps >= 1 and .largest_step < 0.035' <<< "$NV_PLAY")" = true ] &&
		[ "$(jq --argjson latency "$before" '.pairs[0].latency_frames == $latency' <<< "$NV_PLAY")" = true ] &&
		[ "$(jq --argjson n "$NV_FAULTS" '.pairs[0].gaps <= 3 + 2 * $n' <<< "$NV_PLAY")" = true ]
}

fault_case() {
	nv_try "$1" fault "${@:2}"
	nt_stop_all
}

# Every answer is late from now on, which is one episode without an end: the latency is found anew, and all is heard again.
slower() {
	local before

	start_one 64 || return 1
	before=$(nv_value reverb .latency_frames)
	procs_stop plugin KILL 2> /dev/null
	nv_server plugin --port 27016 --slow-ms 20 &&
		procs_until 20 "a latency that is enough" nv_is reverb ".state == \"online\" and .latency_frames > $before" || return 1
	nv_pairs
	nv_play --pattern --seconds 2 "${NV_PAIRS[@]}"
	printf '# %s\n' "$(jq -c '.pairs[0]' <<< "$NV_PLAY" | cut -c 1-200)"
	[ "$(jq '.pairs[0].latency_frames' <<< "$NV_PLAY")" = "$(nv_value reverb .latency_frames)" ]
}

nt_begin
nv_begin
if nv_has_wavpack; then
	wavpack=1
else
	echo "# built without WavPack: its codecs are left out"
fi
config_few
[ $# -gt 0 ] || nv_exact "period 16: both dialects" audio 16
config_all
if [ $# -gt 0 ]; then
	for period in "$@"; do
		nv_exact "period $period" audio "$period"
	done
	nt_end
fi
for period in 64 441 1024; do
	nv_exact "period $period: both dialects, all codecs, blocks of 64 and 512" audio "$period"
done
nv_exact "period 256: the same, and the latency that JACK is told" jack_latency
nv_exact "notes, dialect 2017, period 256, block 64" notes 256 64 2017
nv_exact "notes and the song's position, dialect audiokit, period 64, block 512" notes_with_song 64 512 audiokit
nt_check "a parameter arrives" start_kit && nt_check "a parameter, by ethlinkctl" parameter &&
	nt_check "no parameter in the dialect that has none" no_parameter
nt_stop_all
fault_case "the server is killed and started again" killed
fault_case "the server is frozen and thawed" frozen
fault_case "the connection is cut in the middle of a block" cut_off --break-after 3000
nv_try "the plug-in becomes slower than the latency allows" slower
nt_stop_all
nt_end
