#!/bin/bash
# ethlinkctl at a running daemon: every command and every error, by exit status and text; gains and mutes reach the box
# in time and one channel after the other; names are completed from the daemon.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"

OUT=
STATUS=0
top=$(cd "$(dirname "$0")/../.." && pwd)

write_conf() {
	nt_config "[device stage]" "model = dac8" "serial = 0" "labels = Main L, Main R" "gain = -3, 0, 0, 0, 0, 0, 0, 0" \
		"[device front-left]" "model = dac8" "serial = 1" "mute = yes" "$@"
}

starts() {
	write_conf
	nt_jackd 48000 64 &&
		watch_emu emu "$NT_BOX_IF" --dac 0-1 --log-changes "$PROCS_DIR/changes" &&
		nt_daemon && nt_wait_state stage online && nt_wait_state front-left online
}

# What it prints, errors included, in OUT.
ctl() {
	OUT=$(nt_ctl "$@" 2>&1)
	STATUS=$?
}

# gives STATUS TEXT ARG...: exactly this text.
gives() {
	local status=$1 text=$2

	shift 2
	ctl "$@"
	[ "$STATUS" -eq "$status" ] && [ "$OUT" = "$text" ] && return 0
	printf '# ethlinkctl %s: status %s, not %s, and said:\n' "$*" "$STATUS" "$status"
	printf '%s\n' "$OUT" | sed 's/^/#   /'
	return 1
}

# says STATUS PATTERN ARG...: something that matches.
says() {
	local status=$1 pattern=$2

	shift 2
	ctl "$@"
	[ "$STATUS" -eq "$status" ] && grep -qE -- "$pattern" <<< "$OUT" && return 0
	printf '# ethlinkctl %s: status %s, not %s, or not like %s; said:\n' "$*" "$STATUS" "$status" "$pattern"
	printf '%s\n' "$OUT" | sed 's/^/#   /'
	return 1
}

numbered() {
	local k

	for k in 1 2 3 4 5 6 7 8; do
		printf '%s %s\n' "$k" "${!k}"
	done
}

box_has() {
	[ "$(jq -c ".boxes[$1].gain_db" "$PROCS_DIR/emu.json")" = "$2" ]
}

reads_and_sets() {
	gives 0 "$(numbered -3 0 0 0 0 0 0 0)" gain stage && gives 0 "-3" gain stage 1 &&
		gives 0 "" gain stage 2 -6 && gives 0 "-6" gain stage 2 &&
		gives 0 "" gain stage 3 +3 && gives 0 "3" gain stage 3 &&
		gives 0 "" gain stage all -56 && gives 0 "$(numbered -56 -56 -56 -56 -56 -56 -56 -56)" gain stage all &&
		gives 0 "" gain stage 8 24 && gives 0 24 gain stage 8 &&
		procs_until 2 "the gains at the box" box_has 0 "[-56,-56,-56,-56,-56,-56,-56,24]"
}

mutes() {
	gives 0 "$(numbered off off off off off off off off)" mute stage && gives 0 "" mute stage 3 on &&
		gives 0 on mute stage 3 && gives 0 "" mute stage 3 toggle && gives 0 off mute stage 3 &&
		gives 0 "" mute stage 8 toggle && gives 0 "" mute stage all toggle &&
		gives 0 "$(numbered on on on on on on on on)" mute stage all &&
		procs_until 2 "the mutes at the box" box_has 0 "[null,null,null,null,null,null,null,null]" &&
		gives 0 "" mute stage all toggle && gives 0 off mute stage 8 && gives 0 "" mute stage 1 off &&
		gives 0 "$(numbered on on on on on on on on)" mute front-left
}

resets() {
	gives 0 "" reset stage && gives 0 "$(numbered -3 0 0 0 0 0 0 0)" gain stage && gives 0 off mute stage 1 &&
		procs_until 2 "the gains at the box" box_has 0 "[-3,0,0,0,0,0,0,0]"
}

