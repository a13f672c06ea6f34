#!/bin/bash
# The terminal mixer in a terminal of its own (tmux): what it shows at 80x24 and 200x60 is what tests/screens has, its keys
# and the mouse reach the virtual box, changes made elsewhere show up, it outlives the daemon, and it leaves the terminal
# as it was.
# Usage: test-mixer.sh; with UPDATE=1 the files in tests/screens are written anew: look at them before they are kept.
# shellcheck disable=SC2317 # functions are called by name

# Whoever calls: without it tmux would print what it captures without its boxes and bars.
export LC_ALL=C.UTF-8

# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"

screens=$(cd "$(dirname "$0")/../screens" && pwd) || exit 1

# --- the terminal

mux() {
	tmux -u -S "$PROCS_DIR/tmux" "$@"
}


# LINES and COLUMNS would hide from the mixer how large the window is.
open_terminal() {
	LC_ALL=C.UTF-8 procs_start tmux env -u LINES -u COLUMNS -u TMUX tmux -u -S "$PROCS_DIR/tmux" -f /dev/null -D
	procs_until 5 "tmux" mux show-options -s && mux set -g default-terminal tmux-256color && mux set -g status off &&
		open_window
}

# A shell in a window of 80x24.
open_window() {
	mux new-session -d -x 80 -y 24 "PS1='\$ ' ENV= HISTFILE= bash --norc --noprofile -i" &&
		procs_until 5 "a shell" shows '^\$ $' || return 1
	type_line "PS1='\$ '; clear; stty -g > '$PROCS_DIR/tty.before'; echo 'the screen before'"
	procs_until 5 "the shell to be ready" shows '^the screen before$'
}

type_line() {
	mux send-keys -l "$1" && mux send-keys Enter
}

keys() {
	mux send-keys "$@"
}

screen() {
	mux capture-pane -p -N
}

# shows PATTERN: a line of the screen matches.
shows() {
	screen | sed 's/ *$/ /; s/^ $//' | grep -qE -- "${1/%\$/ *\$}"
}

shows_not() {
	! shows "$1"
}

# seen PATTERN [SECONDS]
seen() {
	procs_until "${2:-5}" "the screen to show $1" shows "$1" && return 0
	show_screen
	return 1
}

unseen() {
	procs_until 5 "the screen not to show $1" shows_not "$1" && return 0
	show_screen
	return 1
}

show_screen() {
	screen | sed 's/^/#  |/; s/ *$//'
}

size() {
	mux resize-window -x "$1" -y "$2"
}

# --- screens: meters and peaks move, and versions change

masked() {
	screen | sed -E 's/ethlinkd [0-9][0-9a-z.~+-]*:/ethlinkd VERSION:/; s/[▁▂▃▄▅▆▇█▔]/ /g; s/(latency) [0-9.]+ ms/\1 MASKED/g
		s/(peak)( +(-|[+-]?[0-9]+)){8}/\1 MASKED/g; s/ +$//'
}

same_screen() {
	masked | cmp -s - "$screens/$1.txt"
}

# As in the file of that name; with UPDATE=1 the file is made from what is there when PATTERN is.
screen_is() {
	if [ -n "${UPDATE:-}" ]; then
		seen "$2" && masked > "$screens/$1.txt"
		return
	fi
	procs_until 5 "the screen $1" same_screen "$1" && return 0
	masked | diff "$screens/$1.txt" - | sed 's/^/# /'
	return 1
}

# --- the box

box_gains() {
	jq -c '.boxes[0].gain_db' "$PROCS_DIR/emu.json"
}

box_has() {
	[ "$(box_gains)" = "$1" ]
}

arrives() {
	procs_until 3 "the box to have the gains $1" box_has "$1" && return 0
	printf '#   it has %s\n' "$(box_gains)"
	show_screen
	return 1
}

box_count() {
	jq -r ".boxes[0].$1" "$PROCS_DIR/emu.json"
}

# --- cases

start_all() {
	nt_config "[device stage]" "model = dac8" "serial = 0" \
		"labels = Main L, Main R, Größe, 日本語日本語, Sub, A label that is too long" \
		"[device hall]" "model = dac8" "serial = 1" "gain = -3,-6,-12,-24,-48,-56,12,24" "mute = no,yes,no,no,no,no,no,yes" \
		"[device attic]" "model = dac8" "serial = 65535"
	nt_jackd 48000 128 && watch_emu emu "$NT_BOX_IF" --dac 0-1 && nt_daemon && nt_wait_state stage online &&
		nt_wait_state hall online && nt_wait_state attic searching
}

