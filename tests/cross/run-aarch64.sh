#!/bin/bash
# Builds everything for aarch64 with Debian's cross compiler, and runs the tests of `make check` under qemu's emulation of
# the processor of a Raspberry Pi 4. The tests' programs, of course, run on this machine's kernel.
set -u
export LC_ALL=C

usage() {
	cat << 'END'
Usage: tests/cross/run-aarch64.sh [--build-only]
Builds for aarch64 (64-bit ARM) on another machine, with warnings as errors, and runs the tests under emulation.
Debian's libraries for arm64 are fetched into the build folder; nothing is installed for them. What the machine itself
lacks (cross compiler, emulator) is installed if you are root, and named if you are not.

  --build-only   no tests
  --help

CROSS_BUILD is the build folder (default: build-aarch64). `make -C build-aarch64 install DESTDIR=FOLDER` then puts the
programs into a folder, to be copied. Prints ok and not ok lines; exit status 0 only if all are ok.
END
}

build_only=
case ${1:-} in
--build-only) build_only=1 ;;
--help | -h)
	usage
	exit 0
	;;
'') ;;
*)
	printf 'run-aarch64.sh: %s is not allowed; see --help\n' "$1" >&2
	exit 2
	;;
esac

build=$(realpath -m "${CROSS_BUILD:-build-aarch64}")
cd "$(dirname "$0")/../.." || exit 1
# Tests know their sources by this name.
export srcdir=$PWD
export CROSS_ROOT=$build/sysroot/root
jobs=$(nproc)
failed=0
# shellcheck source=tests/lib/setup.sh
. tests/lib/setup.sh
# shellcheck source=tests/cross/sysroot.sh
. tests/cross/sysroot.sh

# step TEXT CMD...: one line; what the command says is shown if it fails. $build/cross.log keeps it.
step() {
	local text=$1

	shift
	if "$@" < /dev/null > "$build/cross.log" 2>&1; then
		printf 'ok - %s\n' "$text"
		return 0
	fi
	printf 'not ok - %s\n' "$text"
	tail -n 40 "$build/cross.log" | cut -c 1-300 | sed 's/^/# /'
	failed=1
	return 1
}

configure_build() {
	[ -x configure ] || autoreconf -fi || return 1
	env -C "$build" "$srcdir/configure" --host=aarch64-linux-gnu --prefix=/usr --sysconfdir=/etc --enable-werror \
		CC="aarch64-linux-gnu-gcc --sysroot=$CROSS_ROOT"
}

# One after the other: each of these makes what it needs, and they need the same.
build_all() {
	make -C "$build" -j"$jobs" all || return 1
	[ -z "$build_only" ] || return 0
	make -C "$build" -j"$jobs" check TESTS= &&
		make -C "$build" -j"$jobs" bench-programs &&
		make -C "$build" -j"$jobs" fuzz-programs
}

# Emulated, without the rights for packet sockets and namespaces: qemu hands the kernel no options of packet sockets, and
# the tests that make use of them stay away where they have no right to.
emulated() {
	local -a drop=()

	[ "$(id -u)" -ne 0 ] || drop=(setpriv --bounding-set='-net_raw,-net_admin,-sys_admin' --inh-caps=-all)
	"${drop[@]}" timeout -k 10 300 qemu-aarch64 -cpu cortex-a72 -L "$CROSS_ROOT" "$@"
}

# Why a test is not run here; nothing for most.
left_out() {
	case $1 in
	*/check-includes.sh) echo "it reads the sources, which are the same" ;;
	*/test-plot.sh) echo "it runs a script that is the same everywhere" ;;
	*/test-state-kill.sh | */test-wav-compare.sh) echo "it starts programs by itself, which are not for this processor" ;;
	*/test-varying) echo "it takes five minutes here; test-engine is shorter, and of the same kind" ;;
	*/test-insert-slot) echo "it takes minutes here; test-insert-slot-life runs the same code, and is shorter" ;;
	esac
}