shows_status() {
	says 0 "^stage +dac8 0 +$NT_HOST_IF +online +[0-9.]+ ms +0 " status &&
		says 0 "^front-left +dac8 1 +$NT_HOST_IF +online " status &&
		says 0 "^ethlinkd [0-9.]+: jack, 48000 Hz, period 64 " status || return 1
	nt_ctl gain stage 2 -6 && nt_ctl mute stage 2 on &&
		says 0 "^ +1 +-3 +config +off +config .*  Main L$" status stage &&
		says 0 "^ +2 +-6 +run \(config 0\) +on +run \(config off\) .*  Main R$" status stage &&
		says 0 "^gain range +-56 to \+24 dB$" status stage && says 0 "^latency +[0-9.]+ ms, [0-9]+ sample frames$" status stage &&
		nt_ctl reset stage && ! nt_ctl status | grep -q $'\033'
}

# The documented keys, also of one box alone.
shows_json() {
	local keys='["name","model","serial","mac","interface","state","gain_db","mute","peak_dbfs","frames_sent",
		"frames_received","frames_dropped","replies","latency_frames","clock_ppm","gain_origin","mute_origin","phantom",
		"phantom_origin","labels","gain_min_db","gain_max_db","config_gain_db","config_mute","hold_dbfs","clips"]'

	nt_ctl status --json | jq -e --argjson keys "$keys" '(keys_unsorted == ["version", "backend", "connected", "sample_rate",
		"period", "xruns", "interfaces", "devices", "netvst"]) and (.devices | length == 2) and .netvst == [] and
		(.devices[] | keys_unsorted[0:($keys | length)] == $keys) and .devices[1].mute == [range(8) | true] and
		.devices[0].labels[1] == "Main R"' > /dev/null &&
		nt_ctl status front-left --json | jq -e '(.devices | length == 1 and .[0].name == "front-left") and .netvst == []' > /dev/null
}

lists_devices() {
	gives 0 $'stage\nfront-left' devices
}

# 0.5 of full scale on channel 1 while the levels are read.
meters_show() {
	local reading

	says 0 "^stage( +-){8}$" meters --once && says 0 "^dBFS +1 +2 " meters --once || return 1
	procs_start feed "${NT_AS_USER[@]}" "$NT_FEED" --server "$NT_SERVER" --client feed --pattern --endless \
		--lead-in 0 --target ethlink:stage/playback_
	procs_until 5 "levels of the counter" has_levels || return 1
	reading=$(nt_ctl meters stage --json --once)
	jq -e '.device == "stage" and (keys_unsorted == ["device", "peak_dbfs", "hold_dbfs", "clips"]) and
		([.peak_dbfs, .hold_dbfs, .clips | length] == [8, 8, 8]) and .peak_dbfs[0] <= .hold_dbfs[0]' \
		<<< "$reading" > /dev/null || { printf '# %s\n' "$reading"; return 1; }
	says 0 "^stage( +-?[0-9]+\.[0-9]){8}$" meters --once stage
}

has_levels() {
	nt_ctl meters stage --json --once | jq -e '.peak_dbfs | all(. != null)'
}

# It goes on until it is stopped, and over a restart of the daemon.
meters_go_on() {
	procs_start meters "$NT_CTL" --socket="$NT_RUN/control" meters --json stage
	procs_until 5 "five readings" has_lines 5 || return 1
	procs_stop ethlinkd && procs_until 5 "the word that the daemon is away" grep -q waiting "$PROCS_DIR/meters.err" &&
		: > "$PROCS_DIR/meters.out" && nt_daemon && procs_until 5 "readings after the restart" has_lines 5 &&
		nt_wait_state stage online && nt_wait_state front-left online || return 1
	procs_stop meters
	jq -e .device "$PROCS_DIR/meters.out" > /dev/null
}

has_lines() {
	[ "$(wc -l < "$PROCS_DIR/meters.out")" -ge "$1" ]
}

# A pipe whose reader has gone ends it.
meters_end_with_the_pipe() {
	timeout 5 "$NT_CTL" --socket="$NT_RUN/control" meters --json | head -n 1 | jq -e .device > /dev/null
	[ "${PIPESTATUS[0]}" -ne 124 ]
}

reloads() {
	write_conf "labels = L" && gives 0 "" reload && [ "$(nt_status '.devices[1].labels[0]')" = L ] || return 1
	write_conf "gian = 3" && says 1 "ethlinkd.conf:[0-9]+: .*gian" reload && says 1 "nothing was changed" reload || return 1
	write_conf && gives 0 "" reload
}

