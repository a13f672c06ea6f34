#!/bin/bash
# All benchmarks of the daemon under JACK, one after the other.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
	cat << 'END'
Usage: sudo [BENCH_JSON=FOLDER] tests/bench/run-all.sh [OPTION]...
Runs run-bench.sh (what ethlinkd costs), run-wire.sh (how soon its frames are on the wire) and run-limits.sh (how far it
goes), and tells at the end which aims are met. An option goes to those of them that have it: see their --help.

  BENCH_JSON  a folder: cpu.json, wire.json and limits.json go there
  --help, --version

BUILD is the folder that `make` and `make bench-programs` were called in (default: the current one). Nothing else
should run on the machine; it takes some ten minutes. Exit status: 0, 1 if something could not be measured, 2 for a bad
command line.
END
}

# has SCRIPT OPTION: does it know this option? --json is ours to give.
has() {
	[ "$2" != --json ] && bash "$HERE/$1" --help | grep -q -- "^  $2 "
}

# run SCRIPT NAME OPTION…: with those of the options (each --name=value) that it has.
run() {
	local script=$1 name=$2 args=() option

	shift 2
	for option in "$@"; do
		if has "$script" "${option%%=*}"; then
			args+=("$option")
		fi
	done
	bash "$HERE/$script" "${args[@]}" --json "$folder/$name.json"
}

options=()
while [ $# -gt 0 ]; do
	case $1 in
	--help | -h)
		usage
		exit 0
		;;
	--version) exec bash "$HERE/run-bench.sh" --version ;;
	--*=*) ;;
	--*)
		[ $# -ge 2 ] || set -- "$1" ''
		set -- "$1=$2" "${@:3}"
		;;
	esac
	if ! { [[ $1 == --*=?* ]] && for script in run-bench.sh run-wire.sh run-limits.sh; do
		has "$script" "${1%%=*}" && break
	done; }; then
		printf 'run-all: %s is no option of the benchmarks, or has no value; see the scripts'\'' --help\n' "${1%%=*}" >&2
		exit 2
	fi
	options+=("$1")
	shift
done

folder=${BENCH_JSON:-}
if [ -z "$folder" ]; then
	folder=$(mktemp -d "${TMPDIR:-/tmp}/ethlinkd-bench-XXXXXX") || exit 1
	trap 'rm -rf "$folder"' EXIT
elif ! mkdir -p "$folder"; then
	printf 'run-all: BENCH_JSON: the folder %s cannot be made\n' "$folder" >&2
	exit 1
fi
run run-bench.sh cpu "${options[@]}" && run run-wire.sh wire "${options[@]}" &&
	run run-limits.sh limits "${options[@]}" || exit 1
printf '\nAll of it. '
jq -rs -L "$HERE" 'include "figures"; map(.aims // []) | add | aims_text' "$folder"/{cpu,wire,limits}.json | sed 1d
