#!/bin/bash
# The daemon on a session bus: what is there, what it does, what it tells, and what happens when the bus hangs or goes.
# Usage: test-dbus.sh [CASE-FUNCTION]...
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/dbus.sh
. "$(dirname "$0")/../lib/dbus.sh"

dbus_wanted=("$@")

start() {
	dbus_write_conf
	printf '\n[netvst daw-1]\nrole = server\nslots = 1\ndescription = Stage track\n' >> "$NT_CONF"
	dbus_start session && nt_jackd 48000 256 && nt_emu emu --dac 0-1 --status-file "$PROCS_DIR/emu.json" --interval 0.05 &&
		nt_daemon && nt_wait_state front-left online && procs_until 10 "the name on the bus" dbus_there
}

# --- cases

members() {
	busctl --address="$dbus_address" introspect org.ethlinkd1 "$1" | awk '
		$2 == "interface" { interface = $1; next }
		interface == wanted && $2 == "method" { print $1, $2, $3, $4 }
		interface == wanted && $2 == "signal" { print $1, $2, $3 }
		interface == wanted && $2 == "property" { print $1, $2, $3, $NF }' wanted="$2" | sort
}

dbus_netvst_path=/org/ethlinkd1/netvst/daw_2d1

introspection() {
	members /org/ethlinkd1 org.ethlinkd1.Manager > "$PROCS_DIR/manager.txt"
	members "$dbus_device_path" org.ethlinkd1.Device > "$PROCS_DIR/device.txt"
	members "$dbus_netvst_path" org.ethlinkd1.Netvst > "$PROCS_DIR/netvst.txt"
	sort > "$PROCS_DIR/manager.want" << END
.Backend property s emits-change
.Connected property b emits-change
.GetStatus method - a{sv}aa{sv}aa{sv}
.GetTelemetry method - a{sv}aa{sv}aa{sv}
.ListDevices method - a(so)
.Period property u emits-change
.Reload method - -
.SampleRate property u emits-change
.Subscribe method - -
.Unsubscribe method - -
.Version property s const
.Xruns property t -
END
	sort > "$PROCS_DIR/device.want" << END
.ClockPpm property d -
.DroppedInterface property t -
.DroppedRingFull property t -
.FramesDropped property t -
.FramesOverrun property t -
.FramesReceived property t -
.FramesSent property t -
.GainDb property ad emits-change
.GainMaxDb property d emits-change
.GainMinDb property d emits-change
.GainOrigin property as emits-change
.Interface property s emits-change
.Labels property as emits-change
.LatencyFrames property u emits-change
.Mac property s emits-change
.Model property s emits-change
.MuteOrigin property as emits-change
.Muted property ab emits-change
.Name property s const
.Peaks signal adadat
.Phantom property ab emits-change
.Probes property t -
.Reason property s emits-change
.Replies property t -
.RepliesForeign property t -
.Reset method - -
.Resyncs property t -
.Serial property q emits-change
.SetAllMuted method b -
.SetGain method ud -
.SetMute method ub -
.SetPhantom method ub -
.Starts property t -
.State property s emits-change
.Volume property s emits-change
END
	sort > "$PROCS_DIR/netvst.want" << END
.Block property u emits-change
.BytesReceived property t -
.BytesSent property t -
.Codec property s emits-change
.CompressionRatio property d -
.Connects property t -
.Dialect property s emits-change
.Error property s emits-change
.GainDb property ad emits-change
.Host property s emits-change
.LateBlocks property t -
.LatencyFrames property u emits-change
.Muted property ab emits-change
.Name property s const
.Peaks signal adad
.Peer property s emits-change
.Port property q emits-change
.Reset method - -
.Role property s emits-change
.RttUs property a{sd} -
.SetGain method ud -
.SetMute method ub -
.SetParameter method uud -
.State property s emits-change
END
	diff "$PROCS_DIR/manager.want" "$PROCS_DIR/manager.txt" && diff "$PROCS_DIR/device.want" "$PROCS_DIR/device.txt" &&
		diff "$PROCS_DIR/netvst.want" "$PROCS_DIR/netvst.txt"
}

