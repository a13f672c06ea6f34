#!/bin/bash
# Unit tests under valgrind, which sees what the sanitizers do not: use of memory that was never set. Those that take
# longer than two seconds by themselves are left out. Run in the build folder.
# Usage: check-valgrind.sh TEST-PROGRAM...
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
for t in "$@"; do
	if [ ! -x "$t" ] || ! timeout 2 "./$t" > /dev/null 2>&1; then
		continue
	fi
	timeout 120 valgrind -q --error-exitcode=99 --leak-check=full "./$t" > "$log" 2>&1
	case $? in
	0) printf 'ok - %s under valgrind\n' "$t" ;;
	124) printf '# %s takes too long under valgrind\n' "$t" ;;
	*)
		printf 'not ok - %s under valgrind\n' "$t"
		grep -E '^==' "$log" | head -n 40
		failed=1
		;;
	esac
done
exit "$failed"
