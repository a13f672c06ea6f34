# The runs of run-bench.sh, one object each, as one object or as a table for people.
# $about: machine and settings; $only: the number of boxes wanted, null for all; $format: "json" or "table".

include "figures";

def figures: {
	cpu_percent: (.cpu_ns / .wall_us / 10),
	cpu_ns_per_frame: (.frames as $n | .cpu_ns | over($n)),
	callback_p50_us: .p50_us,
	callback_p99_us: .p99_us,
	callback_p999_us: .p999_us,
	callback_max_us: .max_us,
	kicks_per_s: (.sendto * 1e6 / .wall_us),
	frames_per_s: (.frames * 1e6 / .wall_us)
};
def compared: "cpu_percent", "cpu_ns_per_frame", "callback_p50_us";
def beyond_floor: "cpu_percent", "callback_p50_us";

def program_summary: (map(figures) | spreads) + {lost: map(.lost), xruns: map(.xruns)};
def above_floor($k): .null[$k].median as $floor | .plain[$k].median as $plain
	| .daemon[$k].median - $floor | over($plain - $floor);

def boxes_summary: sort_by(.round) | . as $runs
	| (reduce ("daemon", "plain", "null") as $p ({boxes: $runs[0].boxes};
		.[$p] = ($runs | map(select(.program == $p)) | program_summary)))
	| .ratio = (reduce compared as $k ({}; .[$k] = ratio($k; $runs | map(select(.program == "daemon") | figures);
		$runs | map(select(.program == "plain") | figures))))
	| .ratio_above_null = (. as $all | reduce beyond_floor as $k ({}; .[$k] = ($all | above_floor($k))));

def summary: {about: $about, results: (group_by(.boxes) | map(boxes_summary)), runs: .};

# --- The table ---

def row($c): (.[0] | left(22)) + (.[1] | left($c)) + (.[2] | left($c)) + (.[3] | left(19)) + (.[4] | left($c)) + .[5]
	| sub(" +$"; "");

def figure_row($title; $k; $digits): [$title, (.daemon[$k] | cell($digits)), (.plain[$k] | cell($digits)),
	(.ratio[$k] | cell(2)), (.null[$k] | cell($digits)),
	(.ratio_above_null[$k] | if . == null then "" else fixed(2) end)]
	| if .[3] == "-" then .[3] = "" else . end | row(25);
def list_row($title; $k): [$title, (.daemon, .plain | .[$k] | map(tostring) | join(" ")), "",
	(.null[$k] | map(tostring) | join(" ")), ""] | row(25);

def table: (.results[] | "",
	heading($about),
	(["", "daemon", "plain port", "daemon/plain", "JACK alone", "daemon/plain without JACK"] | row(25)),
	figure_row("CPU, % of a core"; "cpu_percent"; 2),
	figure_row("CPU, ns a frame"; "cpu_ns_per_frame"; 0),
	figure_row("callback µs, p50"; "callback_p50_us"; 1),
	figure_row("             p99"; "callback_p99_us"; 1),
	figure_row("             p99.9"; "callback_p999_us"; 1),
	figure_row("             longest"; "callback_max_us"; 1),
	figure_row("sendto() a second"; "kicks_per_s"; 0),
	figure_row("frames a second"; "frames_per_s"; 0),
	list_row("lost, each run"; "lost"),
	list_row("xruns, each run"; "xruns"));

map(select($only == null or .boxes == $only)) | summary | if $format == "json" then . else table end