refuses_devices() {
	local no_box="ethlinkctl: error: there is no box 'nix'; there is: stage, front-left"

	gives 1 "$no_box" gain nix && gives 1 "$no_box" gain nix 1 0 && gives 1 "$no_box" mute nix && gives 1 "$no_box" mute nix 1 on &&
		gives 1 "$no_box" mute nix 1 toggle && gives 1 "$no_box" reset nix && gives 1 "$no_box" phantom nix &&
		gives 1 "$no_box" phantom nix 1-4 on && gives 1 "$no_box" status nix && gives 1 "$no_box" status --json nix &&
		gives 1 "$no_box" meters nix && gives 1 "$no_box" meters --once nix
}

refuses_values() {
	says 1 "99 dB.*-56 to \+24" gain stage 1 99 && says 1 "whole dB" gain stage 1 -6.5 &&
		says 1 "-57 dB.*-56 to \+24" gain stage all -57 &&
		says 2 "'0' is no channel; allowed are 1 to 8 and all" gain stage 0 && says 2 "'9' is no channel" gain stage 9 0 &&
		says 2 "'-6' is no channel" gain stage -6 && says 2 "'x' is no channel" mute stage x on &&
		says 2 "'nan' is no number of dB" gain stage 1 nan && says 2 "'inf' is no number" gain stage 1 inf &&
		says 2 "'0x10' is no number" gain stage 1 0x10 && says 2 "'' is no number" gain stage 1 "" &&
		says 2 "'1e400' is no number" gain stage 1 1e400 && says 2 "allowed is on, off or toggle" mute stage 1 maybe &&
		says 1 "has no phantom power" phantom stage && says 1 "has no phantom power" phantom stage 1-4 on &&
		says 2 "allowed are 1-4 and 5-8" phantom stage 1 on && says 2 "allowed is on or off" phantom stage 1-4 toggle &&
		gives 0 "$(numbered -3 0 0 0 0 0 0 0)" gain stage && gives 0 "$(numbered off off off off off off off off)" mute stage
}

refuses_command_lines() {
	local c

	for c in gain mute phantom reset; do
		says 2 "^ethlinkctl: error: $c needs the name of a box; see ethlinkctl $c --help$" "$c" || return 1
	done
	says 2 "does not know 'x'" gain stage 1 0 x && says 2 "does not know 'x'" mute stage 1 on x &&
		says 2 "does not know 'x'" phantom stage 1-4 on x && says 2 "does not know 'x'" reset stage x &&
		says 2 "does not know 'x'" reload x && says 2 "does not know 'x'" devices x &&
		says 2 "does not know '--jsn'" status --jsn && says 2 "does not know 'x'" status stage x &&
		says 2 "does not know '--jsn'" meters --jsn && says 2 "there is no command 'gian'; there is: status, gain," gian &&
		says 2 "a command is missing" && says 2 "exclude each other" --user status && says 2 "unrecognized" --nix status
}

helps() {
	local c

	says 0 "^Usage: ethlinkctl " --help && says 0 "^ethlinkctl [0-9]" --version || return 1
	for c in status gain mute phantom reset meters mixer netvst scan doctor devices reload; do
		says 0 "^Usage: ethlinkctl $c( |$)" "$c" --help && [ "$(wc -l <<< "$OUT")" -ge 3 ] || return 1
		nt_ctl --help | grep -qE "^  $c +[a-z]" || return 1
	done
}

no_full_disk() {
	nt_ctl status > /dev/full 2> "$PROCS_DIR/full.err"
	[ $? -eq 1 ] && grep -q "could not be written: No space left" "$PROCS_DIR/full.err"
}

changes_since() {
	tail -n +$(($1 + 1)) "$PROCS_DIR/changes"
}

n_changes() {
	wc -l < "$PROCS_DIR/changes"
}

changed() {
	[ "$(changes_since "$1" | wc -l)" -ge "$2" ]
}

