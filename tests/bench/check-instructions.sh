#!/bin/bash
# Has the realtime path become dearer? Counts its instructions with callgrind, case by case, and holds them against
# instructions.txt. That does not depend on how busy the machine is, nor on its processor.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/bench/callgrind.sh
. "$HERE/callgrind.sh"
BUDGET=$HERE/instructions.txt
PROGRAM=${BUILD:-.}/tests/bench/count-rt
# What is allowed beyond the budget, in percent. Other compilers than the budget's make other code of the same source.
SAME=5
OTHER=25
# So much less, and the budget is to follow.
LOWER=10

usage() {
	cat << 'END'
Usage: tests/bench/check-instructions.sh [--write]
Counts the instructions that a frame takes in the realtime path, and compares them with tests/bench/instructions.txt: not ok where
one takes over 5 % more (25 % if it was built with another compiler than the budget). Some 10 seconds.

  --write   writes what was counted as the new budget
  --help

BUILD is the folder in which `make bench-programs` was called (default: the current one). Exit status: 0, 1 if something takes more,
2 for a bad command line, 77 where it cannot be counted (no valgrind, another processor, sanitizers).
END
}

write=
case $# in
0) ;;
*)
	case $1 in
	--write) write=1 ;;
	--help | -h)
		usage
		exit 0
		;;
	*)
		printf 'check-instructions: %s is not allowed; see --help\n' "$1" >&2
		exit 2
		;;
	esac
	;;
esac

cannot() {
	printf 'ok - instructions of the realtime path # skip: %s\n' "$1"
	exit 77
}

fail() {
	printf 'not ok - instructions of the realtime path: %s\n' "$1"
	exit 1
}

# The lines before the cases, and after them, as they are.
write_budget() {
	awk -v compiler="$compiler" '
		FNR == NR { if ($1 == "case") counted[$2] = $3; next }
		$1 == "compiler" { print "compiler " compiler; next }
		$1 in counted { $0 = sprintf("%-26s %8.1f", $1, counted[$1]) }
		{ print }' "$folder/counted" "$BUDGET" > "$folder/budget" && cat "$folder/budget" > "$BUDGET"
}

# Inserts are loops in C, of which one compiler makes twice as much as another: told, but not judged.
compare() {
	awk -v same="$SAME" -v other="$OTHER" -v lower="$LOWER" -v compiler="$compiler" '
		FNR == NR { if ($1 != "#" && NF == 2) budget[$1] = $2; if ($1 == "compiler") made = $2 " " $3; next }
		FNR == 1 {
			limit = compiler == made ? same : other
			if (compiler != made)
				printf "# built with %s, and the budget with %s: %d %% more are allowed\n", compiler, made, limit
		}
		$1 == "skip" { printf "ok - %s # skip: this processor lacks it\n", $2 }
		$1 == "case" {
			change = 100 * ($3 / budget[$2] - 1)
			text = sprintf("%s: %.1f instructions a frame, budget %.1f (%+.1f %%)", $2, $3, budget[$2], change)
			if ($2 ~ /^insert/ && compiler != made) {
				print "ok - " text " # skip: another compiler"
			} else if (change > limit) {
				print "not ok - " text
				bad++
			} else {
				print "ok - " text
				low += change < -lower
			}
		}
		END {
			if (low && compiler == made)
				print "# lower the budget: tests/bench/check-instructions.sh --write"
			exit bad > 0
		}' "$BUDGET" "$folder/counted"
}

[ "$(uname -m)" = x86_64 ] || cannot "the budget is for x86-64"
command -v valgrind > /dev/null || cannot "valgrind is missing; on Debian: apt-get install valgrind"
[ -x "$PROGRAM" ] || fail "$PROGRAM is missing; make bench-programs builds it, and BUILD is the folder"
mapfile -t cases < <(awk '!/^#/ && NF == 2 { print $1 }' "$BUDGET")
[ "${#cases[@]}" -gt 0 ] || fail "$BUDGET has no cases"

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
callgrind_count "$folder" "$PROGRAM" "${cases[@]}" > "$folder/counted"
case $? in
0) ;;
77) cannot "built without optimization, or with sanitizers" ;;
*)
	sed 's/^/# /' "$folder/err"
	fail "count-rt failed under callgrind"
	;;
esac
compiler=$(sed -n 's/^compiler //p' "$folder/counted")
if [ -n "$write" ]; then
	write_budget || fail "$BUDGET cannot be written"
fi
compare
