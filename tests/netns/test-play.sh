#!/bin/bash
# What a virtual box plays is, sample for sample, what a JACK client fed into the daemon: real jackd, daemon and
# emulator over a veth pair, at many periods and every rate of the box.
# Usage: test-play.sh [PERIOD RATE]...    SECONDS_EACH=10
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

each_s=${SECONDS_EACH:-10}

play() {
	nt_jackd "$2" "$1" && nt_emu emu --dac 0 --record "$NT_RECORDING" && nt_daemon && nt_wait_state stage online &&
		nt_feed_start --music --seconds "$each_s" --save "$NT_SOURCE" --target ethlink:stage/playback_ &&
		nt_feed_end $((2 * each_s + 20))
}

nt_begin
nt_config_stage
if [ $# -eq 0 ]; then
	set -- 16 48000 64 48000 100 48000 256 48000 441 48000 1024 48000 64 44100 64 88200 64 96000
fi
if [ $(($# % 2)) -ne 0 ]; then
	echo "usage: test-play.sh [PERIOD RATE]..."
	exit 2
fi
while [ $# -gt 0 ]; do
	nt_exact "$2 Hz, period $1" play "$1" "$2"
	shift 2
done
nt_end