start_mixer() {
	type_line "${1:+$1 }'$NT_CTL' --socket='$NT_RUN/control' mixer; echo \"ended with \$?\""
}

opens() {
	open_terminal && start_mixer && seen ' stage  dac8 0 .*online'
}

gains_by_keys() {
	keys Up && arrives "[1,0,0,0,0,0,0,0]" && seen '^dB +\+1 +0 ' &&
		keys Right && keys PageDown && arrives "[1,-6,0,0,0,0,0,0]" &&
		keys 8 && keys Down Down && arrives "[1,-6,0,0,0,0,0,-2]" && keys Home && keys 0 && arrives "[0,-6,0,0,0,0,0,-2]" &&
		keys End && keys 0 && keys 2 && keys 0 && arrives "[0,0,0,0,0,0,0,0]"
}

# 25 dB above 0 there is nothing, and nothing is refused.
ends_of_the_fader() {
	keys 1 && keys -N 5 PageUp && arrives "[24,0,0,0,0,0,0,0]" && seen '^dB +\+24 +0 ' &&
		keys -N 15 PageDown && arrives "[-56,0,0,0,0,0,0,0]" && shows_not 'refused' && keys 0 && arrives "[0,0,0,0,0,0,0,0]"
}

# A key that is held down: the box sees some of the values on the way, as many as the daemon confirms (one in 50 ms),
# and the last one.
held_down() {
	local before changes began i

	before=$(box_count gain_changes)
	keys 3
	procs_clock
	began=$PROCS_NOW
	for ((i = 0; i < 50; i++)); do
		keys Down
	done
	arrives "[0,0,-50,0,0,0,0,0]" || return 1
	procs_clock
	changes=$(($(box_count gain_changes) - before))
	printf '# 50 keys in %d ms made %d changes at the box\n' $((10 * (PROCS_NOW - began))) "$changes"
	[ "$changes" -ge 1 ] && [ "$changes" -le $((5 + (PROCS_NOW - began) / 4)) ] && keys 0 && arrives "[0,0,0,0,0,0,0,0]"
}

mutes_by_keys() {
	keys 2 && keys m && arrives "[0,null,0,0,0,0,0,0]" && seen '^mute +\[ \] +\[M\] +\[ \]' &&
		keys M && arrives "[null,null,null,null,null,null,null,null]" && seen '^mute( +\[M\]){8}' &&
		keys M && arrives "[0,0,0,0,0,0,0,0]" && seen '^mute( +\[ \]){8}'
}

# BUTTON COLUMN ROW, as the bytes that the terminal's description announces.
mouse_event() {
	local bytes

	printf -v bytes '\\x%02x' $(($1 + 32)) $(($2 + 33)) $(($3 + 33))
	# shellcheck disable=SC2059
	mux send-keys -l "$(printf '\e[M'"$bytes")"
}

# click COLUMN ROW PATTERN: pressed, and let go of when the screen shows the pattern.
click() {
	mouse_event 0 "$1" "$2" && seen "$3" && mouse_event 3 "$1" "$2"
}

wheel_up() {
	mouse_event 64 "$@"
}

wheel_down() {
	mouse_event 65 "$@"
}

# Strips are 9 columns wide from column 4 on; mutes stand in row 19. The terminal sends more than is of use here: after a
# button was let go of, what comes from the daemon is still seen.
by_mouse() {
	click 33 10 '<日本' && nt_ctl gain stage 4 -5 && seen '^dB +0 +0 +0 +-5 ' && wheel_up 33 10 &&
		arrives "[0,0,0,-4,0,0,0,0]" && wheel_down 15 10 && arrives "[0,-1,0,-4,0,0,0,0]" && seen '<Main R>' &&
		click 24 19 '^mute( +\[ \]){2} +\[M\]' && arrives "[0,-1,null,-4,0,0,0,0]" && seen '<Größe>' &&
		click 24 19 '^mute( +\[ \]){8}' && click 15 10 '<Main R>' && keys 0 && click 33 10 '<日本' && keys 0 &&
		arrives "[0,0,0,0,0,0,0,0]" && click 15 1 '<日本'
}

