#!/bin/bash
# Garbage, wrong lengths and frames of strange boxes arrive at the daemon's interface while it plays, at last 100,000 a
# second: the audio stays exact, counters tell, memory does not grow. Then replies forged in the box's name: nothing crashes,
# and afterwards all is as before. And configuration files that are none: an error, not a crash or a hang.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

start() {
	nt_jackd 48000 256 && nt_emu emu --dac 0 --record "$NT_RECORDING" && nt_daemon && nt_wait_state stage online
}

spray() {
	local host_mac

	host_mac=$(nt_ip -json link show "$NT_HOST_IF" | jq -r '.[0].address')
	procs_start spray ip netns exec "$NT_NS" "$NT_SPRAY" --interface "$NT_BOX_IF" --dst "$host_mac" \
		--box 00:e8:da:c0:00:00 "$@"
}

spray_end() {
	procs_wait spray 30 && [ "$PROCS_STATUS" -eq 0 ]
}

under_fire() {
	start && spray --count 60000 --rate 6000 &&
		nt_feed_start --music --seconds 8 --save "$NT_SOURCE" --target ethlink:stage/playback_ &&
		nt_feed_end 40 && spray_end && nt_in_state stage online
}

forged() {
	start && spray --mode forged --count 10000 --rate 3000 && spray_end && procs_alive ethlinkd &&
		nt_wait_state stage online 20 || return 1
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ]
}

memory_kib() {
	awk '/^RssAnon:/ { print $2 }' "/proc/${PROCS_PID[ethlinkd]}/status"
}

ignored() {
	nt_status '.devices[0].frames_ignored'
}

# Frames from strange boxes pass the kernel's filter, so each of them costs the daemon something.
flooded() {
	start || return 1
	memory0=$(memory_kib)
	ignored0=$(ignored)
	spray --mode garbage --mode length --mode strange --mode magic --count 500000 --rate 100000
	nt_feed_start --music --seconds 5 --lead-in 0.2 --save "$NT_SOURCE" --target ethlink:stage/playback_
	nt_feed_end 40 && spray_end && nt_in_state stage online || return 1
	memory=$(memory_kib)
	ignored=$(ignored)
	per_second=$(jq -r '(.garbage + .length + .strange + .magic) / .seconds | floor' "$PROCS_DIR/spray.out")
}

counted() {
	printf '# %d frames a second, %d of them reached the daemon and were ignored\n' "$per_second" $((ignored - ignored0))
	[ "$per_second" -ge 50000 ] && [ $((ignored - ignored0)) -ge 10000 ]
}

not_grown() {
	printf '# %d KiB before, %d KiB after\n' "$memory0" "$memory"
	[ "$memory" -le $((memory0 + 256)) ]
}

sent() {
	nt_status '.devices[0].frames_sent'
}

# A frame of the box has it probed at once; 5000 a second have it probed now and then, not 5000 times.
called_by_a_box() {
	local before

	nt_jackd 48000 256 && nt_emu emu --dac 0 --off && nt_daemon && nt_wait_state stage searching || return 1
	before=$(sent)
	spray --mode dhcp --count 15000 --rate 5000 && spray_end || return 1
	printf '# %d probes in 3 s\n' $(($(sent) - before))
	[ $(($(sent) - before)) -le 40 ]
}

# --- configuration files

# What is read, as nobody: root may read anything.
as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# bad_file WHAT: makes $bad
make_bad() {
	rm -rf "$bad"
	case $1 in
	directory) mkdir "$bad" ;;
	unreadable)
		cp "$NT_CONF" "$bad"
		chmod 0 "$bad"
		;;
	large) awk 'BEGIN { for (i = 0; i < 200000; i++) print "# a comment that says nothing, again and again......" }' > "$bad" ;;
	nul) printf '[daemon]\ninterface = %s\n\0\0\0fade = 1\0\n' "$NT_HOST_IF" > "$bad" ;;
	lines) awk 'BEGIN { for (i = 0; i < 5; i++) { printf "interface = "; for (k = 0; k < 10000; k++) printf "0123456789"; print "" } }' > "$bad" ;;
	fifo) mkfifo "$bad" ;;
	endless) ln -s /dev/zero "$bad" ;;
	esac
}

# At the start: it ends with 78 and names the file.
refused_at_start() {
	make_bad "$1"
	timeout 10 "${as_nobody[@]}" "$NT_DAEMON" -c "$bad" > "$PROCS_DIR/start.out" 2> "$PROCS_DIR/start.err"
	[ $? -eq 78 ] && grep -q "bad\.conf" "$PROCS_DIR/start.err" && [ "$(wc -c < "$PROCS_DIR/start.err")" -lt 20000 ]
}

# And when it is read again: 1, the file is named, and the daemon has what it had.
refused_at_reload() {
	make_bad "$1"
	timeout 10 "$NT_CTL" --socket="$NT_RUN/control" reload > "$PROCS_DIR/reload.out" 2> "$PROCS_DIR/reload.err"
	[ $? -eq 1 ] && grep -q "bad\.conf" "$PROCS_DIR/reload.err" && procs_alive ethlinkd && nt_answers &&
		[ "$(wc -c < "$PROCS_DIR/reload.err")" -lt 20000 ]
}

# Under the name of the file that is read.
bad_files() {
	local what

	bad=$PROCS_DIR/conf/bad.conf
	mkdir -p "$PROCS_DIR/conf"
	for what in directory unreadable large nul lines fifo endless; do
		nt_check "a configuration that is $what: refused at the start" refused_at_start "$what"
	done
	rm -rf "$bad"
	cp "$NT_CONF" "$bad"
	mkdir -p "$NT_RUN" "$NT_STATE"
	chown 65534 "$NT_RUN" "$NT_STATE"
	NT_CONF=$bad nt_launch "${as_nobody[@]}"
	procs_until 10 "the daemon to answer" nt_answers
	for what in directory unreadable large nul lines fifo endless; do
		nt_check "a configuration that is $what: refused at a reload" refused_at_reload "$what"
	done
}

nt_begin
nt_config_stage
bad_files
nt_stop_all
if nt_exact "playing while 100,000 wrong frames a second arrive" flooded; then
	nt_check "what was ignored is counted" counted
	nt_check "memory has not grown" not_grown
fi
nt_check "a flood of frames in the name of a box that is looked for" called_by_a_box
nt_stop_all
nt_exact "playing while malformed and strange frames arrive" under_fire
nt_check "replies forged in the box's name: the daemon lives, and the box is online again afterwards" forged
nt_end
