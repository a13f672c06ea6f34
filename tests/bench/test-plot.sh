#!/bin/bash
# Plots from made-up numbers: well-formed, with these numbers in them and where they belong; and what is said of files
# that are missing or no benchmark's.
# BUILD is the build folder, srcdir the source's (default: the current one).
set -u
export LC_ALL=C

build=${BUILD:-.}
plot=${srcdir:-.}/tests/bench/plot.sh
for p in gnuplot jq xmllint; do
	if ! command -v "$p" > /dev/null; then
		echo "skipped: there is no $p (Debian: gnuplot-nox, jq, libxml2-utils)"
		exit 77
	fi
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

# judge NAME: the status of the command before it.
judge() {
	if [ "$2" -eq 0 ]; then
		printf 'ok - %s\n' "$1"
	else
		printf 'not ok - %s\n' "$1"
		sed 's/^/# /' "$dir/err"
		failed=1
	fi
}

# samples FOLDER: what the benchmarks would write.
samples() {
	mkdir -p "$1"
	jq -n -c 'def s($m): {median: $m, lowest: ($m * (if $m == 20 then 0.5 else 0.9 end)), highest: ($m * 1.1)};
		def program($cpu; $us): {cpu_percent: s($cpu), callback_p50_us: s($us), callback_p99_us: s($us * 1.5),
			last_p50_us: s($us * 2), last_p99_us: s($us * 3), all_p50_us: s($us * 4), all_p99_us: s($us * 5)};
		{daemon: "ethlinkd 0", kernel: "6.1_x", cores: 3, cpu: "A&B <C>'\''s", rate_hz: 48000, period_frames: 64, seconds: 7,
			rounds: 5} as $about
		| [[1, 10, 100], [8, 20, 180], [32, 40, 411]] as $rows
		| {kind: "cpu", about: $about, results: [$rows[] as [$n, $cpu, $us] | {boxes: $n, daemon: program($cpu / 2; $us / 10),
			plain: program($cpu; $us), null: program(0.5; 1), floor: program($cpu / 2.5; 1)}]},
		{kind: "wire", about: $about, results: [(64, 1024) as $period | $rows[] as [$n, $cpu, $us] | {boxes: $n, period_frames: $period,
			daemon: program(1; $us / 10 * 64 / $period), plain: program(1; $us * 64 / $period)}]},
		{kind: "ring", about: $about, results: [["send", 8, "other", 9999], ["send", 64, "sendto a_frame", 2200],
			["send", 64, "this", 1100], ["kick", 99, "another", 9999], ["receive", 32, "ring'\''s", 600], ["receive", 32, "none", 0]
			| {kind: .[0], frames_per_cycle: .[1], way: .[2], cpu_ns_per_frame: s(.[3]), ratio_to_ours: (.[3] / 1100)}]},
		{kind: "limits", about: ($about + {short_seconds: 3}), channels: [(8, 32) as $n | ([0, 1], [8, 2]) as [$k, $cost]
			| {boxes: $n, channels: $k, cpu_percent: s($cost * $n), callback_p50_us: s($cost * $n * 5)}]},
		{kind: "cycle", period: 64, kernels: "c", results: [[1, 0, 7], [1, 8, 33], [32, 0, 8], [32, 8, 34]
			| {boxes: .[0], channels: .[1], ns_per_frame: .[2], ns_per_frame_cold: (.[2] * 10)}]}' |
		while read -r line; do
			printf '%s\n' "$line" > "$1/$(jq -r .kind <<< "$line").json"
		done
	"$build/tests/bench/switch-sim" --json="$1/switch.json" > /dev/null
}

# has PLOT TEXT...: is it well-formed, on white, and says all of this?
has() {
	local svg=$dir/out/$1.svg text

	shift
	xmllint --noout "$svg" 2> "$dir/err" || return 1
	for text in 'height="[0-9]*" fill="#ffffff"' "$@"; do
		if ! grep -q "$text" "$svg"; then
			printf '%s: no %s in it\n' "$svg" "$text" > "$dir/err"
			return 1
		fi
	done
}