changed_elsewhere() {
	nt_ctl gain stage 1 -17 && seen '^dB +-17 +0 ' && nt_ctl mute stage 1 on && seen '^mute +\[M\] +\[ \]' &&
		nt_ctl reset stage && seen '^dB( +0){8}' && seen '^mute( +\[ \]){8}'
}

pages() {
	keys 1 && screen_is mixer-80x24 '<Main L>' && keys Tab && seen 'hall .*box 2|box 2 of 3' &&
		screen_is mixer-80x24-hall '^ hall ' && keys Tab && seen 'box 3 of 3' && screen_is mixer-80x24-attic ' attic ' &&
		keys Tab && seen 'box 1 of 3' && keys BTab && seen 'box 3 of 3' && keys Tab && seen 'box 1 of 3'
}

help_page() {
	keys '?' && screen_is mixer-help 'Any key goes back' && keys Up && seen ' stage .*online' && arrives "[0,0,0,0,0,0,0,0]"
}

wide() {
	size 200 60 && seen ' stage .* hall .* attic ' && screen_is mixer-200x60 ' attic '
}

too_small() {
	size 63 24 && seen '^needs 64x16$' && seen '^has 63x24, q quits$' && size 64 15 && seen '^has 64x15, q quits$' &&
		size 9 1 && seen '^needs 64x' && size 1 1 && seen '^n$' && size 64 16 && screen_is mixer-64x16 '<MainL>' &&
		size 80 24 && screen_is mixer-80x24 '<Main L>'
}

meters_move() {
	watch_feed --target ethlink:stage/playback_
	seen '[▁▂▃▄▅▆▇█]{2}' && unseen '^peak( +-){8}' && procs_stop feed && unseen '[▁▂▃▄▅▆▇█]{2}' && seen '^peak( +-){8}'
}

# A second of one channel at 3.004 (the bytes of that float are four "@") in a WAV file.
write_loud() {
	{
		printf 'RIFF\x24\xee\x02\x00WAVEfmt \x10\x00\x00\x00\x03\x00\x01\x00\x80\xbb\x00\x00\x00\xee\x02\x00\x04\x00\x20\x00'
		printf 'data\x00\xee\x02\x00'
		head -c 192000 /dev/zero | tr '\0' '@'
	} > "$1"
}

clip_marks() {
	write_loud "$PROCS_DIR/loud.wav"
	procs_start feed "$NT_FEED" --server "$NT_SERVER" --file "$PROCS_DIR/loud.wav" --target ethlink:stage/playback_
	seen '^ +CLIP ' && seen '^peak +\+10 ' && procs_wait feed 10 && seen '^peak( +-){8}' && shows '^ +CLIP ' && keys c &&
		unseen CLIP
}

# While it is away, keys move only the cursor.
outlives_the_daemon() {
	procs_stop ethlinkd KILL 2> /dev/null
	seen 'waiting for ethlinkd: ' && seen ' not known ' && keys Up Right && seen '<Main R>' && seen '^dB( +0){8}' &&
		nt_daemon && seen ' stage .* online' 15 && unseen 'waiting for' && keys Left Up && seen '^dB +\+1( +0){7}' &&
		arrives "[1,0,0,0,0,0,0,0]" && keys 0 && arrives "[0,0,0,0,0,0,0,0]"
}

boxes_come_and_go() {
	cp "$NT_CONF" "$PROCS_DIR/three.conf"
	nt_config "[device stage]" "model = dac8" "serial = 0"
	nt_ctl reload && unseen 'box . of' && seen '^ +<1> +2 +3 ' || return 1
	nt_config
	nt_ctl reload && seen '^ no boxes' && keys Up && keys Tab || return 1
	cp "$PROCS_DIR/three.conf" "$NT_CONF"
	nt_ctl reload && seen ' stage .* online' && screen_is mixer-80x24 '<Main L>'
}

# --- NetVST sections

