# What the tables of benchmarks have in common: medians over the rounds, and columns of numbers.

def median: sort | length as $n
	| if $n == 0 then null elif $n % 2 == 1 then .[($n - 1) / 2] else (.[$n / 2 - 1] + .[$n / 2]) / 2 end;
def over($other): if . == null or $other == null or $other == 0 then null else . / $other end;
def spread: map(select(. != null)) | if length == 0 then null else {median: median, lowest: min, highest: max} end;
# Of each figure of many runs, which all have the same.
def spreads: . as $f | reduce ($f[0] | keys_unsorted[]) as $k ({}; .[$k] = ($f | map(.[$k]) | spread));

# Figure $k of some runs to that of others: the ratio of the medians; lowest and highest are those of the rounds.
def ratio($k; $one; $other): [$one, $other] | map(map(.[$k])) | {
	median: (map(median) | .[1] as $o | .[0] | over($o)),
	lowest: (transpose | map(.[1] as $o | .[0] | over($o)) | min),
	highest: (transpose | map(.[1] as $o | .[0] | over($o)) | max)
};

def fixed($digits): if . == null then "-" else
	(. < 0) as $negative | (fabs * pow(10; $digits) | round | tostring) as $s
	| ("0" * ([$digits + 1 - ($s | length), 0] | max) // "") + $s
	| (if $negative then "-" else "" end) + .[:length - $digits]
		+ (if $digits > 0 then "." + .[length - $digits:] else "" end)
	end;
def left($width): . + (" " * ([$width - length, 0] | max) // "");
def cell($digits): if . == null then "-" else
	(.median | fixed($digits)) + " (" + (.lowest | fixed($digits)) + "-" + (.highest | fixed($digits)) + ")" end;
def heading($about): "\(.boxes) \(if .boxes == 1 then "box" else "boxes" end), \($about.rate_hz) Hz, "
	+ "period \($about.period_frames): \(.boxes * $about.rate_hz / 8) frames a second; "
	+ "\($about.rounds) x \($about.seconds) s";

# --- What is to be reached ---

# A number that is to be no more than another one; null could not be measured.
def aim($id; $text; $value; $limit):
	{id: $id, text: $text, value: $value, limit: $limit, met: ($value != null and $value <= $limit)};
def aim_line: (if .met then "met      " else "NOT MET  " end) + .text + ": "
	+ (.value | fixed(2)) + ", at most \(.limit)";
def aims_text: if length == 0 then empty else "", "Aims:", (.[] | "  " + aim_line) end;
