#!/bin/bash
# The control socket with peers that are not as they should be: garbage, questions without reading the answers, silence.
# They are dropped, others are served, and nothing grows.
# Usage: test-dbus-bad.sh [CASE-FUNCTION]...
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

peer=
hello='AUTH ANONYMOUS\r\nBEGIN\r\n'

# How a message begins: little endian, method call, flags, version; as escapes of printf.
message='l\001\000\001'

socket_ok() {
	timeout 2 "$NT_CTL" --socket="$NT_RUN/control" status --json > "$PROCS_DIR/status.json" &&
		[ "$(jq -r '.devices[0].state' "$PROCS_DIR/status.json")" = online ]
}

rss_kb() {
	awk '$1 == "RssAnon:" { print $2 }' "/proc/${PROCS_PID[ethlinkd]}/status"
}

# The address sanitizer keeps what was freed for a while: there is nothing to be judged.
keeps_freed() {
	grep -q libasan "/proc/${PROCS_PID[ethlinkd]}/maps"
}

n_fds() {
	find "/proc/${PROCS_PID[ethlinkd]}/fd" -type l | wc -l
}

fds_are() {
	[ "$(n_fds)" -eq "$1" ]
}

# leaves_nothing CMD...: as many open files as before, and not much more memory than after the first time
leaves_nothing() {
	local fds rss i

	procs_until 3 "connections to go" settled
	fds=$(n_fds)
	"$@" || return 1
	rss=$(rss_kb)
	for i in 1 2 3 4; do
		"$@" || return 1
	done
	procs_until 5 "the connections to be closed" fds_are "$fds" || { printf '# %s files, had been %s\n' "$(n_fds)" "$fds"; return 1; }
	keeps_freed || [ "$(rss_kb)" -le $((rss + 512)) ] || { printf '# %s kB, had been %s\n' "$(rss_kb)" "$rss"; return 1; }
	socket_ok
}

# No connection is open but the listening socket's.
settled() {
	[ "$(connections)" -eq 0 ]
}

connections() {
	awk -v path="$NT_RUN/control" '$8 == path && $6 == "03"' /proc/net/unix | wc -l
}

# dropped TEXT [FILE]: who sends the text (escapes of printf) and the file is dropped within 5 s
dropped() {
	{ printf '%b' "$1"; cat "${2:-/dev/null}"; } | "$peer" "$NT_RUN/control" say ||
		{ printf '# not dropped: %s %s\n' "$1" "${2:-}"; return 1; }
}

# The same: it does no harm.
ignored() {
	{ printf '%b' "$1"; cat "${2:-/dev/null}"; } | "$peer" "$NT_RUN/control" mutter
}

garbage() {
	dd if=/dev/urandom of="$PROCS_DIR/random" bs=1024 count=256 2> /dev/null
	dd if=/dev/zero of="$PROCS_DIR/zeros" bs=1024 count=256 2> /dev/null
	yes 'AUTH EXTERNAL' | head -c 262144 > "$PROCS_DIR/auth"
	printf '%b' "$message\377\377\377\177\001\000\000\000\377\377\377\177" > "$PROCS_DIR/huge"
	printf '%b' "$message\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000" > "$PROCS_DIR/serial0"
	printf '%b' "B\001\000\001\000\000\000\000\000\000\000\001\000\000\000\020\001\001o\000aaaaaaaaaaaa" > "$PROCS_DIR/fields"
	ignored 'GET / HTTP/1.1\r\n\r\n' && ignored "$hello" "$PROCS_DIR/serial0" && ignored "$hello" "$PROCS_DIR/fields" &&
		ignored "$hello" && ignored '' && dropped '' "$PROCS_DIR/random" && dropped '' "$PROCS_DIR/auth" &&
		dropped "$hello" "$PROCS_DIR/random" && dropped "$hello" "$PROCS_DIR/zeros" && dropped "$hello" "$PROCS_DIR/huge" &&
		socket_ok
}

no_garbage_stays() {
	leaves_nothing garbage
}

# Ten thousand questions whose answers nobody reads.
deaf() {
	"$peer" "$NT_RUN/control" deaf 10000 > "$PROCS_DIR/deaf.txt" || { sed 's/^/# /' "$PROCS_DIR/deaf.txt"; return 1; }
	socket_ok
}

deaf_leaves_nothing() {
	leaves_nothing deaf
}

# While it is being found out, memory is bounded, too.
deaf_is_bounded() {
	local before most=0 now

	before=$(rss_kb)
	procs_start deaf "$peer" "$NT_RUN/control" deaf 100000
	while procs_alive deaf; do
		now=$(rss_kb)
		[ "$now" -le "$most" ] || most=$now
	done
	procs_forget deaf
	[ "$PROCS_STATUS" -eq 0 ] || return 1
	keeps_freed || [ "$most" -lt $((before + 8192)) ] || { printf '# %s kB, had been %s\n' "$most" "$before"; return 1; }
}

