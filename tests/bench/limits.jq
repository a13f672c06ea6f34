# What run-limits.sh has seen, one object for each run, as one object or as a table for people.
# $about: machine and settings; $format: "json", the name of a part, or "aims".

include "figures";

def part($p): map(select(.part == $p));

# --- rate ---

def rate_summary: part("rate")[0] | if . == null then null else
	{boxes, rate_hz, period_frames, seconds: (.wall_us / 1e6), frames_per_s: (.frames * 1e6 / .wall_us),
	cpu_percent: (.cpu_ns / .wall_us / 10),
	dropped, refused,
	# Between the signals to the two processes a few cycles may pass.
	missing: ((.period_frames / 8) as $blocks | .report.callbacks as $n
		| .watch.boxes | map([($n - 4) * $blocks - .frames, 0] | max) | add),
	unheard: .watch.ring_drops, watched: (.watch.boxes | length),
	dry: (.watch.boxes | map(.dry) | add), full: (.watch.boxes | map(.full) | add),
	fewest_blocks: (.watch.boxes | map(.level_min) | min), most_blocks: (.watch.boxes | map(.level_max) | max),
	callback_p50_us: .report.p50_us, callback_p99_us: .report.p99_us, callback_p999_us: .report.p999_us,
	callback_max_us: .report.max_us, work_p50_us: .report.span_p50_us, work_p99_us: .report.span_p99_us,
	half_period_us: (.period_frames * 5e5 / .rate_hz),
	xruns: .report.xruns, gap_p999_us: .report.gap_p999_us, gap_max_us: .report.gap_max_us,
	kicks_per_s: (.report.sendto * 1e6 / .wall_us), other_kicks_per_s: (.report.sendto_elsewhere * 1e6 / .wall_us)}
	| .lost = .dropped + .refused + .missing end;
def rate_aims: if . == null then empty else
	"\(.boxes) boxes, \(.rate_hz) Hz, period \(.period_frames): " as $what
	| aim("rate_lost"; $what + "frames lost"; .lost; 0),
	aim("rate_dry"; $what + "blocks that a box did not have in time"; .dry; 0),
	aim("rate_callback"; $what + "callback p99.9, µs, to half a period"; .callback_p999_us; .half_period_us | round) end;

# --- memory ---

def mb: . / 1024;
def memory_summary: part("memory") | map(del(.part));
def memory_aims: .[] | (if .boxes == 1 then 8 else 16 end) as $limit
	| aim("memory_\(.boxes)"; "\(.boxes) box\(if .boxes == 1 then "" else "es" end): resident, MB"; .rss_kb | mb; $limit);

# --- start ---

# The longest that a box makes us wait for its answer; what follows is the stream.
def answer_ms: 1010;
def start_summary: part("start") | group_by(.boxes) | map({boxes: .[0].boxes,
	asked_ms: (map(.asked_ms) | spread), streamed_ms: (map(.streamed_ms) | spread)}
	| .longest_ms = ([.asked_ms.median + answer_ms, .streamed_ms.highest] | max));
def start_aims: .[] | aim("start_\(.boxes)";
	"\(.boxes) box\(if .boxes == 1 then "" else "es" end): the longest start, s"; .longest_ms / 1000; 1.2);

# --- channels ---

def channel_figures: {cpu_percent: (.cpu_ns / .wall_us / 10), callback_p50_us: .p50_us, callback_p99_us: .p99_us};
def channels_summary: part("channels") | group_by([.boxes, .channels])
	| map({boxes: .[0].boxes, channels: .[0].channels} + (map(channel_figures) | spreads));
def with_channels($boxes; $n): map(select(.boxes == $boxes and .channels == $n) | channel_figures);
# Of each number of boxes: nothing connected to all channels, and 8 channels to one.
def channels_ratios: part("channels") | . as $runs | map(.boxes) | unique | map(. as $boxes
	| {boxes: $boxes,
	none_to_all: (reduce ("cpu_percent", "callback_p50_us") as $k ({};
		.[$k] = ratio($k; $runs | with_channels($boxes; 0); $runs | with_channels($boxes; 8)))),
	all_to_one: (reduce ("cpu_percent", "callback_p50_us") as $k ({};
		.[$k] = ratio($k; $runs | with_channels($boxes; 8); $runs | with_channels($boxes; 1))))});
