#!/bin/bash
# The configuration read again while two boxes play: what changed is done, what did not change plays on without a lost
# frame; and where anything in it is wrong, nothing changes and every error is said with its line.
# Usage: test-reload.sh [CASE-FUNCTION]...
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"

daemon=()
stage=()
more=()
client=ethlink

# Two boxes and a spare one on the first interface, one on the second.
make_network() {
	nt_ip link add host1 type veth peer name box1 && nt_ip link set host1 up && nt_ip link set box1 up
}

write_conf() {
	nt_config "${daemon[@]}" "[device stage]" "model = dac8" "serial = ${serial:-0}" "${stage[@]}" \
		"[device hall]" "model = dac8" "serial = 1" "${more[@]}"
}

base() {
	daemon=("fade = 10")
	stage=()
	more=()
	serial=0
	rm -rf "$NT_CONF" "$NT_CONF.d"
	write_conf
}

# What ethlinkctl says goes to reload.err, its exit status is the function's.
reload() {
	: > "$PROCS_DIR/reload.err"
	nt_ctl reload > "$PROCS_DIR/reload.txt" 2>> "$PROCS_DIR/reload.err"
}

good_reload() {
	write_conf && reload
}

start() {
	base
	nt_jackd 48000 256 && watch_emu emu box0 --dac 0-2 && watch_emu emu1 box1 --dac 0 && nt_daemon &&
		procs_until 15 "both boxes to be online" nt_all_online && watch_feed
}

lsp() {
	jack_lsp -s "$NT_SERVER" "$@" 2> /dev/null
}

about() {
	lsp "$1" | awk -v port="$2" '$0 == port { on = 1; next } /^[^ \t]/ { on = 0 } on'
}

n_ports() {
	[ "$(lsp | grep -c "^$1")" -eq "$2" ]
}

connect_all() {
	local c d

	for d in "$@"; do
		for c in 1 2 3 4 5 6 7 8; do
			JACK_DEFAULT_SERVER=$NT_SERVER JACK_NO_START_SERVER=1 jack_connect "feed:out_$c" "$client:$d/playback_$c" \
				> /dev/null 2>&1
		done
	done
}

connections() {
	lsp -c | awk '/^[^ \t]/ { port = $0; next } port ~ /:stage\// { print port, $1 }' | sort
}

box() {
	jq -r ".boxes[${2:-0}].$1" "$PROCS_DIR/emu.json"
}

status_of() {
	nt_status ".devices[] | select(.name == \"$1\").$2"
}

# --- cases; each begins with two boxes that play by the base configuration

gain_changed() {
	local changes

	changes=$(box settings_changes)
	stage=("gain = -3,-4,-5,-6,-7,-8,-9,-10")
	good_reload && procs_until 3 "the gains" gains_are "[-3,-4,-5,-6,-7,-8,-9,-10]" && watch_kept emu/0 || return 2
	# One channel a frame.
	[ $(($(box settings_changes) - changes)) -eq 8 ] && [ "$(status_of stage 'gain_db[7]')" = -10 ]
}

gains_are() {
	[ "$(jq -c '.boxes[0].gain_db' "$PROCS_DIR/emu.json")" = "$1" ]
}

# The channel fades, so for the pattern all blocks are garbled from then on; and no frame is lost.
mute_changed() {
	local lost zeros

	lost=$(box frames_lost)
	zeros=$(box zero_blocks_mid_audio)
	stage=("mute = no,no,yes,no,no,no,no,no")
	good_reload && procs_until 3 "the mute" muted || return 1
	stage=()
	good_reload && procs_until 3 "no mute" gains_are "[0,0,0,0,0,0,0,0]" && watch_steady emu/0 30 || return 1
	[ "$(box frames_lost)" = "$lost" ] && [ "$(box zero_blocks_mid_audio)" = "$zeros" ] || return 2
}

muted() {
	[ "$(jq -c '.boxes[0].muted' "$PROCS_DIR/emu.json")" = "[false,false,true,false,false,false,false,false]" ]
}

