# What a benchmark has written, as commands for gnuplot (plot.gp). $plot: which of the plots.
#
# Colours are those that people who see fewer of them can tell apart too; no line is told from another by its colour
# alone: each has its name at its end.

include "figures";

def blue: "#0072b2";
def orange: "#d55e00";
def green: "#009e73";
def grey: "#666666";
def purple: "#aa4499";

# --- What is drawn: panels of lines, each with points [x, y, lowest, highest], or of bars ---

# $y: a number, or its median and range.
def point($x; $y): if $y == null then empty elif $y | type == "number" then [$x, $y, $y, $y]
	else [$x, $y.median, $y.lowest // $y.low, $y.highest // $y.high] end;
def line($name; $colour; $dash; $unit; points): {name: $name, colour: $colour, dash: $dash, unit: $unit, points: [points]}
	| select(.points | length > 0);
def boxes($n): if $n == 1 then "1 box" else "\($n) boxes" end;
def short: if . >= 100 then fixed(0) elif . >= 10 then fixed(1) else fixed(2) end;

# Of a panel.
def highest: [.lines[].points[][1:4][], (.marks // [])[].y] | max;
# For panels that are to be compared.
def one_scale: (map(highest) | max) as $highest | map(.highest = $highest);
def machine: "Linux \(.kernel), \(.cores) × \(.cpu); \(.daemon)";
def runs: if .rounds == 1 then "one run of \(.seconds) s each"
	else "medians of \(.rounds) runs of \(.seconds) s by turns, bars from the lowest to the highest" end;
def rate: "\(.rate_hz / 1000) kHz, period \(.period_frames)";
def half_period: .period_frames / .rate_hz * 5e5;

# --- The plots ---

def sum_of($a; $b): if $a == null or $b == null then null
	else {median: ($a.median + $b.median), lowest: ($a.lowest + $b.lowest), highest: ($a.highest + $b.highest)} end;

def cpu: .about as $about | {
	title: "CPU by number of boxes, 8 channels each",
	subtitle: "\($about | rate); \($about | runs)",
	caption: [($about | machine), (
		"plain port: converts sample by sample, one sendto() a frame"
		+ (if any(.results[]; .floor) then ". Floor: the same frames filled and kicked, no audio" else "" end))],
	panels: [{
		xlabel: "boxes", ylabel: "CPU of all threads, % of one core",
		lines: [
			line("plain port"; orange; 1; " %"; .results[] | point(.boxes; .plain.cpu_percent)),
			line("ethlinkd"; blue; 1; " %"; .results[] | point(.boxes; .daemon.cpu_percent)),
			line("floor + idle JACK client"; grey; 2; " %"; .results[]
				| point(.boxes; sum_of(.floor.cpu_percent; .null.cpu_percent))),
			line("idle JACK client"; grey; 3; " %"; .results[] | select(.floor == null) | point(.boxes; .null.cpu_percent))
		]
	}]
};

# p50 and p99 of two programs.
def two_programs($results; $p50; $p99; $unit): [
	line("plain port, p99"; orange; 2; $unit; $results[] | point(.boxes; .plain[$p99])),
	line("plain port, p50"; orange; 1; $unit; $results[] | point(.boxes; .plain[$p50])),
	line("ethlinkd, p99"; blue; 2; $unit; $results[] | point(.boxes; .daemon[$p99])),
	line("ethlinkd, p50"; blue; 1; $unit; $results[] | point(.boxes; .daemon[$p50]))
];

def callback: .about as $about | .results as $results | {
	title: "Time in the realtime callback by number of boxes",
	subtitle: "\($about | rate); \($about | runs)",
	caption: [($about | machine), "plain port: converts sample by sample, one sendto() a frame"],
	panels: [{
		xlabel: "boxes", ylabel: "a callback, µs",
		marks: [{y: ($about | half_period), text: "half of the period: \($about | half_period | fixed(0)) µs"}],
		lines: two_programs($results; "callback_p50_us"; "callback_p99_us"; " µs")
	}]
};

def wire: ([.results[].period_frames] | min) as $period | (.about + {period_frames: $period}) as $about
	| [.results[] | select(.period_frames == $period)] as $results | {
	title: "From the start of the callback to the last frame of a box on the wire",
	subtitle: "\($about | rate); \($about | runs)",
	caption: [($about | machine), "plain port: converts sample by sample, one sendto() a frame, box after box"],
	panels: [
		{xlabel: "boxes", ylabel: "the average box, µs", lines: two_programs($results; "last_p50_us"; "last_p99_us"; "")},
		{xlabel: "boxes", ylabel: "the last of all boxes, µs", lines: two_programs($results; "all_p50_us"; "all_p99_us"; "")}
	] | one_scale
};

# The ways of one kind with the most frames at once.
def ways($kind): [.results[] | select(.kind == $kind)] | (map(.frames_per_cycle) | max) as $frames
	| {frames: $frames, bars: (map(select(.frames_per_cycle == $frames and .cpu_ns_per_frame != null and .ratio_to_ours != 0)
		| .cpu_ns_per_frame as $cpu | .ratio_to_ours as $ratio
		| {name: .way, points: [point(0; $cpu)], colour: (if $ratio == 1 then blue else "#a6a6a6" end),
			text: "\($cpu.median | fixed(0))  (\($ratio | fixed(2)))"}) | sort_by(.points[0][1]))};
def ways_plot($kind; $what; frames): .about as $about | ways($kind) as $ways | {
	title: "CPU of a frame by way of \($what)",
	subtitle: "\($ways.frames | frames); medians of \($about.rounds) rounds, lines from the lowest to the highest",
	caption: [($about | machine), "in brackets: the ratio to ours, median of the rounds"],
	panels: [{xlabel: "CPU, ns a frame", ylabel: "", bars: $ways.bars}]
};
def ring: ways_plot("send"; "sending"; "\(.) frames at once into a veth pair");
def receive: ways_plot("receive"; "receiving"; "\(. * 6000) frames a second from a veth pair");

def orders: ["box by box", orange, 1], ["random", purple, 3], ["block by block", green, 2], ["ethlinkd", blue, 1];
def switch_panel($results; depth; $title): {
	xlabel: "boxes", ylabel: "deepest queue of \($title), frames",
	lines: [orders as [$order, $colour, $dash] | line($order; $colour; $dash; ""; $results[]
		| select(.order == $order and .fits) | point(.boxes; depth))]
};
def switch: 1024 as $period
	| [.results[] | select(.rate_hz == 48000 and .period_frames == $period and (.uplink | not))] as $results | {
	title: "How deep a switch's queues get, by the order of a period's frames",
	subtitle: ("48 kHz, period \($period); \(.about.host_mbps) Mbit/s from the host, a port of \(.about.box_mbps) Mbit/s "
		+ "for each box, frames of \(.about.frame_bytes) bytes"),
	caption: ["simulated: \(.about.program), store and forward; a frame counts until its last bit has left"],
	panels: [
		switch_panel($results; .first_switch.port_frames; "one port"),
		switch_panel($results; .first_switch.all_frames; "all ports together")
	]
};

# A value by channels, a line for the fewest boxes and one for the most; the input is a list of {boxes, channels, ...}.
def by_channels($key; $ylabel): . as $all | {xlabel: "connected channels of a box", ylabel: $ylabel,
	lines: [[(map(.boxes) | max), orange, 1], [(map(.boxes) | min), blue, 2] | . as [$boxes, $colour, $dash]
		| line(boxes($boxes); $colour; $dash; ""; $all[] | select(.boxes == $boxes) | point(.channels; .[$key]))]};
def cycle: {
	title: "What a frame costs before it gets to the kernel",
	subtitle: "the daemon's own code, in memory; period \(.about.period_frames // .period), \(.kernels) kernels",
	caption: [.about | select(.kernel) | machine],
	panels: (.results | [by_channels("ns_per_frame"; "ns a frame, warm caches"),
		by_channels("ns_per_frame_cold"; "ns a frame, cold caches")] | map(select(.lines | length > 0)) | one_scale)
};

# Channels are always measured at 48 kHz.
def channels: (.about + {rate_hz: 48000, seconds: (.about.short_seconds // .about.seconds)}) as $about | {
	title: "What channels cost that are connected to something",
	subtitle: "\($about | rate); \($about | runs)",
	caption: [$about | machine],
	panels: (.channels | [by_channels("cpu_percent"; "CPU of all threads, % of one core"),
		by_channels("callback_p50_us"; "a callback, median, µs")])
};

# --- As commands ---

# For gnuplot, in single quotes.
def quoted: "'" + gsub("'"; "''") + "'";
# At most five steps of 1, 2 or 5 times a power of ten.
def step_to($highest): ($highest / 5) as $s | pow(10; $s | log10 | floor) as $unit
	| first([1, 2, 5, 10][] * $unit | select(. >= $s * 0.999));
# Texts beside a panel, from below: none closer to the one under it than $gap.
def apart($gap): sort_by(.y) | reduce .[] as $l ([]; . + [$l + {y: ([$l.y, ((.[-1].y // -infinite) + $gap)] | max)}]);

def words($text; $at; $align; $colour; $size): "set label \($text | quoted) at \($at) \($align) "
	+ "textcolor rgb '\($colour)' font 'sans,\($size)'";
def panel_frame($i; $n): "set lmargin at screen \(if $i == 0 then 0.06 else 0.57 end)",
	"set rmargin at screen \(if $n == 1 then 0.69 else if $i == 0 then 0.31 else 0.81 end end)",
	"set xlabel \(.xlabel | quoted)",
	words(.ylabel; "screen \(if $i == 0 then 0.015 else 0.53 end), screen 1 - 80.0 / size_y"; "left"; "#222222"; 13);

def lines_panel($size; $apart): ((.highest // highest) * 1.04) as $highest
	| step_to($highest) as $step | (($highest / $step | ceil) * $step) as $top
	| ([.lines[].points[][0]] | unique) as $xs
	# Numbers that would touch the one before are left out.
	| (reduce $xs[] as $x ([]; if length == 0 or $x - .[-1] >= $xs[-1] * $apart then . + [$x] else . end)
		| map("\(.)") | join(", ")) as $tics
	| "set xrange [0:\($xs[-1] * 1.02)]", "set yrange [0:\($top)]", "set xtics (\($tics))", "set ytics \($step)",
	((.marks // [])[] | "set arrow from graph 0, first \(.y) to graph 1, first \(.y) nohead linestyle 10",
		words(.text; "graph 0.015, first \(.y + $top * 0.025)"; "left"; "#444444"; 12)),
	([.lines[] | .points[-1][1] as $y
		| {y: $y, colour, text: "\(.name)  \($y | if $top >= 100 then fixed(0) else short end)\(.unit)"}]
		| apart($top * 0.062)[] | words(.text; "graph 1.03, first \(.y)"; "left"; .colour; $size)),
	"$data << END", (.lines[] | (.points[] | map(tostring) | join(" ")), "", ""), "END",
	"plot " + ([.lines | to_entries[]
		| "$data index \(.key) using " + (if .value.points | length > 9 then "1:2 with lines" else
			"1:2:3:4 with yerrorlines pointtype \(if .value.dash == 1 then 7 else 6 end) pointsize 0.55" end)
			+ " linecolor rgb '\(.value.colour)' linewidth 2 dashtype \(.value.dash) title \(.value.name | quoted)"]
		| join(", "));

def bars_panel: (.bars | length) as $n | (([.bars[].points[0][3]] | max) * 1.04) as $highest
	| step_to($highest) as $step | (($highest / $step | ceil) * $step) as $right
	| "set lmargin at screen \((([.bars[].name | length] | max) * 7.2 + 20) / 800)", "set rmargin at screen 0.86",
	"set grid noytics xtics linestyle 9", "set border 1 linecolor rgb '#888888'",
	"set xrange [0:\($right)]", "set yrange [\($n - 0.4):-0.6]", "set xtics \($step)",
	"set ytics scale 0 (\([.bars | to_entries[] | "\(.value.name | quoted) \(.key)"] | join(", ")))",
	(.bars | to_entries[] | words(.value.text; "first \(.value.points[0][3] + $right * 0.012), first \(.key)"; "left"; "#222222"; 12)),
	"$data << END", (.bars | to_entries[] | "\(.value.points[0][1:4] | map(tostring) | join(" ")) \(.key) \(.value.colour)"), "END",
	"plot $data using ($1 / 2):4:($1 / 2):(0.36):(rgb(strcol(5))) with boxxyerror fillstyle solid noborder linecolor rgb variable title 'median', "
		+ "$data using 1:4:2:3 with xerrorbars pointtype 0 linecolor rgb '#222222' linewidth 1.5 title 'lowest to highest'";

def commands: (.panels | length) as $n
	| (.panels[0].bars // [] | length) as $bars
	| "# title: \(.title | @html)", "size_y = \(if $bars > 0 then 145 + 23 * $bars else 460 end)", "load 'plot.gp'",
	words(.title; "screen 0.015, screen 1 - 24.0 / size_y"; "left"; "#111111"; 17),
	words(.subtitle; "screen 0.015, screen 1 - 47.0 / size_y"; "left"; "#444444"; 12),
	(.caption | reverse | to_entries[] | words(.value; "screen 0.015, screen \(11 + 15 * .key).0 / size_y"; "left"; "#666666"; 11)),
	"set tmargin at screen 1 - \(if $bars > 0 then 68 else 96 end).0 / size_y",
	"set bmargin at screen \(60 + 16 * (.caption | length)).0 / size_y",
	"set multiplot",
	(.panels | to_entries[] | .key as $i | .value
		| panel_frame($i; $n), (if .bars then bars_panel elif $n == 1 then lines_panel(13; 0.03) else lines_panel(12; 0.07) end),
			"unset label", "unset arrow"),
	"unset multiplot";

(if $plot == "cpu" then cpu elif $plot == "callback" then callback elif $plot == "wire" then wire
	elif $plot == "channels" then channels elif $plot == "ring" then ring elif $plot == "receive" then receive
	elif $plot == "switch" then switch elif $plot == "cycle" then cycle
	else error("there is no plot \($plot)") end)
	| if any(.panels[]; (.lines // .bars) | length > 0) then commands else error("nothing that \($plot) could be drawn from") end