# Each name in the programs' description is in the manual, too.
manual() {
	local page word missing=0

	page=$(dirname "$dbus_policy")/../man/org.ethlinkd1.5
	while read -r word _; do
		grep -qE "^\.(It|Ss) .*\<${word#.}\>" "$page" || { printf '# the manual page lacks %s\n' "$word"; missing=1; }
	done < <(cat "$PROCS_DIR/manager.want" "$PROCS_DIR/device.want" "$PROCS_DIR/netvst.want")
	[ "$missing" -eq 0 ]
}

tree() {
	[ "$(busctl --address="$dbus_address" --list tree org.ethlinkd1 | grep -c "^$dbus_device_path\$")" -eq 1 ] &&
		dbus_ask call /org/ethlinkd1 org.freedesktop.DBus.ObjectManager GetManagedObjects |
		grep -q "\"$dbus_device_path\".*\"org.ethlinkd1.Device\".*\"Mac\" s \"00:e8:da:c0:00:00\""
}

# shellcheck disable=SC2086
values() {
	[ "$(dbus_property Name)" = 's "front-left"' ] && [ "$(dbus_property Model)" = 's "dac8"' ] && [ "$(dbus_property Serial)" = 'q 0' ] &&
		[ "$(dbus_property State)" = 's "online"' ] && [ "$(dbus_property Interface)" = 's "host0"' ] &&
		[ "$(dbus_property GainDb)" = 'ad 8 -2 -2 -2 -2 -2 -2 -2 -2' ] && [ "$(dbus_property Phantom)" = 'ab 0' ] &&
		[ "$(dbus_property Labels)" = 'as 8 "Main L" "Main R" "" "" "" "" "" ""' ] &&
		[ "$(dbus_property GainMinDb) $(dbus_property GainMaxDb)" = 'd -56 d 24' ] &&
		[ "$(dbus_property LatencyFrames)" = "u $(nt_status '.devices[0].latency_frames')" ] &&
		[ "$(dbus_ask get-property $dbus_manager SampleRate)" = 'u 48000' ] && [ "$(dbus_ask get-property $dbus_manager Connected)" = 'b true' ] &&
		[ "$(dbus_ask call $dbus_manager ListDevices)" = "a(so) 1 \"front-left\" \"$dbus_device_path\"" ]
}

# $1: PROPERTY, or a method and its arguments behind "call".
netvst() {
	if [ "$1" = call ]; then
		dbus_ask call "$dbus_netvst_path" org.ethlinkd1.Netvst "${@:2}"
	else
		dbus_ask get-property "$dbus_netvst_path" org.ethlinkd1.Netvst "$1"
	fi
}

netvst_values() {
	[ "$(netvst Name)" = 's "daw-1"' ] && [ "$(netvst Role)" = 's "server"' ] && [ "$(netvst State)" = 's "listening"' ] &&
		[ "$(netvst Host) $(netvst Port)" = 's "127.0.0.1" q 27016' ] && [ "$(netvst LatencyFrames)" = 'u 96' ] &&
		[ "$(netvst Dialect) $(netvst Codec) $(netvst Block)" = 's "2017" s "pcm" u 0' ] &&
		[ "$(netvst RttUs)" = 'a{sd} 0' ] && [ "$(netvst Peer)" = 's ""' ]
}

netvst_levels() {
	netvst call SetGain ud 1 -- -12 > /dev/null && netvst call SetMute ub 2 true > /dev/null || return 1
	[ "$(netvst GainDb) $(netvst Muted)" = 'ad 2 -12 0 ab 2 false true' ] || return 1
	netvst call Reset > /dev/null || return 1
	[ "$(netvst GainDb) $(netvst Muted)" = 'ad 2 0 0 ab 2 false false' ]
}