nothing_changed() {
	good_reload && watch_more 50 && watch_kept emu/0 || return 2
}

# $1: hundredths of a second of the second box's own time
watch_more() {
	blocks=$(($(box blocks_played 1) + $1 * 60))
	procs_until 10 "the box to play on" played_blocks "$blocks"
}

played_blocks() {
	[ "$(box blocks_played 1)" -ge "$1" ]
}

device_added() {
	more=("[device spare]" "model = dac8" "serial = 2")
	good_reload && procs_until 3 "8 ports" n_ports ethlink:spare/playback_ 8 && nt_wait_state spare online 5 || return 1
	connect_all spare
	watch_steady emu/2 50 && watch_kept emu/0 || return 2
}

# It fades (some 60 blocks that are no longer the pattern), falls silent, and hears no more of us.
device_removed() {
	local garbled frames zeros

	zeros=$(box zero_blocks_mid_audio)
	garbled=$(box pattern_garbled)
	nt_config "[device hall]" "model = dac8" "serial = 1"
	reload && procs_until 3 "no ports" n_ports ethlink:stage/ 0 && watch_more 20 || return 1
	frames=$(box frames_received)
	garbled=$(($(box pattern_garbled) - garbled))
	printf '# %d blocks of fade\n' "$garbled"
	watch_more 30
	[ "$(box zero_blocks_mid_audio)" = "$zeros" ] || return 2
	[ "$(box frames_received)" = "$frames" ] && [ "$garbled" -ge 40 ] && [ "$garbled" -le 80 ] && [ "$(nt_status '.devices | length')" = 1 ]
}

# Ports and connections stay; the box that is no longer meant falls silent.
serial_changed() {
	local before frames

	before=$(connections)
	serial=2
	good_reload && nt_wait_state stage online 5 && watch_steady emu/2 50 || return 1
	frames=$(box frames_received)
	watch_more 30
	[ "$(box frames_received)" = "$frames" ] && [ "$(connections)" = "$before" ]
}

interface_changed() {
	local before frames

	before=$(connections)
	stage=("interface = host1")
	good_reload && nt_wait_state stage online 5 && watch_steady emu1 50 || return 1
	frames=$(box frames_received)
	watch_more 30
	[ "$(box frames_received)" = "$frames" ] && [ "$(connections)" = "$before" ] && [ "$(status_of stage interface)" = host1 ]
}

latency_to() {
	stage=("latency = $1")
	good_reload && procs_until 5 "the new latency" latency_is "$1" && nt_wait_state stage online 5 && watch_steady emu/0 50
}

latency_changed() {
	latency_to 600
}

# More than a box can take at once: from now on the periods are spread.
latency_paced() {
	latency_to 800 && watch_steady emu/1 50
}

latency_is() {
	[ "$(status_of stage latency_frames)" = "$1" ] && about -l ethlink:stage/playback_8 | grep -q "playback latency = \[ $1 $1 \]"
}

monitor_changed() {
	local before

	before=$(connections)
	stage=("monitor = yes")
	good_reload && procs_until 5 "monitor ports" n_ports ethlink:stage/monitor_ 8 && watch_steady emu/0 30 || return 1
	[ "$(connections)" = "$before" ] || return 1
	stage=()
	good_reload && procs_until 5 "no monitor ports" n_ports ethlink:stage/monitor_ 0 && watch_steady emu/0 30 &&
		[ "$(connections)" = "$before" ]
}

labels_changed() {
	stage=("labels = Main L, Main R")
	good_reload && procs_until 5 "the pretty names" property 'Main R' && watch_kept emu/0 || return 2
	stage=("labels = Haupt L, Haupt R")
	good_reload && procs_until 5 "other pretty names" property 'Haupt R' && watch_kept emu/0 || return 2
}

property() {
	JACK_DEFAULT_SERVER=$NT_SERVER jack_property -l 2> /dev/null | grep -qE "$1"
}