# More silent connections than there is room for: those that speak get in.
silent() {
	local i

	procs_start silent "$peer" "$NT_RUN/control" silent "$1"
	procs_until 5 "connections" grep -q open "$PROCS_DIR/silent.out" || return 1
	for ((i = 0; i < 10; i++)); do
		socket_ok || return 1
	done
	rm "$PROCS_DIR/silent.out"
	procs_stop silent
}

# What came in one piece with the authentication is answered, too.
in_one_piece() {
	local i

	for ((i = 0; i < 30; i++)); do
		timeout 5 dbus-send --peer="unix:path=$NT_RUN/control" --print-reply /org/ethlinkd1 org.ethlinkd1.Manager.ListDevices |
			grep -q '/org/ethlinkd1/device/stage' || return 1
	done
}

# busctl knows buses only, and can use the socket nevertheless.
busctl_works() {
	busctl --address="unix:path=$NT_RUN/control" introspect org.ethlinkd1 /org/ethlinkd1/device/stage |
		grep -q '^\.GainDb *property *ad'
}

bad_calls() {
	local error

	for error in 'SetGain uint32:9 double:1' 'SetGain uint32:1 double:nan' 'SetMute uint32:1 string:x' 'SetGian' \
		'SetPhantom uint32:1 boolean:true'; do
		# shellcheck disable=SC2086
		timeout 5 dbus-send --peer="unix:path=$NT_RUN/control" --print-reply /org/ethlinkd1/device/stage \
			org.ethlinkd1.Device.$error > "$PROCS_DIR/bad.txt" 2>&1 && return 1
		grep -qE 'Error org.freedesktop.DBus.Error.(InvalidArgs|UnknownMethod|NotSupported)' "$PROCS_DIR/bad.txt" || return 1
	done
	[ "$(nt_status '.devices[0].gain_db | add')" = 0 ]
}

subscriber_heard() {
	[ "$(grep -c Peaks "$PROCS_DIR/$1.out")" -ge "$2" ]
}

# On the socket, only who has subscribed gets Peaks.
peaks_by_connection() {
	procs_start plain "$peer" "$NT_RUN/control" listen
	procs_start meter "$peer" "$NT_RUN/control" listen subscribe
	procs_until 3 "peaks" subscriber_heard meter 5 && ! subscriber_heard plain 1 || return 1
	"$peer" "$NT_RUN/control" ask 1 > "$PROCS_DIR/ask.txt" && procs_until 3 "more peaks" subscriber_heard meter 10 &&
		! subscriber_heard plain 1
}

another_user() {
	chmod 755 "$NT_RUN" && chmod 666 "$NT_RUN/control" || return 1
	! timeout 5 setpriv --reuid nobody --regid nogroup --clear-groups dbus-send --peer="unix:path=$NT_RUN/control" \
		--print-reply /org/ethlinkd1 org.ethlinkd1.Manager.ListDevices > "$PROCS_DIR/nobody.txt" 2>&1
}

# It ends although somebody does not read.
ends_with_the_deaf() {
	procs_start deaf "$peer" "$NT_RUN/control" full
	procs_until 10 "answers that wait" grep -q full "$PROCS_DIR/deaf.out" && procs_alive deaf || return 1
	procs_signal ethlinkd TERM
	procs_wait ethlinkd 4 && [ "$PROCS_STATUS" -eq 0 ]
}

wanted=("$@")

one() {
	local text=$1 name

	shift
	if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $1 "* ]]; then
		return 0
	fi
	nt_check "$text" "$@"
	for name in plain meter silent deaf; do
		procs_stop "$name"
	done
}

nt_begin
for p in dbus-send busctl setpriv; do
	command -v "$p" > /dev/null || { printf '# skipped: %s is not installed\n' "$p"; exit 77; }
done
peer=$(nt_program bus-peer) || exit 1
nt_config "bus = none" "[device stage]" "model = dac8" "serial = 0"
nt_jackd 48000 256 && nt_emu emu --dac 0 && nt_daemon && nt_wait_state stage online || { nt_not_ok "start"; nt_end; }
one "garbage: dropped, and nothing stays" no_garbage_stays
one "10000 questions, no answer read: dropped, and nothing stays" deaf_leaves_nothing
one "100000 questions, no answer read: memory is bounded all the while" deaf_is_bounded
one "20 silent connections: others are served" silent 20
one "40 silent connections: others are served" silent 40
one "a call in one piece with the authentication" in_one_piece
one "busctl at the socket" busctl_works
one "wrong calls at the socket" bad_calls
one "Peaks go to the connection that subscribed" peaks_by_connection
one "another user is not let in" another_user
one "it ends with a peer that does not read" ends_with_the_deaf
nt_end