netvst_refusals() {
	local std=org.freedesktop.DBus.Error n=org.ethlinkd1.Netvst p=$dbus_netvst_path

	refused "$std".InvalidArgs "daw-1 has two strips: use 1 for the send, 2 for the return" "$p" "$n".SetGain uint32:3 double:0 &&
		refused "$std".InvalidArgs "daw-1 takes no gain of 13 dB: use whole dB from -56 to +12" "$p" "$n".SetGain uint32:0 double:13 &&
		refused "$std".NotSupported "daw-1 is a server" "$p" "$n".SetParameter uint32:0 uint32:0 double:0 &&
		refused "$std".UnknownObject "" /org/ethlinkd1/netvst/daw "$n".Reset
}

netvst_gone() {
	! netvst Name > /dev/null 2>&1
}

# With its signals the others' could not be counted.
netvst_goes() {
	dbus_listen changes "$dbus_address" listen || return 1
	dbus_write_conf
	dbus_ask call /org/ethlinkd1 org.ethlinkd1.Manager Reload &&
		procs_until 3 "its end" dbus_heard_some changes "InterfacesRemoved $dbus_netvst_path" 1 && netvst_gone || return 1
	procs_stop changes
}

# shellcheck disable=SC2086
telemetry() {
	local t

	t=$(busctl --address="$dbus_address" --json=short call org.ethlinkd1 $dbus_manager GetTelemetry) || return 1
	jq -e --argjson pid "${PROCS_PID[ethlinkd]}" '.data[0] as $d | .data[1][0] as $i | .data[2][0] as $v |
		($d.gaps.data | length) == 80 and ($d.gaps.data | add) > 10 and ($d.kick_at.data | add) == $d.kicks.data and
		$d.kick_took_max.data <= $d.kick_at_max.data and $d.cycles.data > 0 and $d.period.data == 256 and
		$d.pid.data == $pid and $i.name.data == "host0" and $i.ring_open.data and $i.devices.data == 1 and
		($i.paced.data | not) and $v.name.data == "front-left" and $v.taken_by.data == ""' <<< "$t" > /dev/null
}

gains_are() {
	[ "$(jq -c '.boxes[0].gain_db' "$PROCS_DIR/emu.json")" = "$1" ]
}

muted_are() {
	[ "$(jq -c '.boxes[0].muted' "$PROCS_DIR/emu.json")" = "$1" ]
}

# shellcheck disable=SC2086
levels() {
	dbus_set_gain 3 -7 && procs_until 3 "the box to have the gain" gains_are "[-2,-2,-7,-2,-2,-2,-2,-2]" || return 1
	[ "$(dbus_property GainDb)" = 'ad 8 -2 -2 -7 -2 -2 -2 -2 -2' ] &&
		[ "$(dbus_property GainOrigin)" = 'as 8 "config" "config" "runtime" "config" "config" "config" "config" "config"' ] || return 1
	dbus_set_gain 0 24 && procs_until 3 "all gains" gains_are "[24,24,24,24,24,24,24,24]" || return 1
	dbus_ask call $dbus_device SetMute ub 2 true && procs_until 3 "the mute" muted_are "[false,true,false,false,false,false,false,false]" &&
		[ "$(dbus_property MuteOrigin | grep -o runtime | wc -l)" -eq 1 ] || return 1
	dbus_ask call $dbus_device SetAllMuted b true && procs_until 3 "all mutes" muted_are "[true,true,true,true,true,true,true,true]" &&
		[ "$(dbus_property Muted)" = 'ab 8 true true true true true true true true' ] || return 1
	dbus_ask call $dbus_device Reset && procs_until 3 "the configuration's gains" gains_are "[-2,-2,-2,-2,-2,-2,-2,-2]" &&
		[ "$(dbus_property GainOrigin | grep -c runtime)" -eq 0 ]
}