connect_changed() {
	stage=("connect = system:capture_1, , system:capture_2")
	good_reload && procs_until 5 "the connection" connected_to ethlink:stage/playback_3 system:capture_2 &&
		connected_to ethlink:stage/playback_1 system:capture_1
}

connected_to() {
	about -c "$1" | grep -q "$2"
}

fade_changed() {
	daemon=("fade = 100")
	good_reload && watch_more 30 && watch_kept emu/0 || return 2
}

# A thread sends, and the callback again, and who plays does not notice.
sender_changed() {
	local sender

	for sender in thread callback thread auto; do
		daemon=("log-level = debug" "sender = $sender")
		: > "$PROCS_DIR/ethlinkd.err"
		good_reload && watch_more 10 || return 1
		case $sender in
		thread) procs_until 3 "a thread to send" grep -qE 'by a thread' "$PROCS_DIR/ethlinkd.err" ;;
		callback) procs_until 3 "the callback to send" grep -qE "by the audio server's callback" "$PROCS_DIR/ethlinkd.err" ;;
		esac || return 1
		watch_kept emu/0 || return 2
	done
}

log_level_changed() {
	daemon=("log-level = error")
	good_reload && watch_kept emu/0 || return 2
	# Something that would be said, were the level not what it is now.
	: > "$PROCS_DIR/ethlinkd.err"
	nt_ip link set box1 down
	stage=("gain = -1")
	good_reload && procs_until 3 "the gain" gains_are "[-1,-1,-1,-1,-1,-1,-1,-1]"
	nt_ip link set box1 up
	[ ! -s "$PROCS_DIR/ethlinkd.err" ]
}

# All ports go and come under the new name; what was connected stays connected.
client_name_changed() {
	local before status=1

	before=$(connections)
	daemon=("client-name = hall-9")
	client=hall-9
	good_reload && procs_until 5 "ports under the new name" n_ports hall-9:stage/playback_ 8 && n_ports ethlink: 0 &&
		procs_until 10 "the boxes to be online" nt_all_online && watch_steady emu/0 30 && watch_steady emu/1 30 &&
		[ "$(connections)" = "${before//ethlink:/hall-9:}" ]
	status=$?
	client=ethlink
	return "$status"
}

drop_in() {
	mkdir -p "$NT_CONF.d"
	printf '[device stage]\ngain = -11\n' > "$NT_CONF.d/50-tonight.conf"
	reload && procs_until 3 "the drop-in's gain" gains_are "[-11,-11,-11,-11,-11,-11,-11,-11]" || return 1
	rm "$NT_CONF.d/50-tonight.conf"
	reload && procs_until 3 "the old gain" gains_are "[0,0,0,0,0,0,0,0]" && watch_kept emu/0 || return 2
}

hangup() {
	stage=("gain = -7")
	write_conf
	procs_signal ethlinkd HUP
	procs_until 3 "the gain" gains_are "[-7,-7,-7,-7,-7,-7,-7,-7]" && watch_kept emu/0 || return 2
}

# Nothing is as the file has it now.
unchanged() {
	watch_more 30
	gains_are "[0,0,0,0,0,0,0,0]" && n_ports ethlink:stage/ 8 && nt_in_state stage online && [ "$(connections)" = "$before" ] || return 1
	watch_kept emu/0 || return 2
}

# refused PATTERN...: the reload fails, and each is said to who asked, and in the log.
refused() {
	local before p

	before=$(connections)
	: > "$PROCS_DIR/ethlinkd.err"
	reload
	[ $? -eq 1 ] || return 1
	for p in "$@"; do
		grep -qE -- "$p" "$PROCS_DIR/reload.err" && grep -qE -- "$p" "$PROCS_DIR/ethlinkd.err" || {
			printf '# "%s" is not said\n' "$p"
			return 1
		}
	done
	unchanged
}

