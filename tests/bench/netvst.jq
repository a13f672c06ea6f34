# The runs of run-netvst.sh, one object each, as one object or as a table for people.
# $about: machine and settings; $only: the number of inserts wanted, null for all; $format: "json" or "table".

include "figures";

def figures: .inserts as $n | (.wall_us * $about.rate_hz / $about.period_frames / 1e6) as $cycles | {
	cpu_percent: (.cpu_ns / .wall_us / 10),
	cpu_percent_each: (.cpu_ns / .wall_us / 10 / $n),
	net_percent: (if .net_ns then .net_ns / .wall_us / 10 else null end),
	cpu_us_per_cycle: (.cpu_ns | over($cycles * 1000)),
	callback_p50_us, callback_p99_us, callback_max_us, insert_p50_us, insert_p99_us,
	latency_frames, rtt_median_us, rtt_p99_us, ratio
};

def runs_of($what): map(select(.what == $what));
def summary_of: sort_by(.round) | . as $runs
	| (reduce ("daemon", "plain") as $w ({inserts: $runs[0].inserts};
		.[$w] = ($runs | runs_of($w) | (map(figures) | spreads) + {late: map(.late), blocks: map(.blocks)})))
	| .ratio = (reduce ("cpu_percent", "cpu_percent_each", "cpu_us_per_cycle") as $k ({};
		.[$k] = ratio($k; $runs | runs_of("daemon") | map(figures); $runs | runs_of("plain") | map(figures))));

def summary: {about: $about, results: (group_by(.inserts) | map(summary_of)), runs: .};

def row: (.[0] | left(36)) + (.[1] | left(25)) + (.[2] | left(25)) + .[3] | sub(" +$"; "");
def figure_row($title; $k; $digits): [$title, (.daemon[$k] | cell($digits)), (.plain[$k] | cell($digits)),
	(.ratio[$k] | if . == null or .median == null then "" else cell(2) end)] | row;

def table: (.results[] | "",
	"\(.inserts) insert\(if .inserts == 1 then "" else "s" end), \($about.codec), blocks of \($about.block), \($about.rate_hz) Hz, "
		+ "period \($about.period_frames); \($about.rounds) x \($about.seconds) s",
	(["", "ethlinkd", "plain clients", "ethlinkd/plain"] | row),
	figure_row("CPU, % of a core"; "cpu_percent"; 2),
	figure_row("CPU, % of a core, each"; "cpu_percent_each"; 2),
	figure_row("of it the net thread, % of a core"; "net_percent"; 2),
	figure_row("CPU, µs a cycle"; "cpu_us_per_cycle"; 1),
	figure_row("whole callback, µs, p50"; "callback_p50_us"; 1),
	figure_row("                    p99"; "callback_p99_us"; 1),
	figure_row("one insert in it, µs, p50"; "insert_p50_us"; 2),
	figure_row("                      p99"; "insert_p99_us"; 2),
	figure_row("latency, frames"; "latency_frames"; 0),
	figure_row("round trip, µs, median"; "rtt_median_us"; 0),
	figure_row("                p99"; "rtt_p99_us"; 0),
	figure_row("bytes of what pcm would have"; "ratio"; 3),
	(["late blocks of all, each run", ([.daemon.late, .daemon.blocks] | transpose | map("\(.[0])/\(.[1])") | join(" ")), "", ""] | row));

map(select($only == null or .inserts == $only)) | summary | if $format == "json" then . else table end
