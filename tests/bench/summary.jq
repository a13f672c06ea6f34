# The runs of run-bench.sh, one object each, as one object or as tables for people.
# $about: machine and settings; $only: the number of boxes wanted, null for all; $format: "json", "table" (a number of
# boxes), "growth" (from one to the next) or "aims".

include "figures";

def programs: "daemon", "plain", "floor", "null";
def figures: .boxes as $boxes | .frames as $frames | .cpu_ns as $cpu_ns | .wall_us as $wall_us
	| (.callback_thread | tostring) as $own | {
	cpu_percent: (.cpu_ns / .wall_us / 10),
	cpu_other_threads_percent: (.threads_ns | if has($own) then ($cpu_ns - .[$own]) / $wall_us / 10 else null end),
	cpu_ns_per_frame: (.cpu_ns | over($frames)),
	cpu_percent_per_box: (.cpu_ns / .wall_us / 10 / $boxes),
	callback_p50_us: .p50_us,
	callback_p99_us: .p99_us,
	callback_p999_us: .p999_us,
	callback_max_us: .max_us,
	work_p50_us: .span_p50_us,
	work_p99_us: .span_p99_us,
	callback_p50_us_per_box: (.p50_us / $boxes),
	kicks_per_s: (.sendto * 1e6 / .wall_us),
	other_kicks_per_s: (.sendto_elsewhere * 1e6 / .wall_us),
	frames_per_s: (.frames * 1e6 / .wall_us)
};
def compared: "cpu_percent", "cpu_ns_per_frame", "callback_p50_us";
def beyond_null: "cpu_percent", "callback_p50_us";

def runs_of($p): map(select(.program == $p));
def figures_of($p): runs_of($p) | map(figures);
def program_summary: (map(figures) | spreads) + {lost: map(.lost), xruns: map(.xruns)};
def above_null($k): .null[$k].median as $null | .plain[$k].median as $plain
	| .daemon[$k].median - $null | over($plain - $null);
# The floor and JACK's own share together, round by round.
def floor_and_null: [figures_of("floor"), figures_of("null")] | transpose
	| map({cpu_percent: (.[0].cpu_percent + .[1].cpu_percent)});

def boxes_summary: sort_by(.round) | . as $runs
	| (reduce programs as $p ({boxes: $runs[0].boxes}; .[$p] = ($runs | runs_of($p) | program_summary)))
	| .ratio = (reduce compared as $k ({}; .[$k] = ratio($k; $runs | figures_of("daemon"); $runs | figures_of("plain"))))
	| .ratio_floor_and_null = {cpu_percent: ratio("cpu_percent"; $runs | figures_of("daemon"); $runs | floor_and_null)}
	| .ratio_above_null = (. as $all | reduce beyond_null as $k ({}; .[$k] = ($all | above_null($k))));

# --- What is to be reached ---

def of($boxes): map(select(.boxes == $boxes))[0];
def aims_of_32: of(32) | if . == null then empty else
	aim("cpu_32_floor"; "32 boxes: CPU to that of the floor and a JACK client that does nothing";
		.ratio_floor_and_null.cpu_percent.median; 1.2),
	aim("cpu_32_plain"; "32 boxes: CPU to the plain port's"; .ratio.cpu_percent.median; 0.75),
	aim("callback_32_plain"; "32 boxes: time in the callback (p50) to the plain port's";
		.ratio.callback_p50_us.median; 0.12) end;
def aims_of_1: of(1) | if . == null then empty else
	aim("cpu_1_plain"; "1 box: CPU to the plain port's"; .ratio.cpu_percent.median; 0.85) end;
def aims_of_growth: if length < 2 then empty else .[0] as $few | .[-1] as $many
	| "of a box among \($many.boxes) to that of \(if $few.boxes == 1 then "one alone" else "one among \($few.boxes)" end)"
		as $how
	| aim("growth_cpu"; "CPU " + $how; $many.daemon.cpu_percent_per_box.median
		| over($few.daemon.cpu_percent_per_box.median); 1),
	aim("growth_callback"; "time in the callback (p50) " + $how; $many.daemon.callback_p50_us_per_box.median
		| over($few.daemon.callback_p50_us_per_box.median); 1) end;
# They are for a period of 64 at 48 kHz; elsewhere nothing was promised.
def aims: if $about.period_frames == 64 and $about.rate_hz == 48000 then [aims_of_32, aims_of_1, aims_of_growth] else [] end;

def summary: . as $runs | (group_by(.boxes) | map(boxes_summary)) as $results
	| {kind: "cpu", about: $about, aims: ($results | aims), results: $results, runs: $runs};

# --- The tables ---

def row: (.[0] | left(24)) + (.[1:-1] | map(left(23)) | join("")) + .[-1] | sub(" +$"; "");
def figure_row($title; $k; $digits): [$title, (.daemon[$k] | cell($digits)), (.plain[$k] | cell($digits)),
	(.ratio[$k] | cell(2)), (.floor[$k] | cell($digits)), (.null[$k] | cell($digits))]
	| if .[3] == "-" then .[3] = "" else . end | row;
def list_row($title; $k): [$title, (.daemon, .plain | .[$k] | map(tostring) | join(" ")), "",
	(.floor, .null | .[$k] | map(tostring) | join(" "))] | row;

def table: (.results[] | "",
	heading($about),
	(["", "daemon", "plain port", "daemon/plain", "floor", "JACK alone"] | row),
	figure_row("CPU, % of a core"; "cpu_percent"; 2),
	figure_row("  on other threads"; "cpu_other_threads_percent"; 2),
	figure_row("CPU, ns a frame"; "cpu_ns_per_frame"; 0),
	figure_row("callback µs, p50"; "callback_p50_us"; 1),
	figure_row("             p99"; "callback_p99_us"; 1),
	figure_row("             p99.9"; "callback_p999_us"; 1),
	figure_row("             longest"; "callback_max_us"; 1),
	figure_row("  and what follows, p50"; "work_p50_us"; 1),
	figure_row("                    p99"; "work_p99_us"; 1),
	figure_row("kicks a second"; "kicks_per_s"; 0),
	figure_row("  by other threads"; "other_kicks_per_s"; 0),
	figure_row("frames a second"; "frames_per_s"; 0),
	list_row("lost, each run"; "lost"),
	list_row("xruns, each run"; "xruns"),
	"CPU to floor and JACK alone together: " + (.ratio_floor_and_null.cpu_percent | cell(2)),
	"daemon/plain without what JACK takes alone: CPU " + (.ratio_above_null.cpu_percent | fixed(2)) + ", callback p50 "
		+ (.ratio_above_null.callback_p50_us | fixed(2)));

def growth: "", "What a box costs, by how many there are:",
	(["boxes", "CPU, % of a core", "the plain port's", "the floor's", "callback p50, µs", "the plain port's"] | row),
	(.results[] | [(.boxes | tostring), (.daemon, .plain, .floor | .cpu_percent_per_box | cell(3)),
		(.daemon, .plain | .callback_p50_us_per_box | cell(2))] | row);

map(select($only == null or .boxes == $only)) | summary
	| if $format == "json" then . elif $format == "growth" then growth elif $format == "aims" then .aims | aims_text
		else table end