def channels_aims: .[] | "\(.boxes) boxes: " as $what
	| aim("channels_none_\(.boxes)"; $what + "CPU with nothing connected to that with all channels"; .none_to_all.cpu_percent.median; 0.99),
	aim("channels_none_callback_\(.boxes)"; $what + "time in the callback (p50) with nothing connected to that with all channels";
		.none_to_all.callback_p50_us.median; 0.95),
	aim("channels_cpu_\(.boxes)"; $what + "CPU with 8 channels to that with 1"; .all_to_one.cpu_percent.median; 8),
	aim("channels_callback_\(.boxes)"; $what + "time in the callback (p50) with 8 channels to that with 1";
		.all_to_one.callback_p50_us.median; 8);

def summary: . as $runs | {kind: "limits", about: $about, rate: rate_summary, memory: memory_summary,
	start: start_summary, channels: channels_summary, channels_ratios: channels_ratios, runs: $runs}
	| .aims = [(.rate | rate_aims), (.memory | memory_aims), (.start | start_aims), (.channels_ratios | channels_aims)];

# --- The tables ---

def row($first): (.[0] | left($first)) + (.[1:] | map(left(21)) | join("")) | sub(" +$"; "");

def rate_table: .rate | "",
	"\(.boxes) boxes, \(.rate_hz) Hz, period \(.period_frames): \(.frames_per_s | round) frames a second, \(.seconds | fixed(1)) s",
	"  lost                        \(.lost) (\(.dropped) dropped here, \(.refused) by the interface, \(.missing) missing at \(.watched) boxes)",
	"  blocks not there in time    \(.dry), of \(.watched) boxes; in a queue \(.fewest_blocks) to \(.most_blocks) blocks",
	"  callback, µs                p50 \(.callback_p50_us | fixed(1)), p99 \(.callback_p99_us | fixed(1)), "
		+ "p99.9 \(.callback_p999_us | fixed(1)), longest \(.callback_max_us | fixed(1)); half a period is \(.half_period_us | fixed(1))",
	"  with what follows, µs       p50 \(.work_p50_us | fixed(1)), p99 \(.work_p99_us | fixed(1)); the whole period is \(.half_period_us * 2 | fixed(1))",
	"  CPU, % of a core            \(.cpu_percent | fixed(1))",
	"  the machine                 \(.xruns) xruns; the longest wait for a callback \(.gap_max_us | fixed(0)) µs, "
		+ "99.9 % under \(.gap_p999_us | fixed(0))",
	if .unheard > 0 then "  not heard by the listener   \(.unheard) frames: what is said of the boxes is not sure" else empty end;

def memory_table: "", "Resident, MB (without JACK's shared memory and the rings):",
	(["boxes", "resident", "proportional", "libraries", "program", "heap", "stack, other", "rings"] | row(7)),
	(.memory[] | .parts as $p | [(.boxes | tostring), (.rss_kb, .pss_kb, $p.libraries.rss_kb, $p.program.rss_kb,
		$p.heap.rss_kb, ($p.stack.rss_kb + $p.anonymous.rss_kb), $p.rings.rss_kb | mb | fixed(2))] | row(7));

def start_table: "", "From exec to the wire, ms:",
	(["boxes", "to the first frame", "to the stream", "at the most, with an answer after 1.01 s"] | row(7)),
	(.start[] | [(.boxes | tostring), (.asked_ms, .streamed_ms | cell(0)), (.longest_ms | fixed(0))] | row(7));

def channels_table: "", "Channels connected, of each box:",
	(["boxes", "channels", "CPU, % of a core", "callback µs, p50", "p99"] | row(7)),
	(.channels[] | [(.boxes | tostring), (.channels | tostring), (.cpu_percent | cell(2)),
		(.callback_p50_us, .callback_p99_us | cell(1))] | row(7));

summary | if $format == "json" then . elif $format == "aims" then .aims | aims_text
	elif $format == "rate" then rate_table elif $format == "memory" then memory_table
	elif $format == "start" then start_table else channels_table end
