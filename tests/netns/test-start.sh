#!/bin/bash
# What a start costs: boxes are looked for while the ports are being made, and what only the start needed of memory is given
# back soon after, with nothing lost of what is needed again.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

# What is promised, in kB.
ONE_BOX_KB=8192
MANY_BOXES_KB=16384
# When memory has been given back it is some hundred kB less than these; before, a thousand more.
ONE_BOX_RELEASED_KB=7400
MANY_BOXES_RELEASED_KB=8200

# Resident, in RESIDENT_KB: all but JACK's shared memory and the rings, both of which are of a size of their own.
resident() {
	RESIDENT_KB=$(awk '
		/^[0-9a-f]+-[0-9a-f]+ / { counts = $6 !~ /^(\/dev\/shm\/|socket:)/ }
		/^Rss:/ && counts { kb += $2 }
		END { print kb + 0 }' "/proc/${PROCS_PID[ethlinkd]}/smaps")
}

resident_below() {
	resident
	[ "$RESIDENT_KB" -gt 0 ] && [ "$RESIDENT_KB" -lt "$1" ]
}

# released KB BOUND-KB: in time below the first, and so below what is promised.
released() {
	resident
	printf '# %d kB are resident at first\n' "$RESIDENT_KB"
	procs_until 10 "less than $1 kB to be resident" resident_below "$1"
	printf '# %d kB are resident\n' "$RESIDENT_KB"
	[ "$RESIDENT_KB" -lt "$1" ] && [ "$RESIDENT_KB" -lt "$2" ]
}

joins_at_least() {
	[ "$(grep -c 'joined JACK server' "$PROCS_DIR/ethlinkd.err")" -ge "$1" ]
}

# All that was given back is called for again: configuration, bus, metadata of ports, another server.
once_more() {
	procs_signal ethlinkd HUP && nt_ctl status > /dev/null && nt_ctl gain stage 1 -3 && nt_ctl gain stage 1 0 || return 1
	nt_jackd_end TERM
	procs_until 10 "the loss of the server" nt_in_state stage stopped || return 1
	nt_jackd 48000 256 && procs_until 10 "the daemon to join again" joins_at_least 2 && nt_wait_state stage online
}

play_after_release() {
	nt_jackd 48000 256 && nt_emu emu --dac 0 --record "$NT_RECORDING" --commands && nt_daemon &&
		nt_wait_state stage online && released "$ONE_BOX_RELEASED_KB" "$ONE_BOX_KB" && once_more &&
		released "$ONE_BOX_RELEASED_KB" "$ONE_BOX_KB" || return 1
	nt_feed_start --music --seconds 4 --save "$NT_SOURCE" --target ethlink:stage/playback_ && nt_feed_end 30
}

# line_of TEXT: the number of the first line of the log with it, or nothing.
line_of() {
	grep -n -m 1 -F "$1" "$PROCS_DIR/ethlinkd.err" | cut -d : -f 1
}

# The ports of 32 boxes take a while, and so does the answer of a box: both at once.
looked_for_before_joined() {
	local looking joined

	looking=$(line_of "looking for ETHlink8DAC 31 ")
	joined=$(line_of "joined JACK server")
	printf '# in the log: looking for the last box in line %s, joined in line %s\n' "$looking" "$joined"
	[ -n "$looking" ] && [ -n "$joined" ] && [ "$looking" -lt "$joined" ]
}

many() {
	local i lines=()

	for ((i = 0; i < 32; i++)); do
		lines+=("[device box$i]" "model = dac8" "serial = $i")
	done
	nt_config "${lines[@]}"
	nt_jackd 48000 64 && nt_emu emu --dac 0-31 && nt_daemon && procs_until 20 "32 boxes to be online" nt_all_online
}

nt_begin
nt_config_stage
nt_exact "memory of the start is given back, and after a reload and another server it plays" play_after_release
if nt_check "32 boxes are online" many; then
	nt_check "boxes are looked for before their ports are there" looked_for_before_joined
	nt_check "memory for 32 boxes is given back" released "$MANY_BOXES_RELEASED_KB" "$MANY_BOXES_KB"
fi
nt_stop_all
nt_end
