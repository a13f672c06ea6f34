#!/bin/bash
# NetVST inserts in PipeWire's graph: what a client plays into the sends comes back from netvst-echo bit for bit, at the
# latency that the daemon tells, at several quanta; a slot of a server gives a DAW back what it has sent.
# Usage: test-netvst-pipewire.sh    SECONDS_EACH=3
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"
# shellcheck source=tests/lib/pipewire.sh
. "$(dirname "$0")/../lib/pipewire.sh"

each_s=${SECONDS_EACH:-3}

config() {
	nt_config "[netvst old]" "role = client" "host = 127.0.0.1" "block = 64" \
		"[netvst kit]" "role = client" "host = 127.0.0.1" "port = 27017" "dialect = audiokit" "block = 512" \
		"[netvst daw]" "role = server" "port = 27020"
	NV_NAMES=(old kit)
	NV_SNR=("" "")
}

start() {
	nt_pipewire "$1" 48000 && nv_server echo-2017 --port 27016 && nv_server echo-audiokit --port 27017 --dialect audiokit &&
		nv_daemon && nv_wait_all online
}

audio() {
	start "$1" || return 1
	nv_pairs
	nv_play --music --seconds "$each_s" "${NV_PAIRS[@]}"
}

link_loop() {
	local i

	for i in 1 2; do
		pw-link "${NV_CLIENT}daw-1:receive_$i" "${NV_CLIENT}daw-1:reply_$i" 2>> "$PROCS_DIR/loop.err" || return 1
	done
}

slot_plays() {
	nv_is daw '.slots[0].state == "playing"'
}

# Sent by a DAW, looped in the graph, back.
looped() {
	start 256 && nv_wait daw listening && link_loop && nv_client daw --port 27020 --pattern --seconds "$each_s" &&
		procs_until 10 "the slot to play" slot_plays && nv_client_end daw 30 || return 1
	printf '# %s, corrections and resyncs %s\n' "$(nv_json '{latency_frames, gaps, exact_frames} | tostring')" \
		"$(nv_value daw '.slots[0] | .corrections + .resyncs')"
	[ "$(nv_json '.error == null and .exact_frames > 48000')" = true ] &&
		[ "$(nv_json .gaps)" -le $((2 * $(nv_value daw '.slots[0] | .corrections + .resyncs') + 2)) ]
}

nt_begin
nt_pw_begin
nv_begin
if ! command -v pw-jack > /dev/null; then
	echo "# skipped: pw-jack is not installed"
	exit 77
fi
NV_WITH=(pw-jack)
# In this graph each insert is a node of its own.
NV_CLIENT=ethlink.
config
# For JACK's clients a node is called by its description, which is the section's name.
nv_pairs() {
	local name

	NV_PAIRS=()
	for name in "${NV_NAMES[@]}"; do
		NV_PAIRS+=(--send "$name:send_" --return "$name:return_")
	done
}
for quantum in 64 256 1000; do
	nv_exact "quantum $quantum: both dialects" audio "$quantum"
done
nt_check "a DAW gets back what it has sent" looped
nt_stop_all
nt_end
