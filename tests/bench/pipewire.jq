# The runs of run-pipewire.sh, one object each, as one object or as a table for people.
# $about: machine and settings; $only: the number of boxes wanted, null for all; $format: "json" or "table".

include "figures";

def figures: .boxes as $boxes | .callbacks as $cycles | .frames as $frames | {
	cpu_percent: (.cpu_ns / .wall_us / 10),
	cpu_us_per_cycle: (.cpu_ns | over($cycles * 1000)),
	cpu_us_per_cycle_and_box: (.cpu_ns | over($cycles * 1000 * $boxes)),
	cpu_ns_per_frame: (.cpu_ns | over($frames)),
	other_threads_us_per_cycle: ((.callback_thread | tostring) as $own
		| .threads_ns | del(.[$own]) | add // 0 | over($cycles * 1000)),
	own_us_per_cycle: (.callback_sum_ns | over($cycles * 1000)),
	own_p50_us: .p50_us,
	own_p99_us: .p99_us,
	own_max_us: .max_us,
	span_p50_us: .span_p50_us,
	span_p99_us: .span_p99_us,
	kicks_per_cycle: (.sendto | over($cycles)),
	paced_kicks_per_cycle: (.sendto_elsewhere | over($cycles)),
	cycles_per_s: (.callbacks * 1e6 / .wall_us),
	frames_per_s: (.frames * 1e6 / .wall_us),
	server_cpu_percent: (.server_cpu_ns / .wall_us / 10)
};

def runs_of($backend): map(select(.backend == $backend));
def boxes_summary: sort_by(.round) | . as $runs
	| (reduce ("jack", "pipewire") as $b ({boxes: $runs[0].boxes};
		.[$b] = ($runs | runs_of($b) | (map(figures) | spreads) + {lost: map(.lost), xruns: map(.xruns)})))
	| .ratio = (reduce (.jack | keys_unsorted[] | select(. != "lost" and . != "xruns")) as $k ({};
		.[$k] = ratio($k; $runs | runs_of("pipewire") | map(figures); $runs | runs_of("jack") | map(figures))));

def summary: {about: $about, results: (group_by(.boxes) | map(boxes_summary)), runs: .};

# --- The table ---

def row: (.[0] | left(32)) + (.[1] | left(25)) + (.[2] | left(25)) + .[3] | sub(" +$"; "");
def figure_row($title; $k; $digits): [$title, (.jack[$k] | cell($digits)), (.pipewire[$k] | cell($digits)),
	(.ratio[$k] | if . == null or .median == null then "" else cell(2) end)] | row;
def list_row($title; $k): [$title, (.jack, .pipewire | .[$k] | map(tostring) | join(" ")), ""] | row;

def table: (.results[] | "",
	heading($about),
	(["", "JACK", "PipeWire", "PipeWire/JACK"] | row),
	figure_row("CPU, % of a core"; "cpu_percent"; 2),
	figure_row("CPU, µs a cycle"; "cpu_us_per_cycle"; 1),
	figure_row("CPU, µs a cycle and box"; "cpu_us_per_cycle_and_box"; 2),
	figure_row("CPU, ns a frame"; "cpu_ns_per_frame"; 0),
	figure_row("on other threads, µs a cycle"; "other_threads_us_per_cycle"; 1),
	figure_row("in our callbacks, µs a cycle"; "own_us_per_cycle"; 1),
	figure_row("                  p50"; "own_p50_us"; 1),
	figure_row("                  p99"; "own_p99_us"; 1),
	figure_row("                  longest"; "own_max_us"; 1),
	figure_row("first to last of them, µs, p50"; "span_p50_us"; 1),
	figure_row("                       p99"; "span_p99_us"; 1),
	figure_row("kicks a cycle"; "kicks_per_cycle"; 3),
	figure_row("kicks of the pacer a cycle"; "paced_kicks_per_cycle"; 3),
	figure_row("cycles a second"; "cycles_per_s"; 0),
	figure_row("frames a second"; "frames_per_s"; 0),
	figure_row("the server's CPU, % of a core"; "server_cpu_percent"; 2),
	list_row("lost, each run"; "lost"),
	list_row("xruns, each run"; "xruns"));

map(select($only == null or .boxes == $only)) | summary | if $format == "json" then . else table end
