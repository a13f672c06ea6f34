#!/bin/bash
# A comparison that overlooks a difference would make every other test worthless: recordings with known
# damage must be judged so.
# BUILD is the build folder (default: the current one).
# shellcheck disable=SC2016 # the dollars are perl's
set -u

build=${BUILD:-.}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

"$build/tests/tools/jack-feed" --music --seconds 1 --save-only 48000 --save "$dir/source.wav" || exit 1

# damage FILE STATEMENTS: the source as a recording; @f holds its frames, 32 bytes each, and STATEMENTS change them.
damage() {
	perl -e '
		my ($in, $out, $change) = @ARGV;
		open(my $i, "<:raw", $in) or die;
		local $/;
		my $wav = <$i>;
		my $at = index($wav, "data");
		my @x = unpack("f<*", substr($wav, $at + 8));
		my @f = unpack("(a32)*", pack("l<*", map { sprintf("%.0f", $_ * 2147483648) } @x));
		my $zero = "\0" x 32;
		eval $change;
		die $@ if $@;
		my $data = join("", @f);
		open(my $o, ">:raw", $out) or die;
		print $o "RIFF", pack("V", 36 + length $data), "WAVEfmt ", pack("VvvVVvv", 16, 1, 8, 48000, 48000 * 32, 32, 32),
			"data", pack("V", length $data), $data;
	' "$dir/source.wav" "$1" "$2"
}

# judged NAME STATEMENTS STATUS KEY=VALUE...
judged() {
	local name=$1 change=$2 expected=$3 found status pair

	shift 3
	damage "$dir/recording.wav" "$change" || exit 1
	found=$("$build/tests/tools/wav-compare" --source "$dir/source.wav" "$dir/recording.wav" 2> /dev/null)
	status=$?
	for pair in "$@"; do
		if ! grep -q "\"${pair%=*}\": ${pair#*=}[,}]" <<< "$found" || [ "$status" -ne "$expected" ]; then
			printf 'not ok - %s: %s expected, status %d: %s\n' "$name" "$pair" "$status" "$found"
			failed=1
			return
		fi
	done
	printf 'ok - %s\n' "$name"
}

judged "the same" '' 0 identical=true gaps=0 frames_compared=48000
judged "silence around it" 'unshift @f, ($zero) x 1001; push @f, ($zero) x 77' 0 identical=true gaps=0
judged "a block of silence" 'splice @f, 20000, 0, ($zero) x 8' 1 \
	identical=false gaps=1 zero_frames_inside=8 extra_frames=8 missing_frames=0 first_difference_frame=20000
judged "three periods missing" 'splice @f, $_, 64 for (30000, 20000, 10000)' 1 \
	gaps=3 missing_frames=192 extra_frames=0 frames_compared=47808
judged "a period twice" 'splice @f, 20000, 0, @f[19936..19999]' 1 gaps=1 missing_frames=0 extra_frames=64 zero_frames_inside=0
judged "one bit" 'substr($f[20000], 4, 1) ^= "\1"' 1 gaps=1 missing_frames=1 extra_frames=1 first_difference_frame=20000
judged "two channels exchanged" '$_ = substr($_, 4, 4) . substr($_, 0, 4) . substr($_, 8) for @f' 1 identical=false
judged "the end missing" 'splice @f, -100' 1 gaps=1 missing_frames=100
judged "the beginning missing" 'splice @f, 0, 10' 1 gaps=1 missing_frames=10 first_difference_frame=0
judged "more at the end" 'push @f, @f[1000..1098]' 1 gaps=1 extra_frames=99
judged "nothing but silence" '@f = ($zero) x 5000' 1 identical=false missing_frames=48000 frames_compared=0
judged "empty" '@f = ()' 1 identical=false missing_frames=48000
exit $failed