# One hundred changes: told at most twenty times a second, and the last is told.
changes_are_gathered() {
	local since before n i

	dbus_listen changes "$dbus_address" listen || return 1
	before=$(dbus_heard changes PropertiesChanged)
	procs_clock
	since=$PROCS_NOW
	for ((i = 0; i < 25; i++)); do
		dbus_set_gain 1 "$((i % 2))" && dbus_set_gain 2 "$i" && dbus_set_gain 3 "-$i" && dbus_set_gain 4 3 || return 1
	done
	procs_until 2 "the last change" dbus_heard_some changes PropertiesChanged $((before + 2)) || return 1
	procs_clock
	n=$(($(dbus_heard changes PropertiesChanged) - before))
	[ "$n" -le $(((PROCS_NOW - since) / 5 + 2)) ] && [ "$n" -lt 80 ] || { printf '# %s signals\n' "$n"; return 1; }
	# The last of them may still be gathered: it must not be taken for one of the next test.
	dbus_quiet changes PropertiesChanged || dbus_quiet changes PropertiesChanged || return 1
	procs_stop changes
	[ "$(dbus_property GainDb)" = 'ad 8 0 24 -24 3 -2 -2 -2 -2' ]
}

# shellcheck disable=SC2086
change_is_told_once() {
	local n

	dbus_listen changes "$dbus_address" listen && dbus_ask call $dbus_device Reset &&
		procs_until 2 "the reset" dbus_heard_some changes PropertiesChanged 1 && dbus_quiet changes PropertiesChanged || return 1
	n=$(dbus_heard changes PropertiesChanged)
	dbus_set_gain 1 5 && procs_until 2 "the change" dbus_heard_some changes PropertiesChanged $((n + 1)) &&
		dbus_quiet changes PropertiesChanged &&
		tail -n 1 "$PROCS_DIR/changes.out" | grep -q ' org.ethlinkd1.Device GainDb Muted Phantom GainOrigin MuteOrigin$'
}

# The audio server goes and comes.
states_are_told() {
	dbus_listen changes "$dbus_address" listen && nt_jackd_end &&
		procs_until 3 "the daemon's state" dbus_heard_some changes "PropertiesChanged org.ethlinkd1.Manager .*Connected" 1 &&
		procs_until 3 "the device's state" dbus_heard_some changes "PropertiesChanged org.ethlinkd1.Device .*State" 1 &&
		[ "$(dbus_property State)" = 's "stopped"' ] || return 1
	nt_jackd 48000 256 && nt_wait_state front-left online &&
		dbus_heard_some changes "PropertiesChanged org.ethlinkd1.Manager .*Connected" 2
}

# Meters: ten a second, while somebody wants them.
peaks() {
	local n

	dbus_listen other "$dbus_address" listen && dbus_listen meter "$dbus_address" listen subscribe &&
		procs_until 3 "silent peaks" dbus_heard_some meter "Peaks -inf -inf 0" 3 || return 1
	nt_feed_start --pattern --seconds 1.5 --lead-in 0 --target ethlink:front-left/playback_ &&
		procs_until 10 "peaks near full scale" dbus_heard_some meter "Peaks -0.[0-9]* -0.[0-9]* 0" 10 && nt_feed_end 15 || return 1
	# It is silent, and the hold goes two seconds later.
	procs_until 2 "the hold" dbus_heard_some meter "Peaks -inf -[0-9]" 5 || return 1
	n=$(awk '/Peaks/ { if (first == "") first = $1; last = $1; n++ } END { printf "%d", (n - 1) * 1000 / (last - first) }' "$PROCS_DIR/meter.out")
	[ "$n" -ge 8 ] && [ "$n" -le 10 ] || { printf '# %s a second\n' "$n"; return 1; }
	procs_until 4 "the end of the hold" ends_silent || return 1
	n=$(awk '$3 == "Peaks" && $4 == "-inf" && $5 != "-inf"' "$PROCS_DIR/meter.out" | wc -l)
	[ "$n" -ge 15 ] && [ "$n" -le 20 ] || { printf '# held for %s signals\n' "$n"; return 1; }
	# Who has subscribed goes without a word.
	procs_stop meter KILL 2> /dev/null
	dbus_quiet other Peaks
}