# Their port is on the screen: it is always the same.
sections_are_pairs() {
	nt_config "[device stage]" "model = dac8" "serial = 0" "[netvst reverb]" "role = client" "host = 127.0.0.1" "port = 27016" \
		"[netvst daw]" "role = server" "port = 27017"
	nv_server echo --port=27016 && nt_ctl reload && nv_wait reverb online && nv_wait daw listening || return 1
	keys Tab && screen_is mixer-80x24-server '^ daw ' && keys Tab && screen_is mixer-80x24-client '^ reverb  client .*online'
}

pair_keys() {
	keys Up && procs_until 3 "the gain" nv_is reverb '.gain_db == [1, 0]' && seen '^dB +\+1 +0 ' && keys End && keys -N 3 PageUp &&
		procs_until 3 "the gain's end" nv_is reverb '.gain_db == [1, 12]' && keys m &&
		procs_until 3 "the mute" nv_is reverb '.mute == [false, true]' && seen '^mute +\[ \] +\[M\]' && keys M &&
		procs_until 3 "both mutes" nv_is reverb '.mute == [true, true]' && keys M &&
		procs_until 3 "no mute" nv_is reverb '.mute == [false, false]'
}

# The return stands two places, 18 columns, from the send.
pair_mouse() {
	click 6 10 '<send>' && wheel_down 24 10 && procs_until 3 "the gain" nv_is reverb '.gain_db == [1, 11]' &&
		click 24 19 '^mute +\[ \] +\[M\]' && click 24 19 '^mute( +\[ \]){2}' && click 60 10 '<return>'
}

pair_changed_elsewhere() {
	nt_ctl netvst reverb gain send -17 && seen '^dB +-17 +\+11 ' && nt_ctl netvst reverb mute send && seen '^mute +\[M\] +\[ \]' &&
		nt_ctl netvst reverb reset && seen '^dB( +0){2} ' && seen '^mute( +\[ \]){2}'
}

# What goes there comes back: both meters.
pair_meters() {
	nv_play_start --sine --seconds 60 --send ethlink:reverb/send_ --return ethlink:reverb/return_
	seen "^peak +-[67] +-[67] " 10 && seen "[▁▂▃▄▅▆▇█]{2}" && procs_stop play && seen '^peak( +-){2}'
}

pair_away() {
	procs_stop echo
	seen ' reverb .*○ connecting' && seen '[Cc]onnection refused' && nv_server echo --port=27016 && seen ' reverb .*● online'
}

pair_outlives_the_daemon() {
	procs_stop ethlinkd KILL 2> /dev/null
	seen 'waiting for ethlinkd: ' && nt_daemon && seen ' reverb .*● online' 15 && keys Home Up && procs_until 3 "the gain" nv_is reverb '.gain_db == [1, 0]' &&
		keys 0 && procs_until 3 "the gain" nv_is reverb '.gain_db == [0, 0]'
}

# The cursor stays with its box.
sections_go() {
	keys Tab && seen ' stage .* online' && keys 1 || return 1
	cp "$PROCS_DIR/three.conf" "$NT_CONF"
	nt_ctl reload && screen_is mixer-80x24 '<Main L>' && procs_stop echo
}

restored() {
	: > "$PROCS_DIR/tty.after"
	seen "^ended with $1\$" && shows '^the screen before$' && shows_not 'dac8' || return 1
	type_line "stty -g > '$PROCS_DIR/tty.after'; tput cnorm; clear; echo 'the screen before'"
	procs_until 5 "the terminal's settings" [ -s "$PROCS_DIR/tty.after" ] && cmp "$PROCS_DIR/tty.before" "$PROCS_DIR/tty.after" &&
		seen '^the screen before$' && unseen '^ended'
}

quits_by() {
	"$@" && restored 0
}

starts_again() {
	start_mixer "$@" && seen ' stage  dac8 0 .*online'
}

mixer_pid() {
	pgrep -P "$(mux display-message -p '#{pane_pid}')"
}

signalled() {
	starts_again && kill "-$1" "$(mixer_pid)" && restored 0
}

by_escape() {
	starts_again && keys Escape && restored 0
}

by_interrupt() {
	starts_again && keys C-c && restored 0
}

# ^Z gives the terminal back for as long as it lasts.
suspended() {
	starts_again && keys C-z && seen 'Stopped' && shows_not ' online ' && type_line "fg; echo \"back with \$?\"" &&
		seen ' stage .* online' && keys q && seen '^back with 0$' && type_line "clear; echo 'the screen before'" && unseen Stopped && seen '^the screen before$'
}

