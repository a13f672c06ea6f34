#!/bin/bash
# Unit tests under valgrind, which sees what the sanitizers do not: use of memory that was never set. Those that take
# more than a second of processor time by themselves, or wait for longer than some, are left out: there it is the clock that counts. Run in the build folder; as many at once as there are processors.
# Usage: check-valgrind.sh TEST-PROGRAM...
log=$(mktemp)
trap 'rm -f "$log"' EXIT

check_one() {
	local t=$1 out

	if [ ! -x "$t" ] || ! (ulimit -t 1 && exec timeout 2.5 "./$t") > /dev/null 2>&1; then
		printf '# %s takes too long without valgrind\n' "$t"
		return 0
	fi
	out=$(timeout 400 valgrind -q --error-exitcode=99 --leak-check=full "./$t" 2>&1)
	case $? in
	0) printf 'ok - %s under valgrind\n' "$t" ;;
	124) printf '# %s takes too long under valgrind\n' "$t" ;;
	*)
		printf 'not ok - %s under valgrind\n' "$t"
		grep -E '^==' <<< "$out" | head -n 40
		;;
	esac
}
export -f check_one

# A line at a time does not get mixed up; what is said of a failure comes from one at a time as a rule.
# shellcheck disable=SC2016
printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -I{} bash -c 'check_one "$1"' - {} | tee "$log"
! grep -q '^not ok' "$log"
