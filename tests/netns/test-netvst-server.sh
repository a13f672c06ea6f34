#!/bin/bash
# The daemon as a plug-in server: netvst-echo plays the DAW. What comes to the slot's ports and is given back comes back to
# the DAW unbroken, but for the corrections that are counted; two clocks that differ; MIDI at its very frame, and no note
# that hangs when the DAW goes; slots, who may come, a DAW that is frozen, or killed in the middle of a block.
# Usage: test-netvst-server.sh    SECONDS_EACH=5
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"

each_s=${SECONDS_EACH:-5}
NV_NAMES=(daw)

# config DIALECT CODEC [LINE...]
config() {
	nt_config "[netvst daw]" "role = server" "dialect = $1" "codec = $2" "${@:3}"
}

start() {
	nt_jackd 48000 "$1" && nv_daemon && nv_wait daw listening
}

# Of slot $1, from 1 on.
slot() {
	nv_value daw ".slots[$1 - 1]$2"
}

slot_is() {
	[ "$(slot "$1" .state)" = "$2" ]
}

wait_slot() {
	procs_until 15 "slot $1 to be $2" slot_is "$1" "$2"
}

corrections() {
	slot 1 '| .corrections + .resyncs'
}

# A client that does nothing but watch the machine.
watch_start() {
	nv_play_start --sine --seconds "$1" --lead-in 0 --tail 0
}

# loop SECONDS ARG...: a DAW plays the pattern into the slot, whose ports are looped.
loop() {
	nv_loop daw-1 && watch_start "$1" && nv_client daw --pattern --seconds "$1" "${@:2}" && wait_slot 1 playing &&
		procs_until $(($1 + 20)) "the DAW to end" procs_dead daw && nv_client_end daw 5 && procs_until 20 "" procs_dead play && nv_play_end 5
}

# What the DAW got back: the pattern, with no more breaks than the slot has counted corrections (of each, one in either
# direction) and the machine had faults. A correction is a fade of 5 ms, or two that touch.
judge_loop() {
	local made allowed

	made=$(corrections)
	allowed=$((2 * made + 2 * NV_FAULTS))
	printf '# latency %s to %s, gaps %s (%s frames), corrections and resyncs %s, late blocks %s, faults %s\n' \
		"$(nv_json .first_latency_frames)" "$(nv_json .latency_frames)" "$(nv_json .gaps)" \
		"$(nv_json '[.gap_list[].frames] | add // 0')" "$made" "$(nv_json .late_blocks)" "$NV_FAULTS"
	[ "$(nv_json .error)" = null ] && [ "$(nv_json .latency_frames)" != null ] && [ "$(nv_json .gaps)" -le "$allowed" ] &&
		{ [ "$NV_FAULTS" -gt 0 ] || [ "$(nv_json '[.gap_list[].frames] | max // 0')" -le 600 ]; }
}

# case_of PERIOD DIALECT CODEC BLOCK [ARG...]
case_of() {
	config "$2" "$3"
	start "$1" && loop "$each_s" --dialect "$2" --codec "$3" --block "$4" "${@:5}" && judge_loop
}

# Without drift there is little to be corrected: where the graph goes on later than it was, as the dummy driver does after
# waking up late.
steady() {
	case_of "$@" && { [ "$NV_FAULTS" -gt 0 ] || [ "$(corrections)" -le $((2 * each_s)) ]; }
}

# 500 ppm are 24 frames a second, 6 corrections, once it is known how fast the clock is. A stall of the machine may take it
# all at once.
drifting() {
	case_of "${@:2}" --ppm "$1" || return 1
	[ "$(slot 1 .corrections)" -ge "$each_s" ] && [ "$(slot 1 .resyncs)" -le "$NV_FAULTS" ] && return 0
	[ "$NV_FAULTS" -gt 0 ] && [ "$(slot 1 .resyncs)" -gt 0 ]
}

# --- MIDI

script() {
	cat > "$PROCS_DIR/daw.midi" << 'END'
48000 on 1 60 100
48001 cc 1 74 99
60123 off 1 60
60123 on 2 61 90
72511 bend 2 -1000
72512 off 2 61
96000 on 3 62 80
96000 cc 3 64 127
END
}

# What is heard is [place, status, data1, data2, number]: the number of the pattern in the same frame.
midi() {
	config 2017 pcm
	script
	start "$1" && nv_play_start --pattern --seconds 8 --lead-in 0 --midi-from "${NV_CLIENT}daw-1/midi" \
		--return "${NV_CLIENT}daw-1/receive_" && nv_client daw --pattern --seconds 3 --block "$2" --midi "$PROCS_DIR/daw.midi" &&
		nv_client_end daw 20 && nv_play_end 30 || return 1
	jq -c .midi <<< "$NV_PLAY" | sed 's/^/# heard: /'
	[ "$(jq -c '[.midi[] | select(.[4] > 0)] | map([.[4] - 1, .[1], .[2], .[3]]) | .[:8]' <<< "$NV_PLAY")" = \
		"[[48000,144,60,100],[48001,176,74,99],[60123,128,60,0],[60123,145,61,90],[72511,225,24,56],[72512,129,61,0],[96000,146,62,80],[96000,178,64,127]]" ]
}