ends_silent() {
	tail -n 2 "$PROCS_DIR/meter.out" | grep -q 'Peaks -inf -inf'
}

# Status and signal take the same peaks, and neither takes them from the other.
peaks_for_all() {
	dbus_listen meter "$dbus_address" listen subscribe && nt_status '.devices[0].peak_dbfs[0]' > /dev/null &&
		nt_feed_start --pattern --seconds 1 --lead-in 0 --target ethlink:front-left/playback_ && nt_feed_end 15 || return 1
	procs_until 3 "peaks" dbus_heard_some meter "Peaks -0" 3 || return 1
	procs_stop meter
	[ "$(nt_status '.devices[0].peak_dbfs[0] > -1')" = true ] && [ "$(nt_status '.devices[0].peak_dbfs[0]')" = null ]
}

# shellcheck disable=SC2086
unsubscribed() {
	dbus_listen meter "$dbus_address" listen subscribe && procs_until 3 "peaks" dbus_heard_some meter Peaks 2 || return 1
	# Of somebody else, who never had.
	dbus_ask call $dbus_manager Unsubscribe && procs_until 3 "more peaks" dbus_heard_some meter Peaks $(($(dbus_heard meter Peaks) + 3))
}

device_comes_and_goes() {
	dbus_listen changes "$dbus_address" listen || return 1
	dbus_more=("[device side]" "model = dac8" "serial = 1")
	dbus_write_conf
	dbus_ask call /org/ethlinkd1 org.ethlinkd1.Manager Reload &&
		procs_until 3 "the new device" dbus_heard_some changes "InterfacesAdded /org/ethlinkd1/device/side" 1 &&
		[ "$(dbus_ask get-property /org/ethlinkd1/device/side org.ethlinkd1.Device Serial)" = "q 1" ] || return 1
	dbus_more=()
	dbus_write_conf
	dbus_ask call /org/ethlinkd1 org.ethlinkd1.Manager Reload &&
		procs_until 3 "its end" dbus_heard_some changes "InterfacesRemoved /org/ethlinkd1/device/side" 1 || return 1
	! dbus_ask get-property /org/ethlinkd1/device/side org.ethlinkd1.Device Serial 2> /dev/null &&
		[ "$(busctl --address="$dbus_address" --list tree org.ethlinkd1 | grep -c /side)" -eq 0 ]
}

bad_reload() {
	dbus_more=("[device side]" "model = dac9")
	dbus_write_conf
	dbus-send --bus="$dbus_address" --dest=org.ethlinkd1 --print-reply /org/ethlinkd1 org.ethlinkd1.Manager.Reload \
		> "$PROCS_DIR/reload.txt" 2>&1
	tr '\n' ' ' < "$PROCS_DIR/reload.txt" | grep -q 'org.ethlinkd1.Error.Configuration: .*ethlinkd.conf:[0-9]*: model' &&
		dbus_ask call /org/ethlinkd1 org.freedesktop.DBus.Peer Ping
}

# refused ERROR TEXT PATH INTERFACE.METHOD ARG...
refused() {
	local error=$1 text=$2

	shift 2
	if dbus-send --bus="$dbus_address" --dest=org.ethlinkd1 --print-reply "$@" > "$PROCS_DIR/refused.txt" 2>&1 ||
		! grep -qF -- "Error $error: $text" "$PROCS_DIR/refused.txt"; then
		printf '# %s\n' "$*" "$(cat "$PROCS_DIR/refused.txt")"
		return 1
	fi
}

