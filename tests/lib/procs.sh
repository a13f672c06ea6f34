# shellcheck shell=bash disable=SC2034
# Processes of a script: started with their output in files, waited for with a deadline, ended by pid, whatever way the
# script ends. Sourced by the network-namespace tests and by quickstart.
#
#   procs_begin                  temporary folder $PROCS_DIR, traps; call it once, first
#   procs_start NAME CMD...      in the background; $PROCS_DIR/NAME.out and NAME.err; PROCS_ENTER may hold a prefix
#   procs_stop NAME [SIGNAL]     ends it, waits, leaves its exit status in PROCS_STATUS
#   procs_signal NAME SIGNAL
#   procs_wait NAME SECONDS      waits for its own end; false at the deadline
#   procs_alive NAME
#   procs_until SECONDS WHAT CMD...   polls CMD; at the deadline says what was waited for and is false
#   PROCS_AT_END                 functions called before everything is stopped (words)
#   KEEP=1                       keeps the folder

# Numbers are written with a point, whatever the user's language.
export LC_NUMERIC=C

PROCS_POLL_S=0.05
PROCS_DIR=
PROCS_STATUS=0
PROCS_FAILED=0
PROCS_AT_END=
PROCS_ENTER=()
PROCS_NAMES=()
declare -A PROCS_PID=()

procs_begin() {
	PROCS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/ethlinkd-XXXXXX")
	# The daemon and the virtual box may run as somebody else who has to reach the files.
	chmod 755 "$PROCS_DIR"
	trap procs_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}

procs_end() {
	local status=$? f i

	trap - EXIT
	trap '' INT TERM HUP
	for f in $PROCS_AT_END; do
		"$f"
	done
	procs_continue
	for ((i = ${#PROCS_NAMES[@]} - 1; i >= 0; i--)); do
		procs_stop "${PROCS_NAMES[i]}"
	done
	if declare -F procs_cleanup > /dev/null; then
		procs_cleanup
	fi
	if [ -n "${KEEP:-}" ] || [ "$PROCS_FAILED" -ne 0 ]; then
		printf '# logs: %s\n' "$PROCS_DIR"
	else
		rm -rf "$PROCS_DIR"
	fi
	exit "$status"
}

procs_start() {
	local name=$1

	shift
	rm -f "$PROCS_DIR/$name.in"
	mkfifo "$PROCS_DIR/$name.in"
	# Opened for both, a FIFO neither blocks here nor ends there.
	"${PROCS_ENTER[@]}" "$@" <> "$PROCS_DIR/$name.in" >> "$PROCS_DIR/$name.out" 2>> "$PROCS_DIR/$name.err" &
	PROCS_PID[$name]=$!
	PROCS_NAMES+=("$name")
}

# One line to its standard input.
procs_tell() {
	printf '%s\n' "$2" > "$PROCS_DIR/$1.in"
}

procs_signal() {
	kill "-$2" "${PROCS_PID[$1]}"
}

# What a test has stopped with SIGSTOP would not end, and neither would what waits for it.
procs_continue() {
	local pid

	for pid in "${PROCS_PID[@]}"; do
		kill -CONT "$pid" 2> /dev/null
	done
}

procs_alive() {
	[ -n "${PROCS_PID[$1]:-}" ] && kill -0 "${PROCS_PID[$1]}" 2> /dev/null
}

procs_dead() {
	! procs_alive "$1"
}

procs_forget() {
	local keep=() n

	wait "${PROCS_PID[$1]}" 2> /dev/null
	PROCS_STATUS=$?
	unset "PROCS_PID[$1]"
	for n in "${PROCS_NAMES[@]}"; do
		[ "$n" = "$1" ] || keep+=("$n")
	done
	PROCS_NAMES=("${keep[@]}")
}

procs_stop() {
	local name=$1 signal=${2:-TERM} pid=${PROCS_PID[$1]:-}

	[ -n "$pid" ] || return 0
	kill "-$signal" "$pid" 2> /dev/null
	if ! procs_until 10 "" procs_dead "$name"; then
		printf '# %s did not end within 10 s of SIG%s and was killed\n' "$name" "$signal"
		kill -KILL "$pid" 2> /dev/null
	fi
	procs_forget "$name"
}

procs_wait() {
	procs_until "$2" "the end of $1" procs_dead "$1" || return 1
	procs_forget "$1"
}

# Hundredths of a second since boot, in PROCS_NOW: no process is started for it.
procs_clock() {
	local up rest

	read -r up rest < /proc/uptime
	PROCS_NOW=$((10#${up/./}))
}

procs_until() {
	local seconds=$1 what=$2 deadline

	shift 2
	procs_clock
	deadline=$((PROCS_NOW + 100 * seconds))
	until "$@" > /dev/null 2>&1; do
		procs_clock
		if [ "$PROCS_NOW" -ge "$deadline" ]; then
			[ -z "$what" ] || printf '# waited %s s in vain for %s\n' "$seconds" "$what"
			return 1
		fi
		sleep "$PROCS_POLL_S"
	done
}

# Seconds since $1, an earlier PROCS_NOW.
procs_since() {
	procs_clock
	printf '%d.%02d\n' $(((PROCS_NOW - $1) / 100)) $(((PROCS_NOW - $1) % 100))
}

# The last lines of every log, for a failure that somebody has to understand without the machine.
procs_show_logs() {
	local f

	for f in "$PROCS_DIR"/*.err "$PROCS_DIR"/*.out; do
		if [ -s "$f" ]; then
			printf '# --- %s\n' "${f##*/}"
			# Of a status that is written all the time, the newest is enough.
			awk '/"final":false/ { newest = $0; next } { print } END { if (newest != "") print newest }' "$f" |
				tail -n 25 | cut -c 1-1000 | sed 's/^/#   /'
		fi
	done
}