# in_time SERIAL CHANNEL DB ARG...: at the box within 50 ms of the start of ethlinkctl ARG..., five times. A machine that
# stalls is forgiven once.
in_time() {
	local serial=$1 channel=$2 db=$3 n start late=0 i took

	shift 3
	for i in 1 2 3 4 5; do
		settle || return 1
		n=$(n_changes)
		start=${EPOCHREALTIME/./}
		nt_ctl "$@" && procs_until 2 "the change" changed "$n" 1 || return 1
		took=$(changes_since "$n" | jq -s --argjson start "$start" --argjson serial "$serial" --argjson channel "$channel" \
			--argjson db "$db" 'if .[0] | [.serial, .channel, .gain_db] == [$serial, $channel, $db]
			then .[0].time_us - $start else 1e9 end')
		[ "$took" -le 50000 ] || { late=$((late + 1)); printf '# %s: %s us in turn %s\n' "$*" "$took" "$i"; }
	done
	[ "$late" -le 1 ]
}

settle() {
	nt_ctl reset stage && nt_ctl reset front-left && procs_until 2 "the boxes as configured" is_settled
}

is_settled() {
	box_has 0 "[-3,0,0,0,0,0,0,0]" && box_has 1 "[null,null,null,null,null,null,null,null]"
}

# All eight: each is told once, as dB, and between any two are 6 frames (1 ms at 48 kHz) at least.
one_a_millisecond() {
	local n

	settle || return 1
	n=$(n_changes)
	nt_ctl gain stage all -20 && procs_until 2 "eight changes" changed "$n" 8 || return 1
	changes_since "$n" | jq -s -e '(map(.channel) | sort == [range(1; 9)]) and all(.gain_db == -20) and
		([.[:-1], .[1:]] | transpose | all(.[1].frame - .[0].frame >= 6)) and
		.[7].time_us - .[0].time_us < 50000' > /dev/null && return 0
	changes_since "$n" | sed 's/^/# /'
	return 1
}

# The newest value wins, and what is in between may be left out; never more than one a millisecond.
many_changes() {
	local n i

	n=$(n_changes)
	for i in $(seq 1 24); do
		nt_ctl gain stage all "$i" || return 1
	done
	procs_until 2 "the last value" box_has 0 "[24,24,24,24,24,24,24,24]" || return 1
	changes_since "$n" | jq -s -e '[.[:-1], .[1:]] | transpose | all(.[1].frame - .[0].frame >= 6)' > /dev/null &&
		nt_ctl reset stage
}

# completes WANTED WORD...: what Tab offers behind these words.
completes() {
	local wanted=$1 got

	shift
	# shellcheck source=conf/completion/ethlinkctl
	got=$(
		. "$top/conf/completion/ethlinkctl"
		COMP_WORDS=("$NT_CTL" "--socket" "=" "$NT_RUN/control" "$@")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_ethlinkctl
		printf '%s\n' "${COMPREPLY[*]}"
	)
	[ "$got" = "$wanted" ] && return 0
	printf '# %s: offered %s\n' "$*" "$got"
	return 1
}

completion() {
	completes "stage front-left" gain "" && completes "front-left" mute f &&
		completes "all 1 2 3 4 5 6 7 8" gain stage "" && completes "on off toggle" mute stage 1 "" && completes "on off" mute stage 1 o && completes "1-4 5-8" phantom stage "" &&
		completes "mute meters mixer" m && completes "--json" status --j && completes "stage" status s &&
		completes "--json --once --help" meters -- && completes "--help" reload "" && completes "" gain stage 1 x &&
		completes "--probe" scan "$NT_HOST_IF" --p
}

# --- NetVST sections

# A client with somebody at the other end, one with nobody, and a server.
netvst_starts() {
	nv_server echo --port=0 --dialect=audiokit &&
		write_conf "[netvst reverb]" "role = client" "host = 127.0.0.1" "port = $NV_PORT" "dialect = audiokit" \
			"block = 128" "[netvst lost]" "role = client" "host = 127.0.0.1" "port = 1" \
			"[netvst daw]" "role = server" "port = 27099" &&
		gives 0 "" reload && nv_wait reverb online && nv_wait lost connecting && nv_wait daw listening
}

netvst_shown() {
	local c

	for c in status netvst; do
		says 0 "^reverb +client +online +127\.0\.0\.1:$NV_PORT +[0-9.]+ ms \([0-9]+\) +[0-9.]+ +[0-9]+$" "$c" &&
			says 0 "^lost +client +connecting +127\.0\.0\.1:1 +" "$c" && says 0 "^    .*[Cc]onnection refused" "$c" &&
			says 0 "^    it is tried again" "$c" &&
			says 0 "^daw +server +listening +127\.0\.0\.1:27099 +[0-9.]+ ms \([0-9]+\) +- +-$" "$c" &&
			says 0 "^  daw-1 +slot +free +- +- +- +-$" "$c" && says 0 "^  daw-2 +slot +free " "$c" || return 1
	done
	gives 0 "$(nt_ctl netvst daw)" status daw && says 0 "^reverb: client of 127.0.0.1:$NV_PORT, dialect audiokit, codec pcm, block 128$" netvst reverb &&
		says 0 "^round trip +[0-9.]+ ms median" netvst reverb && says 0 "^allowed +127\." netvst daw &&
		says 0 "^daw-2 +free$" netvst daw && ! nt_ctl netvst | grep -q $'\033'
}

netvst_json() {
	local keys='["name","role","state","dialect","codec","block","host","port","peer","latency_frames","latency_mode","rtt_us",
		"blocks_sent","blocks_received","late_blocks","late_episodes","skipped_blocks","bytes_sent","bytes_received",
		"compression_ratio","connects","overruns","midi_sent","midi_received","midi_lost","gain_db","mute","peak_dbfs",
		"callback_us","error","allow","refused","bad_peers","timeouts","slots"]'

	nt_ctl netvst --json | jq -e --argjson keys "$keys" '(keys == ["netvst"]) and
		(.netvst | map(.name) == ["reverb", "lost", "daw"] and all(keys_unsorted == $keys)) and
		(.netvst[0] | .rtt_us.median > 0 and (.rtt_us | keys_unsorted == ["median", "p90", "p99", "max"]) and .error == null and
			.gain_db == [0, 0] and .mute == [false, false] and .slots == [] and
			(.peak_dbfs | .send == [null, null] and has("return")) and .compression_ratio == null) and
		(.netvst[1] | .rtt_us == null and (.error | contains("refused"))) and
		(.netvst[2] | .allow != null and .refused == 0 and (.slots | length == 2) and
			(.slots[0] | .slot == 1 and .name == "daw-1" and .state == "free"))' > /dev/null &&
		nt_ctl status daw --json | jq -e '.devices == [] and (.netvst | length == 1 and .[0].name == "daw")' > /dev/null &&
		nt_ctl netvst daw --json | jq -e '.netvst | length == 1 and .[0].name == "daw"' > /dev/null
}

