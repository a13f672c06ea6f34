#!/bin/bash
# Draws what the benchmarks have measured.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# A plot, the benchmark's file that it is drawn from, and how to get that.
PLOTS='
cpu       cpu.json     sudo make bench
callback  cpu.json     sudo make bench
wire      wire.json    sudo make bench
channels  limits.json  sudo make bench
ring      ring.json    sudo make bench-ring
receive   ring.json    sudo make bench-ring
switch    switch.json  make plots
cycle     cycle.json   make bench-cycle
'

usage() {
	cat << 'END'
Usage: tests/bench/plot.sh [--json FOLDER] [--out FOLDER]
Draws the plots of doc/performance.md (SVG) from the JSON files of the benchmarks. A plot whose file is not there is
left out, and so is told.

  --json FOLDER   where the JSON files are (default: doc/performance of this source)
  --out FOLDER    where the plots go (default: the same as --json)
  --help

Takes gnuplot and jq. Exit status: 0, 1 if a file is no benchmark's or nothing could be drawn, 2 for a bad command line.
END
}

say() {
	printf 'plot: %s\n' "$1" >&2
}

parse_options() {
	json=$HERE/../../doc/performance
	out=
	while [ $# -gt 0 ]; do
		case $1 in
		--help | -h)
			usage
			exit 0
			;;
		--*=*)
			set -- "${1%%=*}" "${1#*=}" "${@:2}"
			continue
			;;
		--json | --out)
			if [ $# -lt 2 ] || [ -z "$2" ]; then
				say "$1 needs a folder; see plot.sh --help"
				exit 2
			fi
			declare -g "${1#--}=$2"
			shift
			;;
		*)
			say "'$1' is not an option; see plot.sh --help"
			exit 2
			;;
		esac
		shift
	done
	out=${out:-$json}
	if ! [ -d "$json" ]; then
		say "there is no folder $json; --json says where the benchmarks' files are"
		exit 2
	fi
	if ! mkdir -p "$out" || ! [ -w "$out" ]; then
		say "$out cannot be written to; --out says where the plots go"
		exit 2
	fi
}

needs() {
	local p

	for p in "$@"; do
		if ! command -v "${p%:*}" > /dev/null; then
			say "${p%:*} is missing; on Debian: apt-get install ${p#*:}"
			exit 1
		fi
	done
}

# draw PLOT FILE: the plot, whole or not at all.
draw() {
	local plot=$1 file=$2 svg=$dir/$1.svg title

	if ! jq -r -L "$HERE" --arg plot "$plot" -f "$HERE/plot.jq" "$file" > "$dir/commands" 2> "$dir/err" ||
		! [ -s "$dir/commands" ]; then
		[ -s "$dir/err" ] || echo "it is empty" > "$dir/err"
		say "$file is not what its benchmark writes: $(tail -n 1 "$dir/err")"
		return 1
	fi
	if ! env -C "$dir" gnuplot commands 2> "$dir/err"; then
		say "$plot: $(cat "$dir/err")"
		return 1
	fi
	title=$(sed -n 's/^# title: //p' "$dir/commands" | sed 's/[&|\\]/\\&/g')
	# "sans" is what gnuplot knows; browsers take what is in this list. The title is what a screen reader says.
	sed -e 's/font-family="sans"/font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"/g' \
		-e "s|<title>Gnuplot</title>|<title>$title</title>|" "$dir/raw.svg" > "$svg" &&
		mv "$svg" "$out/$plot.svg" && printf '%s\n' "$out/$plot.svg"
}

draw_all() {
	local plot file how drawn=0 status=0

	while read -r plot file how; do
		if [ -z "$plot" ]; then
			continue
		fi
		if ! [ -f "$json/$file" ]; then
			say "$plot is left out: there is no $json/$file ($how)"
		elif draw "$plot" "$json/$file"; then
			drawn=$((drawn + 1))
		else
			status=1
		fi
	done <<< "$PLOTS"
	if [ "$drawn" -eq 0 ]; then
		say "nothing was drawn"
		status=1
	fi
	return "$status"
}

parse_options "$@"
needs gnuplot:gnuplot-nox jq:jq
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cp "$HERE/plot.gp" "$dir" || exit 1
draw_all