bad_calls() {
	local before std=org.freedesktop.DBus.Error d=org.ethlinkd1.Device props=org.freedesktop.DBus.Properties v

	before=$(dbus_property GainDb; dbus_property Muted)
	for v in nan inf -inf 25 -57 0.5 1e300; do
		refused $std.InvalidArgs "front-left takes no gain of" "$dbus_device_path" $d.SetGain uint32:1 double:$v &&
			grep -qF "use whole dB from -56 to +24" "$PROCS_DIR/refused.txt" || return 1
	done
	for v in 9 4294967295; do
		refused $std.InvalidArgs "front-left has no channel $v: use 1 to 8, or 0 for all" "$dbus_device_path" $d.SetGain uint32:$v double:1 &&
			refused $std.InvalidArgs "front-left has no channel $v: use 1 to 8, or 0 for all" "$dbus_device_path" $d.SetMute uint32:$v boolean:true ||
			return 1
	done
	refused $std.NotSupported "front-left is a dac8" "$dbus_device_path" $d.SetPhantom uint32:1 boolean:true &&
		refused $std.InvalidArgs "Invalid arguments" "$dbus_device_path" $d.SetGain string:1 double:1 &&
		refused $std.InvalidArgs "Invalid arguments" "$dbus_device_path" $d.SetGain uint32:1 &&
		refused $std.InvalidArgs "Invalid arguments" "$dbus_device_path" $d.SetGain int32:1 double:1 &&
		refused $std.InvalidArgs "Invalid arguments" "$dbus_device_path" $d.SetMute uint32:1 uint32:1 &&
		refused $std.InvalidArgs "Invalid arguments" "$dbus_device_path" $d.SetAllMuted string:yes &&
		refused $std.InvalidArgs "Invalid arguments" /org/ethlinkd1 org.ethlinkd1.Manager.GetStatus string:x &&
		refused $std.UnknownMethod "" "$dbus_device_path" $d.SetGian uint32:1 double:1 &&
		refused $std.UnknownMethod "" /org/ethlinkd1 $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd1/device/nobody $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd1/device/front_2dleft/x $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd1/device/_ $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd1/device/front_2xleft $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd2 $d.Reset &&
		refused $std.UnknownProperty "" "$dbus_device_path" $props.Get string:$d string:Gain &&
		refused $std.UnknownProperty "" "$dbus_device_path" $props.Get string:org.ethlinkd2.Device string:GainDb &&
		refused $std.PropertyReadOnly "" "$dbus_device_path" $props.Set string:$d string:Name variant:string:x &&
		[ "$(dbus_property GainDb; dbus_property Muted)" = "$before" ]
}

# The bus is killed while the daemon runs, and comes back.
bus_restarted() {
	: > "$PROCS_DIR/ethlinkd.err"
	procs_stop session-bus KILL 2> /dev/null
	rm -f "$dbus_socket"
	procs_until 3 "that to be said" dbus_said 'not on the session bus: it has gone' && nt_in_state front-left online || return 1
	# It is tried again every five seconds, without a word.
	procs_until 6 "" dbus_said_times 'not on the session bus' 2 && return 1
	dbus_start session && procs_until 10 "the daemon on the new bus" dbus_there && dbus_said_times 'not on the session bus' 1 &&
		dbus_said_times 'on the session bus as org.ethlinkd1' 1 && nt_in_state front-left online
}

# shellcheck disable=SC2086
bus_switched() {
	dbus_daemon=("bus = none")
	dbus_write_conf
	# The answer still comes.
	dbus_ask call $dbus_manager Reload && procs_until 3 "it to leave the bus" dbus_left && nt_answers || return 1
	dbus_daemon=("bus = session")
	dbus_write_conf
	nt_ctl reload && procs_until 3 "it to be back" dbus_there
}

dbus_left() {
	! dbus_there
}