netvst_levels() {
	gives 0 "" netvst reverb gain return -6 && gives 0 -6 netvst reverb gain return && gives 0 0 netvst reverb gain send &&
		gives 0 "" netvst reverb gain all +12 && gives 0 $'send 12\nreturn 12' netvst reverb gain all &&
		gives 0 "" netvst reverb mute send && nv_is reverb '.mute == [true, false]' &&
		gives 0 "" netvst reverb mute all && gives 0 "" netvst reverb unmute send && nv_is reverb '.mute == [false, true]' &&
		gives 0 "" netvst reverb reset && nv_is reverb '.mute == [false, false] and .gain_db == [0, 0]' &&
		gives 0 "" netvst daw gain send -56 && nv_is daw '.gain_db == [-56, 0]' && gives 0 "" netvst daw reset
}

has_param() {
	[ "$(nv_server_event echo 'select(.event == "param") | "\(.effect) \(.param) \(.value)"')" = "$1" ]
}

netvst_param() {
	gives 0 "" netvst reverb param 1 2 0.25 && procs_until 5 "the parameter at the plug-in" has_param "1 2 0.25" &&
		says 1 "which has no parameters" netvst lost param 0 0 1 && says 1 "is a server" netvst daw param 0 0 1
}

netvst_refuses() {
	local none="ethlinkctl: error: there is no NetVST section 'nix'; there is: reverb, lost, daw"

	gives 1 "$none" netvst nix && gives 1 "$none" netvst nix --json && gives 1 "$none" netvst nix reset &&
		gives 1 "$none" netvst nix gain send 0 && gives 1 "$none" netvst nix gain send && gives 1 "${none/nix/stage}" netvst stage mute all &&
		gives 1 "ethlinkctl: error: there is no box or NetVST section 'nix'; there is: stage, front-left, reverb, lost, daw" status nix &&
		says 1 "13 dB.*-56 to \+12" netvst reverb gain send 13 && says 1 "-57 dB" netvst reverb gain send -57 &&
		says 1 "whole dB" netvst reverb gain send -6.5 && says 2 "allowed are send, return and all" netvst reverb gain left 0 &&
		says 2 "allowed is param, gain, mute, unmute and reset" netvst reverb play && nv_is reverb '.gain_db == [0, 0]'
}