# Its terminal goes: it does not stay behind. (What the sanitizers do about leaks when it ends may miss its own signals
# then, and wait for ever.)
hung_up() {
	local pid

	starts_again ASAN_OPTIONS=detect_leaks=0 && pid=$(mixer_pid) && [ -n "$pid" ] && mux kill-pane && procs_until 5 "the mixer to end" gone "$pid"
}

# In a session of its own it gets no signal then.
hung_up_silently() {
	local pid

	open_window && starts_again "ASAN_OPTIONS=detect_leaks=0 setsid -w" && pid=$(pgrep -P "$(mixer_pid)") && [ -n "$pid" ] && mux kill-pane &&
		procs_until 5 "the mixer to end" gone "$pid"
}

gone() {
	! kill -0 "$1" 2> /dev/null
}

without_utf8() {
	starts_again LC_ALL=C && screen_is mixer-ascii '<Main L>' && ! screen | LC_ALL=C grep -q '[^ -~]' && keys q && restored 0
}

# says STATUS PATTERN CMD...
says() {
	local status=$1 pattern=$2 said

	shift 2
	said=$("$@" 2>&1 < /dev/null)
	[ $? -eq "$status" ] && grep -q -- "$pattern" <<< "$said" && return 0
	printf '# %s\n' "$said"
	return 1
}

refuses_what_it_cannot_do() {
	says 1 'needs a terminal' nt_ctl mixer && says 2 "does not know 'loud'" nt_ctl mixer loud || return 1
	start_mixer TERM=dumb && seen 'TERM=dumb' && seen '^ended with 1$' && type_line clear && unseen ended || return 1
	start_mixer TERM=nonsense && seen 'TERM=nonsense' && seen '^ended with 1$' && type_line clear && unseen ended || return 1
	type_line "'$NT_CTL' --socket='$PROCS_DIR/none' mixer; echo \"ended with \$?\""
	seen 'ethlinkd does not run' && seen '^ended with 1$' && type_line "clear; echo 'the screen before'" && unseen ended
}

nt_begin
nv_begin
if ! command -v tmux > /dev/null; then
	echo "# skipped: tmux is not installed"
	exit 77
fi
if "$NT_CTL" mixer --help | grep -q 'without the mixer'; then
	echo "# skipped: built without the mixer"
	exit 77
fi
nt_check "two boxes are online, and one is not there" start_all || nt_end
nt_check "the mixer opens" opens || nt_end
nt_check "the gain keys reach the box" gains_by_keys
nt_check "the fader ends where the box does" ends_of_the_fader
nt_check "a key that is held down does not queue up" held_down
nt_check "the mute keys reach the box" mutes_by_keys
nt_check "the mouse selects, mutes and turns" by_mouse
nt_check "changes made elsewhere show up" changed_elsewhere
nt_check "80x24: a box a page, Tab turns them" pages
nt_check "the help page" help_page
nt_check "200x60: three boxes beside each other" wide
nt_check "too small a window says how large it has to be" too_small
nt_check "the meters move" meters_move
nt_check "what is too loud is marked until c is pressed" clip_marks
nt_check "the daemon is killed and comes back" outlives_the_daemon
nt_check "boxes that come and go with a reload" boxes_come_and_go
nt_check "NetVST sections are pairs of strips" sections_are_pairs
nt_check "their gain and mute keys" pair_keys
nt_check "the mouse finds their strips" pair_mouse
nt_check "their changes made elsewhere show up" pair_changed_elsewhere
nt_check "their meters move" pair_meters
nt_check "the other end goes and comes back" pair_away
nt_check "their daemon is killed and comes back" pair_outlives_the_daemon
nt_check "the sections go with a reload" sections_go
nt_check "q leaves the terminal as it was" quits_by keys q
nt_check "so does Esc" by_escape
nt_check "so does ^C" by_interrupt
nt_check "so does SIGTERM" signalled TERM
nt_check "so does SIGHUP" signalled HUP
nt_check "^Z gives the terminal back for a while" suspended
nt_check "without UTF-8 it draws with ASCII" without_utf8
nt_check "what cannot be is said, with the exit status" refuses_what_it_cannot_do
nt_check "it ends with its terminal" hung_up
nt_check "also where no signal says so" hung_up_silently
nt_end