# The DAW went with a note on and the pedal down: both end, and every channel that was used is told so.
no_hanging_notes() {
	[ "$(jq '[.midi[8:][] | select(.[1] == 130 and .[2] == 62)] | length' <<< "$NV_PLAY")" -ge 1 ] &&
		[ "$(jq '[.midi[8:][] | select(.[1] == 178 and .[2] == 64 and .[3] == 0)] | length' <<< "$NV_PLAY")" -ge 1 ] &&
		[ "$(jq -c '[.midi[8:][] | select(.[2] == 123) | .[1]] | sort | unique' <<< "$NV_PLAY")" = "[176,177,178]" ]
}

# --- slots, and who may come

refused() {
	nv_value daw .refused
}

three_for_two() {
	config 2017 pcm
	start 256 && nv_client one --seconds 0 && wait_slot 1 playing && nv_client two --seconds 0 && wait_slot 2 playing || return 1
	nv_client three --seconds 5
	nv_client_end three 10
	[ "$PROCS_STATUS" -eq 1 ] && [ "$(refused)" -ge 1 ] && slot_is 1 playing && slot_is 2 playing
}

# The lowest that is free.
freed() {
	procs_stop one && wait_slot 1 free && nv_client three --seconds 0 && wait_slot 1 playing && slot_is 2 playing
}

allowed() {
	nt_ip addr add 10.1.2.1/24 dev lo && config 2017 pcm "host = 0.0.0.0" "allow = 10.1.2.0/24" && start 256 || return 1
	nv_client stranger --seconds 2
	nv_client_end stranger 10
	[ "$PROCS_STATUS" -eq 1 ] && [ "$(refused)" -ge 1 ] && nv_client friend --connect 10.1.2.1 --seconds 0 && wait_slot 1 playing
}

not_allowed_in_words() {
	config 2017 pcm "host = 0.0.0.0"
	"$NT_DAEMON" -c "$NT_CONF" --check-config > "$PROCS_DIR/check.out" 2>&1
	[ $? -eq 78 ] && grep -q "allow" "$PROCS_DIR/check.out"
}

# --- faults

# It is behind by two seconds then, and goes on with what it has.
daw_frozen() {
	config 2017 pcm
	start 256 && nv_loop daw-1 && watch_start 8 && nv_client daw --pattern --seconds 8 && wait_slot 1 playing || return 1
	procs_until 10 "blocks" blocks_of 1 100
	procs_signal daw STOP
	procs_until 10 "the slot to run dry" slot_dry
	procs_signal daw CONT
	nv_client_end daw 30 && nv_play_end 20 || return 1
	printf '# %s\n' "$(nv_json '{gaps, restarts, latency_frames, exact_frames, wrong_frames} | tostring')"
	[ "$(nv_json .error)" = null ] && [ "$(nv_json '.exact_frames > 0.7 * 8 * 48000 and .wrong_frames < 48000 / 10')" = true ]
}

blocks_of() {
	[ "$(slot "$1" .blocks)" -ge "$2" ]
}

slot_dry() {
	[ "$(slot 1 .fill_frames)" -eq 0 ] || [ "$(slot 1 .resyncs)" -gt 0 ] || slot_is 1 connected
}

daw_cut() {
	config 2017 pcm
	start 256 && nv_client daw --pattern --fast --break-after 300 && nv_client_end daw 20 && wait_slot 1 free &&
		loop 2 && judge_loop
}

nt_begin
nv_begin
for period in 16 64 256 441 1024; do
	nv_try "period $period, dialect 2017, block 512: nothing is lost" steady "$period" 2017 pcm 512
	nt_stop_all
done
nv_try "period 64, dialect audiokit, block 64: nothing is lost" steady 64 audiokit pcm 64
nt_stop_all
nv_try "period 256, dialect audiokit, block 2048: nothing is lost" steady 256 audiokit pcm 2048
nt_stop_all
if nv_has_wavpack; then
	nv_try "period 256, WavPack, block 512: nothing is lost" steady 256 2017 wavpack 512
	nt_stop_all
fi
nv_try "a DAW whose clock is 500 ppm fast: only what is counted is corrected" drifting 500 256 2017 pcm 512
nt_stop_all
nv_try "a DAW whose clock is 500 ppm slow" drifting -500 64 2017 pcm 64
nt_stop_all
nv_try "MIDI at its very frame, period 256, block 512" midi 256 512
nt_check "notes, pedal and channels end when the DAW goes" no_hanging_notes
nt_stop_all
nv_try "MIDI at its very frame, period 64, block 441" midi 64 441
nt_stop_all
nt_check "a third DAW for two slots is sent away" three_for_two
nt_check "a slot that was left is taken again" freed
nt_stop_all
nt_check "only who is allowed may come" allowed
nt_stop_all
nt_check "everybody's address without allow is an error" not_allowed_in_words
nv_try "a DAW is frozen and thawed" daw_frozen
nt_stop_all
nv_try "a DAW is cut off in the middle of a block, and comes back" daw_cut
nt_stop_all
nt_end
