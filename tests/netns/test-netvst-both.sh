#!/bin/bash
# Two daemons, one as a client, the other as a server, with a JACK server each: what is played into the insert of the one
# goes through the slot of the other and back, in both dialects and all codecs. The same and no break but for counted
# corrections; then the one that serves is restarted.
# Usage: test-netvst-both.sh    SECONDS_EACH=4
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"

each_s=${SECONDS_EACH:-4}

# What follows is of this daemon: here, which has the insert, or there, which has the slot.
at() {
	NT_CONF=$PROCS_DIR/$1.conf
	NT_PROC=$1
	NT_RUN=$PROCS_DIR/$1-run
	NT_STATE=$PROCS_DIR/$1-state
	# A longer name makes JACK's own tools abort.
	NT_SERVER=ethlinkd-$$-${1:0:1}
}

# jackd PERIOD, of the daemon that at() has named
start_jackd() {
	JACK_NO_AUDIO_RESERVATION=1 procs_start "jackd-$NT_PROC" jackd -n "$NT_SERVER" -R -P 60 -d dummy -r 48000 -p "$1"
	procs_until 10 "the JACK server $NT_SERVER" nt_jack_answers
}

# start PERIOD-HERE PERIOD-THERE BLOCK DIALECT CODEC
start() {
	at there
	nt_config "[netvst daw]" "role = server" "dialect = $4" "codec = $5"
	start_jackd "$2" && nv_daemon && nv_wait daw listening && nv_loop daw-1 || return 1
	at here
	nt_config "[netvst reverb]" "role = client" "host = 127.0.0.1" "block = $3" "dialect = $4" "codec = $5"
	start_jackd "$1" && nv_daemon && nv_wait reverb online && procs_until 10 "the slot to play" slot_plays
}

slot_plays() {
	(at there && [ "$(nv_value daw '.slots[0].state')" = playing ])
}

corrections() {
	(at there && nv_value daw '.slots[0] | .corrections + .resyncs')
}

through() {
	local gaps made

	start "$@" || return 1
	nv_play --pattern --seconds "$each_s" --send "${NV_CLIENT}reverb/send_" --return "${NV_CLIENT}reverb/return_" || return 1
	made=$(corrections)
	gaps=$(jq '.pairs[0].gaps' <<< "$NV_PLAY")
	NV_SAID="$(jq -c '.pairs[0] | {latency_frames, one_latency, unequal, gaps}' <<< "$NV_PLAY") corrections $made, faults $NV_FAULTS, late blocks $(nv_value reverb .late_blocks)"
	printf '# %s\n' "$NV_SAID"
	[ "$(jq '.pairs[0].latency_frames > 0' <<< "$NV_PLAY")" = true ] && [ "$gaps" -le $((2 * made + 2 * NV_FAULTS)) ]
}

# The lossy codec keeps no counter; its noise is small. A correction moves what comes by some frames.
lossy() {
	start "$@" && nv_play --music --tolerance 0.02 --seconds "$each_s" --send "${NV_CLIENT}reverb/send_" --return "${NV_CLIENT}reverb/return_" || return 1
	printf '# %s, corrections %s\n' "$(jq -c '.pairs[0] | {latency_frames, snr_db, largest_error}' <<< "$NV_PLAY")" "$(corrections)"
	[ "$(jq --argjson n "$(corrections)" '.pairs[0] | .latency_frames >= 0 and .snr_db > (if $n == 0 then 30 else 3 end)' <<< "$NV_PLAY")" = true ]
}

restarted() {
	local before

	before=$(nv_value reverb .latency_frames)
	at there
	procs_stop there && [ "$PROCS_STATUS" -eq 0 ] || return 1
	at here
	nv_wait reverb connecting || return 1
	at there
	nv_daemon && nv_wait daw listening && nv_loop daw-1 || return 1
	at here
	nv_wait reverb online && procs_until 10 "the slot to play" slot_plays && [ "$(nv_value reverb .latency_frames)" = "$before" ]
}

nt_begin
nv_begin
nv_try "dialect 2017, periods 256 and 256, block 512" through 256 256 512 2017 pcm
nt_check "the server is restarted, the latency is the same" restarted
nt_stop_all
nv_try "dialect audiokit, periods 64 and 128, block 64" through 64 128 64 audiokit pcm
nt_stop_all
nv_try "dialect 2017, periods 441 and 256, block 500" through 441 256 500 2017 pcm
nt_stop_all
if nv_has_wavpack; then
	nv_try "WavPack, periods 256 and 64, block 512" through 256 64 512 2017 wavpack
	nt_stop_all
	nv_try "lossy WavPack, periods 256 and 256, block 512" lossy 256 256 512 2017 wavpack-lossy
	nt_stop_all
fi
nt_end