wrong_values() {
	stage=("gain = -3" "gian = 3" "latency = 961")
	write_conf
	refused 'ethlinkd\.conf:10: ' 'ethlinkd\.conf:11: latency'
}

wrong_drop_in() {
	mkdir -p "$NT_CONF.d"
	printf '[device stage]\ngain = 99\n' > "$NT_CONF.d/50-wrong.conf"
	refused '50-wrong\.conf:2: gain'
}

missing_file() {
	rm "$NT_CONF"
	refused 'ethlinkd\.conf: '
}

a_directory() {
	rm "$NT_CONF"
	mkdir "$NT_CONF"
	refused 'ethlinkd\.conf: '
}

duplicate_box() {
	stage=("gain = -3")
	more=("[device again]" "model = dac8" "serial = 1")
	write_conf
	refused 'ethlinkd\.conf:13: .*\[device hall\]'
}

wrong_hangup() {
	local before

	before=$(connections)
	: > "$PROCS_DIR/ethlinkd.err"
	stage=("gain = -3" "gian = 3")
	write_conf
	procs_signal ethlinkd HUP
	procs_until 3 "the error in the log" grep -q 'ethlinkd.conf:10: ' "$PROCS_DIR/ethlinkd.err" && unchanged
}

# --- one case: 0 right, 1 wrong, 2 something was lost: by whom?

prepare() {
	base
	reload && procs_until 5 "the ports" n_ports ethlink: 16 && procs_until 10 "both boxes to be online" nt_all_online || return 1
	connect_all stage hall
	watch_steady emu/0 30 && watch_steady emu/1 30
}

attempt() {
	local result

	prepare || { said="not ready"; return 1; }
	watch_faults
	watch_mark emu/0
	watch_mark emu/1
	"$1"
	result=$?
	[ "$result" -ne 1 ] || { said="wrong"; return 1; }
	[ "$2" = all ] || watch_kept emu/1 || result=2
	[ "$result" -ne 0 ] || return 0
	watch_faults
	said="a box that did not change lost something, $WATCH_FAULTS xruns and stalls"
	[ "$WATCH_FAULTS" -eq 0 ] || return 2
	return 1
}

# one TEXT CASE [all]: all boxes are concerned
one() {
	local try result

	if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $2 "* ]]; then
		return 0
	fi
	for try in 1 2 3; do
		attempt "$2" "${3:-}"
		result=$?
		[ "$result" -eq 2 ] || break
		printf '# %s: %s of this machine; not judged (%d)\n' "$1" "$said" "$try"
	done
	if [ "$result" -eq 0 ]; then
		nt_ok "$1"
	elif [ "$result" -eq 2 ]; then
		nt_ok "$1: passed around $WATCH_FAULTS xruns and stalls of this machine"
	else
		nt_not_ok "$1: $said"
		sed 's/^/# /' "$PROCS_DIR/reload.err"
	fi
}

wanted=("$@")
nt_begin
make_network && start || { nt_not_ok "start"; nt_end; }
one "nothing changed, nothing happens" nothing_changed
one "other gains: a channel a frame, nothing lost" gain_changed
one "another mute" mute_changed
one "a new device" device_added
one "a removed device fades and goes" device_removed
one "another serial number: another box plays, by the same ports" serial_changed
one "another interface" interface_changed
one "another latency" latency_changed
one "a latency that needs pacing" latency_paced
one "monitor ports come and go" monitor_changed
one "other labels" labels_changed
one "other connections" connect_changed
one "another fade" fade_changed
one "another sender: a thread, the callback" sender_changed
one "another log level" log_level_changed
one "another client name: it joins again under that" client_name_changed all
one "a drop-in comes and goes" drop_in
one "SIGHUP" hangup
one "wrong values: nothing changes, each is said" wrong_values
one "a wrong drop-in is named" wrong_drop_in
one "a missing file is named" missing_file
one "a directory instead of the file" a_directory
one "two sections for one box" duplicate_box
one "SIGHUP with a wrong file" wrong_hangup
nt_end