netvst_names() {
	gives 0 $'stage\nfront-left' devices && gives 0 $'reverb\nlost\ndaw' devices --netvst &&
		gives 0 $'stage\nfront-left\nreverb\nlost\ndaw' devices --all && completes "reverb lost daw" netvst "" &&
		completes "reverb" netvst r && completes "--json" netvst --j && completes "reverb" status r &&
		completes "param gain mute unmute reset" netvst reverb "" && completes "send return all" netvst reverb gain "" &&
		completes "return" netvst reverb unmute r && completes "" netvst reverb gain send x && completes "netvst" n &&
		completes "--netvst" devices --n
}

# They fade out before they are gone.
netvst_gone() {
	says 1 "there is no NetVST section 'reverb', nor any other" netvst reverb reset
}

netvst_ends() {
	write_conf && gives 0 "" reload && procs_until 5 "the section to be gone" netvst_gone && procs_stop echo &&
		gives 0 "no NetVST section: add [netvst NAME] to ethlinkd.conf, see ethlinkd.conf(5)" netvst &&
		gives 0 "" devices --netvst
}

# Without a daemon names cannot be completed, and nothing is said about it.
completion_without() {
	completes "--help" gain "" 2> "$PROCS_DIR/completion.err" && [ ! -s "$PROCS_DIR/completion.err" ] &&
		completes "all" gain stage a
}

not_running() {
	local c

	procs_stop ethlinkd
	for c in status "status --json" netvst "netvst daw reset" "netvst daw gain all 0" "gain stage" "gain stage 1 0" "mute stage 1 on" "phantom stage" "reset stage" \
		"meters" "meters --once --json" reload; do
		# shellcheck disable=SC2086 # words
		says 1 "^ethlinkctl: error: ethlinkd does not run: there is no socket .*/control; start it" $c || return 1
		[ "$(wc -l <<< "$OUT")" -eq 1 ] || return 1
	done
	gives 1 "" devices && gives 1 "" devices --all
}

# A daemon that is stopped does not answer: it is said within some seconds.
hangs() {
	nt_daemon || return 1
	procs_signal ethlinkd STOP
	says 1 "ethlinkd does not answer; it may hang: restart it" gain stage 1 0 && gives 1 "" devices
	STATUS=$?
	procs_signal ethlinkd CONT
	return "$STATUS"
}

nt_begin
nv_begin
nt_check "two boxes are online" starts || nt_end
nt_check "gains are read and set, and arrive" reads_and_sets
nt_check "mutes are read, set and toggled, and arrive" mutes
nt_check "reset goes back to the configuration" resets
nt_check "status shows both boxes, and all about one" shows_status
nt_check "status as JSON has the documented keys" shows_json
nt_check "devices lists the names" lists_devices
nt_check "a box that does not exist is refused, with a list of those that do" refuses_devices
nt_check "what is out of range is refused, with what is allowed" refuses_values
nt_check "a wrong command line is refused with 2" refuses_command_lines
nt_check "every command has a help" helps
nt_check "a full disk is an error" no_full_disk
nt_check "a gain is at the box within 50 ms" in_time 0 2 -6 gain stage 2 -6
nt_check "a mute is at the box within 50 ms" in_time 0 3 null mute stage 3 on
nt_check "an unmuted channel is at the box within 50 ms" in_time 1 5 0 mute front-left 5 off
nt_check "eight gains go one channel a millisecond" one_a_millisecond
nt_check "many changes go one channel a millisecond, and the last one wins" many_changes
nt_check "meters show what is played" meters_show
nt_check "meters end with the pipe they write to" meters_end_with_the_pipe
nt_check "reload takes a right configuration and refuses a wrong one" reloads
nt_check "words are completed" completion
nt_check "NetVST sections come with a reload" netvst_starts
nt_check "they are shown, with what to do" netvst_shown
nt_check "as JSON they have the documented keys" netvst_json
nt_check "their gains and mutes are read and set" netvst_levels
nt_check "a parameter arrives at the plug-in" netvst_param
nt_check "what is wrong of them is refused, with what is allowed" netvst_refuses
nt_check "their names are listed and completed" netvst_names
nt_check "without them that is said" netvst_ends
nt_check "meters go on over a restart of the daemon" meters_go_on
nt_check "a daemon that does not run is status 1, and said" not_running
nt_check "words are completed without a daemon, in silence" completion_without
nt_check "a daemon that hangs is status 1, and said" hangs
nt_end
