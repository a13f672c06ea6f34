# The lines of bench-ring, one object each, as one object or as a table for people.
# $about: machine and settings; $only: null; $format: "json" or "table".

include "figures";

def quantiles($k): if any(.[]; .[$k]) then {p50: (map(.[$k].p50) | median), p99: (map(.[$k].p99) | median)} else null end;
def low_high: if . == null then null else {median, low: .lowest, high: .highest} end;

# Receiving costs what it adds to the sender of the same round, and what the readers take. Where several threads send, all that
# the process takes counts, but what it takes to sleep and to be woken in a round in which one thread sends.
def with_costs: . as $runs | map(. as $run
	| .cpu_ns_per_frame = if .missing then null elif .kind == "receive" then
			([$runs[] | select(.kind == "receive" and .way == "nobody receives" and .round == $run.round)][0]
				| .send_ns / .frames) as $nobody
			| (.send_ns + .read_ns) / .frames - $nobody
		elif .kind == "kick" then
			([$runs[] | select(.ours and .kind == "kick" and .round == $run.round and .frames_per_cycle == $run.frames_per_cycle)][0]
				| (.process_ns - .cpu_ns) / .cycles) as $sleeping
			| (.process_ns - $sleeping * .cycles) / .frames
		else .cpu_ns / .frames end
	| .reader_ns_per_frame = if .read_ns then .read_ns / .frames else null end
	| .lost = (.lost // (if .way != "nobody receives" and .frames then [.frames - .received, 0] | max else 0 end))
	| .time_us = (.cycle_us // .latency_us // null | if . then .p50 else null end));

# By rounds, as what disturbs the machine disturbs both of a round.
def to_ours($k; $ours): map(. as $run | $run[$k] | over($ours[] | select(.round == $run.round) | .[$k])) | spread | low_high;

def way_summary($ours): {
	kind: .[0].kind, way: .[0].way, frames_per_cycle: .[0].frames_per_cycle,
	missing: .[0].missing,
	cpu_ns_per_frame: (map(.cpu_ns_per_frame) | spread | low_high),
	ratio_to_ours: (to_ours("cpu_ns_per_frame"; $ours) | .median),
	ratio_range: to_ours("cpu_ns_per_frame"; $ours),
	time_ratio_to_ours: to_ours("time_us"; $ours),
	caller_us: quantiles("caller_us"), cycle_us: quantiles("cycle_us"),
	first_us: quantiles("first_us"), last_us: quantiles("last_us"),
	reader_ns_per_frame: (map(.reader_ns_per_frame) | spread | low_high), latency_us: quantiles("latency_us"),
	lost: (map(.lost) | add)
} | with_entries(select(.value != null));

# In the order of the program.
def unique_ways: reduce .[] as $r ([]; if any(.[]; . == $r.way) then . else . + [$r.way] end);
def summary: with_costs | . as $all | {kind: "ring", about: $about, results: [
	(group_by([.kind, .frames_per_cycle]) | sort_by({"send": 0, "kick": 1, "receive": 2}[.[0].kind], .[0].frames_per_cycle))[]
	| . as $group | map(select(.ours)) as $ours
	| ($all | map(select(.kind == $group[0].kind)) | unique_ways)[] as $way
	| $group | map(select(.way == $way)) | way_summary($ours)]};

# --- The table ---

def two: if . == null then "-" else "\(.p50 | fixed(1)) / \(.p99 | fixed(1))" end;
def ratio_cell: if . == null then "-" else "\(.median | fixed(2)) (\(.low | fixed(2))-\(.high | fixed(2)))" end;
def cost_cell: if . == null then "-" else "\(.median | fixed(0)) (\(.low | fixed(0))-\(.high | fixed(0)))" end;
def columns($widths): [., $widths] | transpose | map((.[1] // 0) as $w | .[0] | left($w)) | join("") | sub(" +$"; "");
def note: if (.lost // 0) > 0 then "\(.lost) frames lost" else "" end;

def send_columns: columns([52, 21, 18, 20, 20, 18]);
def send_row: if .missing then "\(.way | left(52))not on this machine: \(.missing)" else
	[.way, (.cpu_ns_per_frame | cost_cell), (.ratio_range | ratio_cell), (.caller_us | two), (.cycle_us | two),
		(.time_ratio_to_ours | ratio_cell), note] | send_columns end;
def kick_columns: columns([52, 21, 18, 20, 20, 20]);
def kick_row: if .missing then "\(.way | left(52))not on this machine: \(.missing)" else
	[.way, (.cpu_ns_per_frame | cost_cell), (.ratio_range | ratio_cell), (.caller_us | two), (.first_us | two),
		(.last_us | two), note] | kick_columns end;
def receive_row: if .missing then "\(.way | left(52))not on this machine: \(.missing)" else
	[.way, (.cpu_ns_per_frame | cost_cell), (.ratio_range | ratio_cell), (.reader_ns_per_frame.median | fixed(0)),
		(.latency_us | two), note] | columns([52, 21, 18, 20, 20]) end;

def table: "\($about.rounds) rounds of \($about.slice_ms) ms each; medians (lowest-highest of the rounds), ratios within a round",
	(.results | group_by([.kind, .frames_per_cycle])
		| sort_by({"send": 0, "kick": 1, "receive": 2}[.[0].kind], .[0].frames_per_cycle)[]
	| "",
	if .[0].kind == "send" then
		(["sending, \(.[0].frames_per_cycle) frames a cycle", "CPU, ns a frame", "of ethlinkd's", "caller, µs p50/p99",
			"all sent, p50/p99", "of ethlinkd's"] | send_columns),
		(.[] | send_row)
	elif .[0].kind == "kick" then
		(["who kicks, \(.[0].frames_per_cycle) frames a cycle", "CPU, ns a frame", "of ethlinkd's", "caller, µs p50/p99",
			"first frame, µs", "last frame, µs"] | kick_columns),
		(.[] | kick_row)
	else
		(["receiving, \(.[0].frames_per_cycle) boxes", "CPU, ns a frame", "of ethlinkd's", "reader's alone", "latency, p50/p99"]
			| columns([52, 21, 18, 20, 20])),
		(.[] | receive_row)
	end);

summary | if $format == "json" then . else table end
