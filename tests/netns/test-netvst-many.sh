#!/bin/bash
# Sixteen inserts at once, 48 kHz, period 64, block 64, uncompressed, over the loopback interface: no late block but where the
# machine itself was late, a latency of a block and a period at most, and what they cost in the audio callback.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"

each_s=${SECONDS_EACH:-10}
inserts=16

config() {
	local lines=() i

	NV_NAMES=()
	NV_SNR=()
	for ((i = 1; i <= inserts; i++)); do
		lines+=("[netvst fx$i]" "role = client" "host = 127.0.0.1" "block = 64")
		NV_NAMES+=("fx$i")
		NV_SNR+=("")
	done
	nt_config "${lines[@]}"
}

many() {
	nt_jackd 48000 64 && nv_server plugins --port 27016 && nv_daemon && nv_wait_all online || return 1
	latency_max=$(nt_status '[.netvst[].latency_frames] | max')
	nv_pairs
	nv_play --pattern --seconds "$each_s" "${NV_PAIRS[@]}" && tell
}

# The figures, and whether they are kept.
tell() {
	cost=$(nt_status '[.netvst[].callback_us.median] | max')
	printf '# latency at most %s frames; in the callback: %s us (the median of the slowest), p99 %s us, max %s us; round trip p99 %s us; late blocks %s\n' \
		"$latency_max" "$cost" "$(nt_status '[.netvst[].callback_us.p99] | max')" "$(nt_status '[.netvst[].callback_us.max] | max')" \
		"$(nt_status '[.netvst[].rtt_us.p99] | max')" "$(nt_status '[.netvst[].late_blocks] | add')"
}

at_most_a_block_and_a_period() {
	[ "$latency_max" -le 128 ]
}

cheap() {
	jq -en "$cost <= 2" > /dev/null
}

nt_begin
nv_begin
config
nv_exact "$inserts inserts, period 64, block 64" many
nt_check "their latency: a block and a period at most" at_most_a_block_and_a_period
nt_check "2 us of the callback at most, each" cheap
nt_end