# The points of the first line of the CPU plot, which are 10, 20 and 40 % of 1, 8 and 32 boxes: are they where these are?
placed() {
	sed -n '/gnuplot_plot_1a/,/gnuplot_plot_2a/p' "$dir/out/cpu.svg" |
		sed -n "s/.*#gpPt6' transform='translate(\([0-9.]*\),\([0-9.]*\)).*/\1 \2/p" > "$dir/err"
	awk 'function is(a, b) { return a - b < 0.05 && b - a < 0.05 }
		{ x[NR] = $1; y[NR] = $2 }
		END {
			exit !(NR == 3 && x[2] > x[1] && is((x[3] - x[2]) / (x[2] - x[1]), 24 / 7) &&
				y[1] > y[2] && is((y[2] - y[3]) / (y[1] - y[2]), 2))
		}
	' "$dir/err"
}

samples "$dir/json"
"$plot" --json "$dir/json" --out "$dir/out" > "$dir/drawn" 2> "$dir/err"
judge "all eight plots are drawn" $?
[ "$(wc -l < "$dir/drawn")" -eq 8 ] && [ "$(find "$dir/out" -name '*.svg' | wc -l)" -eq 8 ]
judge "and named" $?
has cpu '>plain port  40.0 %<' '>ethlinkd  20.0 %<' '>floor + idle JACK client  16.5 %<' '>Linux 6.1_x, 3 × A&amp;B &lt;C>' \
	'medians of 5 runs of 7 s' '<title>CPU by number'
judge "CPU by boxes" $?
placed
judge "its points are where the numbers are" $?
has callback '>plain port, p50  411 µs<' '>plain port, p99  617 µs<' '>ethlinkd, p50  41 µs<' '>half of the period: 667 µs<'
judge "time in the callback" $?
has wire '>plain port, p50  822<' '>ethlinkd, p99  123<' '>plain port, p99  2055<' '>ethlinkd, p50  164<'
judge "time to the wire" $?
has ring '>sendto a_frame<' '>2200  (2.00)<' '>1100  (1.00)<' && ! grep -q 9999 "$dir/out/ring.svg"
judge "ways of sending" $?
has receive ">ring's<" '>600  (0.55)<' '192000 frames a second' && ! grep -q '>none<' "$dir/out/receive.svg"
judge "ways of receiving" $?
has channels '>8 boxes  16.0<' '>32 boxes  64.0<' '>8 boxes  80<' '>32 boxes  320<' 'medians of 5 runs of 3 s'
judge "channels" $?
has switch '>box by box  116<' '>box by box  582<' '>ethlinkd  10<' '<title>How deep a switch&apos;s'
judge "queues of a switch, as they were simulated" $?
has cycle '>1 box  33<' '>32 boxes  340<'
judge "cost of a frame" $?

rm -r "$dir/out" "$dir/json/ring.json"
"$plot" --json="$dir/json" --out="$dir/out" > "$dir/drawn" 2> "$dir/err" && [ "$(wc -l < "$dir/drawn")" -eq 6 ] &&
	grep -q "ring is left out: there is no $dir/json/ring.json (sudo make bench-ring)" "$dir/err"
judge "plots without their file are left out, and that is told" $?

rm -r "$dir/out"
echo '{"about": {}, "results": []}' > "$dir/json/cpu.json"
echo '{' > "$dir/json/wire.json"
: > "$dir/json/ring.json"
"$plot" --json "$dir/json" --out "$dir/out" > "$dir/drawn" 2> "$dir/err"
[ $? -eq 1 ] && [ "$(grep -c 'is not what its benchmark writes' "$dir/err")" -eq 5 ] && grep -q "$dir/json/cpu.json is not" "$dir/err" &&
	grep -q "$dir/json/wire.json is not" "$dir/err" && grep -q "$dir/json/ring.json is not.* empty" "$dir/err" &&
	[ "$(find "$dir/out" -type f | sort)" = "$(printf '%s\n' "$dir/out/channels.svg" "$dir/out/cycle.svg" "$dir/out/switch.svg")" ]
judge "a file that is no benchmark's is named, and gives no plot" $?

mkdir "$dir/empty"
"$plot" --json "$dir/empty" > /dev/null 2> "$dir/err"
[ $? -eq 1 ] && grep -q 'nothing was drawn' "$dir/err"
judge "nothing to draw is a failure" $?
"$plot" --yes 2> "$dir/err"
[ $? -eq 2 ] && grep -q "'--yes' is not an option" "$dir/err"
judge "an option that is none" $?
"$plot" --json "$dir/not-there" 2> "$dir/err"
[ $? -eq 2 ] && grep -q "there is no folder $dir/not-there" "$dir/err"
judge "a folder that is not there" $?
exit $failed