# Where the tests stand that take the longest, of those that are there: they begin first.
longest_first() {
	local slow='test-engine test-insert test-netvst-wavpack test-emu-box test-ctl-watch' t
	local -A place=()

	for t in $slow; do
		place[$t]=${#place[@]}
	done
	while read -r t; do
		printf '%d %s\n' "${place[${t##*/}]:-99}" "$t"
	done | sort -n -s -k 1,1 | cut -d ' ' -f 2-
}

run_test() {
	case $1 in
	*/check-rt-symbols.sh) NM=aarch64-linux-gnu-nm AR=aarch64-linux-gnu-ar sh "$srcdir/$1" ;;
	*.sh)
		echo "a script that is new here: left_out() is to say why it is not run, or run_test() how it is run"
		return 1
		;;
	# Threads and sockets against the clock, which emulation on a busy machine stretches: what is wrong fails each time.
	*/test-netvst-client | */test-netvst-peers | */test-netvst-server)
		emulated "$1" || { echo "again" && emulated "$1"; } || { echo "again" && emulated "$1"; }
		;;
	# A minute, where a simulation is of hours.
	*) SIM_MINUTES=1 emulated "$1" ;;
	esac
}

# "N cases, N skipped" of CMocka's output, of the last try; nothing for other tests.
count_cases() {
	awk '/^again$/ { good = skipped = 0; tries++ }
		/^\[ +OK \]/ { good++ }
		/^\[  SKIPPED \] .*[0-9] test\(s\)/ { sub(/ test\(s\).*/, ""); skipped += $NF }
		END {
			if (good) printf ", %d cases", good
			if (skipped) printf ", %d skipped", skipped
			if (tries) printf ", at try %d", tries + 1
		}' "$1"
}

# Run in the build folder; all at once, so that lines of others do not get in between.
check_one() {
	local log=$1.log why

	why=$(left_out "$1")
	if [ -n "$why" ]; then
		printf '# left out: %s: %s\n' "$1" "$why"
	elif run_test "$1" < /dev/null > "$log" 2>&1; then
		printf 'ok - %s on aarch64%s\n' "$1" "$(count_cases "$log")"
	else
		printf 'not ok - %s on aarch64\n%s\n' "$1" "$(tail -n 30 "$log" | cut -c 1-300 | sed 's/^/# /')"
	fi
}

run_tests() {
	local results=$build/cross-tests.log

	# shellcheck disable=SC2016 # for the bash that is started
	make -s -C "$build" print-tests | longest_first | xargs -d '\n' -P "$jobs" -I{} \
		env -C "$build" bash -c 'check_one "$1"' - {} | tee "$results"
	! grep -q '^not ok' "$results" && [ "$(grep -c '^ok' "$results")" -ge 20 ] || failed=1
}

starts() {
	local program out

	for program in ethlinkd ethlinkctl ethlink-emu netvst-echo; do
		out=$(emulated "$build/$program" --version)
		printf '%s\n' "$out"
		[[ $out =~ ^"$program "[0-9.]+$ ]] || return 1
	done
}

reads_configuration() {
	local file

	for file in conf/*.conf; do
		emulated "$build/ethlinkd" --check-config -c "$file" || return 1
	done
}

neon_is_tested() {
	grep '^kernel set: ' "$build/tests/unit/test-sample.log" | tee "$build/kernel-sets"
	grep -qx 'kernel set: neon' "$build/kernel-sets"
}

mkdir -p "$build" || exit 1
setup_install_cross "$build/install.log" || exit 1
# shellcheck disable=SC2046 # words
step "libraries of Debian for arm64, apart from the machine's own" \
	sysroot_make "$build/sysroot" arm64 $(setup_libraries) || exit 1
export PKG_CONFIG_SYSROOT_DIR=$CROSS_ROOT
export PKG_CONFIG_LIBDIR=$CROSS_ROOT/usr/lib/aarch64-linux-gnu/pkgconfig:$CROSS_ROOT/usr/share/pkgconfig
step "configure for aarch64: JACK, PipeWire and all else" configure_build || exit 1
step "everything builds for aarch64, warnings are errors" build_all || exit 1
[ -z "$build_only" ] || exit 0
export -f check_one count_cases emulated left_out run_test
step "the programs for aarch64 start" starts
step "ethlinkd for aarch64 reads conf/*.conf" reads_configuration
run_tests
step "NEON kernels are there, and test-sample has compared them" neon_is_tested
exit "$failed"