bus_hangs() {
	local result

	procs_signal session-bus STOP
	nt_ctl status --json > /dev/null && nt_ctl reload > /dev/null && nt_in_state front-left online
	result=$?
	procs_signal session-bus CONT
	[ "$result" -eq 0 ] && procs_until 5 "the bus" dbus_there
}

# Started, asked and ended while the bus hangs.
ends_while_bus_hangs() {
	local result=1

	procs_signal session-bus STOP
	procs_signal ethlinkd TERM
	procs_wait ethlinkd 4 && [ "$PROCS_STATUS" -eq 0 ] && nt_daemon && nt_wait_state front-left online &&
		procs_signal ethlinkd TERM && procs_wait ethlinkd 4 && [ "$PROCS_STATUS" -eq 0 ] && nt_daemon && result=0
	procs_signal session-bus CONT
	[ "$result" -eq 0 ] && nt_wait_state front-left online && procs_until 5 "the bus" dbus_there
}

# The second waits for the name, and takes it when the first ends.
second_daemon() {
	local run=$NT_RUN conf=$NT_CONF state=$NT_STATE pid

	NT_PROC=second NT_RUN=$PROCS_DIR/run2 NT_CONF=$PROCS_DIR/second.conf NT_STATE=$PROCS_DIR/state2
	nt_config "client-name = second" "bus = session" "[device other]" "model = dac8" "serial = 1"
	nt_daemon && procs_until 5 "it to say that it waits" dbus_said 'another ethlinkd has the name'
	pid=$?
	NT_PROC=ethlinkd
	[ "$pid" -eq 0 ] && [ "$(dbus_ask call /org/ethlinkd1 org.ethlinkd1.Manager ListDevices | grep -c other)" -eq 0 ] || return 1
	procs_stop ethlinkd
	procs_until 5 "the other daemon" device_other_is_there
	pid=$?
	NT_PROC=second
	dbus_said 'on the session bus as org.ethlinkd1' || pid=1
	procs_stop second
	NT_PROC=ethlinkd NT_RUN=$run NT_CONF=$conf NT_STATE=$state
	nt_daemon && nt_wait_state front-left online && procs_until 10 "the name on the bus" dbus_there && [ "$pid" -eq 0 ]
}

device_other_is_there() {
	dbus_ask call /org/ethlinkd1 org.ethlinkd1.Manager ListDevices | grep -q other
}

nt_begin
dbus_begin
start || { nt_not_ok "start"; nt_end; }
dbus_one "introspection lists all of it" introspection
dbus_one "the manual page has all of it" manual
dbus_one "the tree and the managed objects" tree
dbus_one "properties are what the status says" values
dbus_one "telemetry" telemetry
dbus_one "a netvst section's properties" netvst_values
dbus_one "a netvst section's gain, mute and reset" netvst_levels
dbus_one "a netvst section's wrong calls are refused" netvst_refusals
dbus_one "a netvst section goes" netvst_goes
dbus_one "gain, mute and reset reach the box" levels
dbus_one "a hundred changes are gathered" changes_are_gathered
dbus_one "one change is told once" change_is_told_once
dbus_one "states are told" states_are_told
dbus_one "peaks ten times a second, hold for two seconds, silence when the subscriber is killed" peaks
dbus_one "peaks go to the status, too" peaks_for_all
dbus_one "nobody unsubscribes for another" unsubscribed
dbus_one "InterfacesAdded and InterfacesRemoved" device_comes_and_goes
dbus_one "a wrong configuration is an error of its own" bad_reload
dbus_one "wrong calls are refused and change nothing" bad_calls
dbus_one "another bus, and back, by a reload" bus_switched
dbus_one "a bus that hangs holds nothing up" bus_hangs
dbus_one "the daemon starts and ends while the bus hangs" ends_while_bus_hangs
dbus_one "a bus that is killed is waited for, and found again" bus_restarted
dbus_one "a second daemon takes the name when the first ends" second_daemon
nt_end
