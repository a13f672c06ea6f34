# The runs of run-wire.sh, one object each, as one object or as a table for people.
# $about: machine and settings; $only: the period wanted, null for all; $format: "json" or "table".

include "figures";

def worst($k): map(.[$k]) | max;
# Of the boxes that were watched: which one waits longest, and what it is on the average over them.
def figures: {
	callback_p50_us: .callback_p50_us,
	first_p50_us: (.wire | map(.first.p50_us) | add / length),
	last_p50_us: (.wire | map(.last.p50_us) | add / length),
	last_p99_us: (.wire | map(.last.p99_us) | add / length),
	last_p999_us: (.wire | map(.last.p999_us) | add / length),
	worst_p50_us: (.wire | map(.last) | worst("p50_us")),
	worst_p99_us: (.wire | map(.last) | worst("p99_us")),
	worst_p999_us: (.wire | map(.last) | worst("p999_us")),
	best_p50_us: (.wire | map(.last.p50_us) | min),
	all_p50_us: .all_last.p50_us,
	all_p99_us: .all_last.p99_us,
	all_p999_us: .all_last.p999_us,
	all_max_us: .all_last.max_us
};
def per_box: group_by(.serial) | map({serial: .[0].serial,
	first_p50_us: (map(.first.p50_us) | median), last_p50_us: (map(.last.p50_us) | median),
	last_p99_us: (map(.last.p99_us) | median), last_p999_us: (map(.last.p999_us) | median)});

def runs_of($p): map(select(.program == $p));
def program_summary: (map(figures) | spreads) + {per_box: (map(.wire[]) | per_box), lost: map(.lost), xruns: map(.xruns),
	irregular: map([.wire[].irregular] | add), ring_drops: map(.ring_drops)};
def group_summary: sort_by(.round) | . as $runs
	| (reduce ("daemon", "plain") as $p ({boxes: $runs[0].boxes, period_frames: $runs[0].period_frames};
		.[$p] = ($runs | runs_of($p) | program_summary)))
	| .ratio = (reduce ("last_p50_us", "last_p99_us", "worst_p50_us", "worst_p99_us", "all_p50_us", "all_p99_us") as $k ({};
		.[$k] = ratio($k; $runs | runs_of("daemon") | map(figures); $runs | runs_of("plain") | map(figures))));

def summary: . as $runs | {kind: "wire", about: $about,
	results: (group_by([.period_frames, .boxes]) | map(group_summary)), runs: $runs};

# --- The table ---

def row: (.[0] | left(37)) + (.[1:-1] | map(left(28)) | join("")) + .[-1] | sub(" +$"; "");
def figure_row($title; $k): [$title, (.daemon, .plain | .[$k] | cell(1)),
	(.ratio[$k] | if . == null then "" else cell(2) end)] | row;
def list_row($title; $k): [$title, (.daemon, .plain | .[$k] | map(tostring) | join(" ")), ""] | row;

def table: (.results[] | "",
	"\(.boxes) box\(if .boxes == 1 then "" else "es" end), \($about.rate_hz) Hz, period \(.period_frames); "
		+ "\($about.rounds) x \($about.seconds) s; µs from the start of the callback",
	(["", "daemon", "plain port", "daemon/plain"] | row),
	figure_row("a box's first frame, p50"; "first_p50_us"),
	figure_row("a box's last frame, p50"; "last_p50_us"),
	figure_row("                    p99"; "last_p99_us"),
	figure_row("                    p99.9"; "last_p999_us"),
	(if .boxes > 1 then
		figure_row("  of the box that waits least, p50"; "best_p50_us"),
		figure_row("  of the box that waits most, p50"; "worst_p50_us"),
		figure_row("                              p99"; "worst_p99_us"),
		figure_row("the last frame of all, p50"; "all_p50_us"),
		figure_row("                       p99"; "all_p99_us"),
		figure_row("                       p99.9"; "all_p999_us") else empty end),
	figure_row("the callback itself, p50"; "callback_p50_us"),
	list_row("lost, each run"; "lost"),
	list_row("xruns, each run"; "xruns"),
	list_row("left out, each run"; "irregular"));

map(select($only == null or .period_frames == $only)) | summary | if $format == "json" then . else table end
