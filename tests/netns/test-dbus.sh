#!/bin/bash
# The daemon on a session bus and on a system bus, of this script's own: what is there, what it does, what it tells, who may,
# and what happens when the bus goes, hangs or never comes.
# Usage: test-dbus.sh [CASE-FUNCTION]...
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

policy=$(cd "$(dirname "$0")/../../systemd" && pwd)/org.ethlinkd1.conf
manager="/org/ethlinkd1 org.ethlinkd1.Manager"
device_path=/org/ethlinkd1/device/front_2dleft
device="$device_path org.ethlinkd1.Device"
bus=
bus_address=
peer=
daemon=("bus = session")
more=()

# --- buses

# $1: session or system
write_bus_conf() {
	bus=$PROCS_DIR/$1.bus
	bus_address=unix:path=$bus
	{
		printf '<busconfig><type>%s</type><listen>%s</listen><auth>EXTERNAL</auth>\n' "$1" "$bus_address"
		if [ "$1" = session ]; then
			printf '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>'
			printf '<allow own="*"/></policy>\n'
		else
			# What Debian's and Fedora's system buses begin with.
			printf '<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/>'
			printf '<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>'
			printf '<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>'
			printf '<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>'
			printf '<allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/></policy>\n'
			printf '<include>%s</include>\n' "$policy"
		fi
		printf '</busconfig>\n'
	} > "$PROCS_DIR/$1.xml"
}

start_bus() {
	write_bus_conf "$1"
	export DBUS_SESSION_BUS_ADDRESS=unix:path=$PROCS_DIR/session.bus DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PROCS_DIR/system.bus
	procs_start "$1-bus" dbus-daemon --nofork --config-file="$PROCS_DIR/$1.xml"
	procs_until 5 "the $1 bus" busctl --address="$bus_address" list
}

on_bus() {
	busctl --address="$bus_address" call org.ethlinkd1 /org/ethlinkd1 org.freedesktop.DBus.Peer Ping
}

# --- what is asked

# ask VERB PATH INTERFACE ARG...: through busctl
ask() {
	local verb=$1

	shift
	busctl --address="$bus_address" "$verb" org.ethlinkd1 "$@"
}

# Words of the object that follow are meant to be split.
# shellcheck disable=SC2086
set_gain() {
	ask call $device SetGain ud "$1" -- "$2" > /dev/null
}

# shellcheck disable=SC2086
property() {
	ask get-property $device "$1"
}

write_conf() {
	nt_config "${daemon[@]}" "[device front-left]" "model = dac8" "serial = 0" "labels = Main L, Main R" "gain = -2" "${more[@]}"
}

start() {
	write_conf
	start_bus session && nt_jackd 48000 256 && nt_emu emu --dac 0-1 --status-file "$PROCS_DIR/emu.json" --interval 0.05 &&
		nt_daemon && nt_wait_state front-left online && procs_until 10 "the name on the bus" on_bus
}

# $1: who listens; then bus-peer's arguments
listen() {
	local name=$1

	shift
	rm -f "$PROCS_DIR/$name.out"
	procs_start "$name" "$peer" "$@" && procs_until 5 "$name to listen" grep -q listening "$PROCS_DIR/$name.out"
}

heard() {
	grep -c " $2" "$PROCS_DIR/$1.out"
}

heard_some() {
	[ "$(heard "$1" "$2")" -ge "$3" ]
}

# A time in which something would come if it came: twice as long as between two signals of its kind, and more.
quiet() {
	local before

	before=$(heard "$1" "$2")
	procs_until 1 "" heard_some "$1" "$2" $((before + 1)) && return 1
	return 0
}

said() {
	grep -qE -- "$1" "$PROCS_DIR/${NT_PROC}.err"
}

said_times() {
	[ "$(grep -cE -- "$1" "$PROCS_DIR/${NT_PROC}.err")" -eq "$2" ]
}

# --- cases on the session bus

members() {
	busctl --address="$bus_address" introspect org.ethlinkd1 "$1" | awk '
		$2 == "interface" { interface = $1; next }
		interface == wanted && $2 == "method" { print $1, $2, $3, $4 }
		interface == wanted && $2 == "signal" { print $1, $2, $3 }
		interface == wanted && $2 == "property" { print $1, $2, $3, $NF }' wanted="$2" | sort
}

introspection() {
	members /org/ethlinkd1 org.ethlinkd1.Manager > "$PROCS_DIR/manager.txt"
	members "$device_path" org.ethlinkd1.Device > "$PROCS_DIR/device.txt"
	sort > "$PROCS_DIR/manager.want" << END
.Backend property s emits-change
.Connected property b emits-change
.GetStatus method - a{sv}aa{sv}
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
END
	diff "$PROCS_DIR/manager.want" "$PROCS_DIR/manager.txt" && diff "$PROCS_DIR/device.want" "$PROCS_DIR/device.txt"
}

# Each name in the programs' description is in the manual, too.
manual() {
	local page word missing=0

	page=$(dirname "$policy")/../man/org.ethlinkd1.5
	while read -r word _; do
		grep -qE "^\.(It|Ss) .*\<${word#.}\>" "$page" || { printf '# the manual page lacks %s\n' "$word"; missing=1; }
	done < <(cat "$PROCS_DIR/manager.want" "$PROCS_DIR/device.want")
	[ "$missing" -eq 0 ]
}

tree() {
	[ "$(busctl --address="$bus_address" --list tree org.ethlinkd1 | grep -c "^$device_path\$")" -eq 1 ] &&
		ask call /org/ethlinkd1 org.freedesktop.DBus.ObjectManager GetManagedObjects |
		grep -q "\"$device_path\".*\"org.ethlinkd1.Device\".*\"Mac\" s \"00:e8:da:c0:00:00\""
}

# shellcheck disable=SC2086
values() {
	[ "$(property Name)" = 's "front-left"' ] && [ "$(property Model)" = 's "dac8"' ] && [ "$(property Serial)" = 'q 0' ] &&
		[ "$(property State)" = 's "online"' ] && [ "$(property Interface)" = 's "host0"' ] &&
		[ "$(property GainDb)" = 'ad 8 -2 -2 -2 -2 -2 -2 -2 -2' ] && [ "$(property Phantom)" = 'ab 0' ] &&
		[ "$(property Labels)" = 'as 8 "Main L" "Main R" "" "" "" "" "" ""' ] &&
		[ "$(property GainMinDb) $(property GainMaxDb)" = 'd -56 d 24' ] &&
		[ "$(property LatencyFrames)" = "u $(nt_status '.devices[0].latency_frames')" ] &&
		[ "$(ask get-property $manager SampleRate)" = 'u 48000' ] && [ "$(ask get-property $manager Connected)" = 'b true' ] &&
		[ "$(ask call $manager ListDevices)" = "a(so) 1 \"front-left\" \"$device_path\"" ]
}

# shellcheck disable=SC2086
telemetry() {
	local t

	t=$(busctl --address="$bus_address" --json=short call org.ethlinkd1 $manager GetTelemetry) || return 1
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
	set_gain 3 -7 && procs_until 3 "the box to have the gain" gains_are "[-2,-2,-7,-2,-2,-2,-2,-2]" || return 1
	[ "$(property GainDb)" = 'ad 8 -2 -2 -7 -2 -2 -2 -2 -2' ] &&
		[ "$(property GainOrigin)" = 'as 8 "config" "config" "runtime" "config" "config" "config" "config" "config"' ] || return 1
	set_gain 0 24 && procs_until 3 "all gains" gains_are "[24,24,24,24,24,24,24,24]" || return 1
	ask call $device SetMute ub 2 true && procs_until 3 "the mute" muted_are "[false,true,false,false,false,false,false,false]" &&
		[ "$(property MuteOrigin | grep -o runtime | wc -l)" -eq 1 ] || return 1
	ask call $device SetAllMuted b true && procs_until 3 "all mutes" muted_are "[true,true,true,true,true,true,true,true]" &&
		[ "$(property Muted)" = 'ab 8 true true true true true true true true' ] || return 1
	ask call $device Reset && procs_until 3 "the configuration's gains" gains_are "[-2,-2,-2,-2,-2,-2,-2,-2]" &&
		[ "$(property GainOrigin | grep -c runtime)" -eq 0 ]
}

# One hundred changes: told at most twenty times a second, and the last is told.
changes_are_gathered() {
	local since before n i

	listen changes "$bus_address" listen || return 1
	before=$(heard changes PropertiesChanged)
	procs_clock
	since=$PROCS_NOW
	for ((i = 0; i < 25; i++)); do
		set_gain 1 "$((i % 2))" && set_gain 2 "$i" && set_gain 3 "-$i" && set_gain 4 3 || return 1
	done
	procs_until 2 "the last change" heard_some changes PropertiesChanged $((before + 2)) || return 1
	procs_clock
	n=$(($(heard changes PropertiesChanged) - before))
	[ "$n" -le $(((PROCS_NOW - since) / 5 + 2)) ] && [ "$n" -lt 80 ] || { printf '# %s signals\n' "$n"; return 1; }
	procs_stop changes
	[ "$(property GainDb)" = 'ad 8 0 24 -24 3 -2 -2 -2 -2' ]
}

# shellcheck disable=SC2086
change_is_told_once() {
	local n

	listen changes "$bus_address" listen && ask call $device Reset &&
		procs_until 2 "the reset" heard_some changes PropertiesChanged 1 && quiet changes PropertiesChanged || return 1
	n=$(heard changes PropertiesChanged)
	set_gain 1 5 && procs_until 2 "the change" heard_some changes PropertiesChanged $((n + 1)) &&
		quiet changes PropertiesChanged
}

# Meters: ten a second, while somebody wants them.
peaks() {
	local n

	listen other "$bus_address" listen && listen meter "$bus_address" listen subscribe &&
		procs_until 3 "silent peaks" heard_some meter "Peaks -inf -inf 0" 3 || return 1
	nt_feed_start --pattern --seconds 1.5 --lead-in 0 --target ethlink:front-left/playback_ &&
		procs_until 10 "peaks near full scale" heard_some meter "Peaks -0.[0-9]* -0.[0-9]* 0" 10 && nt_feed_end 15 || return 1
	# It is silent, and the hold goes two seconds later.
	procs_until 2 "the hold" heard_some meter "Peaks -inf -[0-9]" 5 || return 1
	n=$(awk '/Peaks/ { if (first == "") first = $1; last = $1; n++ } END { printf "%d", (n - 1) * 1000 / (last - first) }' "$PROCS_DIR/meter.out")
	[ "$n" -ge 8 ] && [ "$n" -le 10 ] || { printf '# %s a second\n' "$n"; return 1; }
	procs_until 4 "the end of the hold" ends_silent || return 1
	n=$(awk '$3 == "Peaks" && $4 == "-inf" && $5 != "-inf"' "$PROCS_DIR/meter.out" | wc -l)
	[ "$n" -ge 15 ] && [ "$n" -le 20 ] || { printf '# held for %s signals\n' "$n"; return 1; }
	# Who has subscribed goes without a word.
	procs_stop meter KILL 2> /dev/null
	quiet other Peaks
}

ends_silent() {
	tail -n 2 "$PROCS_DIR/meter.out" | grep -q 'Peaks -inf -inf'
}

# Status and signal take the same peaks, and neither takes them from the other.
peaks_for_all() {
	listen meter "$bus_address" listen subscribe && nt_status '.devices[0].peak_dbfs[0]' > /dev/null &&
		nt_feed_start --pattern --seconds 1 --lead-in 0 --target ethlink:front-left/playback_ && nt_feed_end 15 || return 1
	procs_until 3 "peaks" heard_some meter "Peaks -0" 3 || return 1
	procs_stop meter
	[ "$(nt_status '.devices[0].peak_dbfs[0] > -1')" = true ] && [ "$(nt_status '.devices[0].peak_dbfs[0]')" = null ]
}

# shellcheck disable=SC2086
unsubscribed() {
	listen meter "$bus_address" listen subscribe && procs_until 3 "peaks" heard_some meter Peaks 2 || return 1
	# Of somebody else, who never had.
	ask call $manager Unsubscribe && procs_until 3 "more peaks" heard_some meter Peaks $(($(heard meter Peaks) + 3))
}

device_comes_and_goes() {
	listen changes "$bus_address" listen || return 1
	more=("[device side]" "model = dac8" "serial = 1")
	write_conf
	ask call /org/ethlinkd1 org.ethlinkd1.Manager Reload &&
		procs_until 3 "the new device" heard_some changes "InterfacesAdded /org/ethlinkd1/device/side" 1 &&
		[ "$(ask get-property /org/ethlinkd1/device/side org.ethlinkd1.Device Serial)" = "q 1" ] || return 1
	more=()
	write_conf
	ask call /org/ethlinkd1 org.ethlinkd1.Manager Reload &&
		procs_until 3 "its end" heard_some changes "InterfacesRemoved /org/ethlinkd1/device/side" 1 || return 1
	! ask get-property /org/ethlinkd1/device/side org.ethlinkd1.Device Serial 2> /dev/null &&
		[ "$(busctl --address="$bus_address" --list tree org.ethlinkd1 | grep -c /side)" -eq 0 ]
}

bad_reload() {
	more=("[device side]" "model = dac9")
	write_conf
	dbus-send --bus="$bus_address" --dest=org.ethlinkd1 --print-reply /org/ethlinkd1 org.ethlinkd1.Manager.Reload \
		> "$PROCS_DIR/reload.txt" 2>&1
	tr '\n' ' ' < "$PROCS_DIR/reload.txt" | grep -q 'org.ethlinkd1.Error.Configuration: .*ethlinkd.conf:[0-9]*: model' &&
		ask call /org/ethlinkd1 org.freedesktop.DBus.Peer Ping
}

# refused ERROR TEXT PATH INTERFACE.METHOD ARG...
refused() {
	local error=$1 text=$2

	shift 2
	if dbus-send --bus="$bus_address" --dest=org.ethlinkd1 --print-reply "$@" > "$PROCS_DIR/refused.txt" 2>&1 ||
		! grep -qF -- "Error $error: $text" "$PROCS_DIR/refused.txt"; then
		printf '# %s\n' "$*" "$(cat "$PROCS_DIR/refused.txt")"
		return 1
	fi
}

bad_calls() {
	local before std=org.freedesktop.DBus.Error d=org.ethlinkd1.Device props=org.freedesktop.DBus.Properties v

	before=$(property GainDb; property Muted)
	for v in nan inf -inf 25 -57 0.5 1e300; do
		refused $std.InvalidArgs "front-left takes no gain of" "$device_path" $d.SetGain uint32:1 double:$v &&
			grep -qF "use whole dB from -56 to +24" "$PROCS_DIR/refused.txt" || return 1
	done
	for v in 9 4294967295; do
		refused $std.InvalidArgs "front-left has no channel $v: use 1 to 8, or 0 for all" "$device_path" $d.SetGain uint32:$v double:1 &&
			refused $std.InvalidArgs "front-left has no channel $v: use 1 to 8, or 0 for all" "$device_path" $d.SetMute uint32:$v boolean:true ||
			return 1
	done
	refused $std.NotSupported "front-left is a dac8" "$device_path" $d.SetPhantom uint32:1 boolean:true &&
		refused $std.InvalidArgs "Invalid arguments" "$device_path" $d.SetGain string:1 double:1 &&
		refused $std.InvalidArgs "Invalid arguments" "$device_path" $d.SetGain uint32:1 &&
		refused $std.InvalidArgs "Invalid arguments" "$device_path" $d.SetGain int32:1 double:1 &&
		refused $std.InvalidArgs "Invalid arguments" "$device_path" $d.SetMute uint32:1 uint32:1 &&
		refused $std.InvalidArgs "Invalid arguments" "$device_path" $d.SetAllMuted string:yes &&
		refused $std.InvalidArgs "Invalid arguments" /org/ethlinkd1 org.ethlinkd1.Manager.GetStatus string:x &&
		refused $std.UnknownMethod "" "$device_path" $d.SetGian uint32:1 double:1 &&
		refused $std.UnknownMethod "" /org/ethlinkd1 $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd1/device/nobody $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd1/device/front_2dleft/x $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd1/device/_ $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd1/device/front_2xleft $d.Reset &&
		refused $std.UnknownObject "" /org/ethlinkd2 $d.Reset &&
		refused $std.UnknownProperty "" "$device_path" $props.Get string:$d string:Gain &&
		refused $std.UnknownProperty "" "$device_path" $props.Get string:org.ethlinkd2.Device string:GainDb &&
		refused $std.PropertyReadOnly "" "$device_path" $props.Set string:$d string:Name variant:string:x &&
		[ "$(property GainDb; property Muted)" = "$before" ]
}

# The bus is killed while the daemon runs, and comes back.
bus_restarted() {
	: > "$PROCS_DIR/ethlinkd.err"
	procs_stop session-bus KILL 2> /dev/null
	rm -f "$bus"
	procs_until 3 "that to be said" said 'not on the session bus: it has gone' && nt_in_state front-left online || return 1
	# It is tried again every five seconds, without a word.
	procs_until 6 "" said_times 'not on the session bus' 2 && return 1
	start_bus session && procs_until 10 "the daemon on the new bus" on_bus && said_times 'not on the session bus' 1 &&
		said_times 'on the session bus as org.ethlinkd1' 1 && nt_in_state front-left online
}

# shellcheck disable=SC2086
bus_switched() {
	daemon=("bus = none")
	write_conf
	# The answer still comes.
	ask call $manager Reload && procs_until 3 "it to leave the bus" off_bus && nt_answers || return 1
	daemon=("bus = session")
	write_conf
	nt_ctl reload && procs_until 3 "it to be back" on_bus
}

off_bus() {
	! on_bus
}

bus_hangs() {
	local result

	procs_signal session-bus STOP
	nt_ctl status --json > /dev/null && nt_ctl reload > /dev/null && nt_in_state front-left online
	result=$?
	procs_signal session-bus CONT
	[ "$result" -eq 0 ] && procs_until 5 "the bus" on_bus
}

# The second waits for the name, and takes it when the first ends.
second_daemon() {
	local run=$NT_RUN conf=$NT_CONF state=$NT_STATE pid

	NT_PROC=second NT_RUN=$PROCS_DIR/run2 NT_CONF=$PROCS_DIR/second.conf NT_STATE=$PROCS_DIR/state2
	nt_config "client-name = second" "bus = session" "[device other]" "model = dac8" "serial = 1"
	nt_daemon && procs_until 5 "it to say that it waits" said 'another ethlinkd has the name'
	pid=$?
	NT_PROC=ethlinkd
	[ "$pid" -eq 0 ] && [ "$(ask call /org/ethlinkd1 org.ethlinkd1.Manager ListDevices | grep -c other)" -eq 0 ] || return 1
	procs_stop ethlinkd
	procs_until 5 "the other daemon" device_other_is_there
	pid=$?
	NT_PROC=second
	said 'on the session bus as org.ethlinkd1' || pid=1
	procs_stop second
	NT_PROC=ethlinkd NT_RUN=$run NT_CONF=$conf NT_STATE=$state
	nt_daemon && nt_wait_state front-left online && procs_until 10 "the name on the bus" on_bus && [ "$pid" -eq 0 ]
}

device_other_is_there() {
	ask call /org/ethlinkd1 org.ethlinkd1.Manager ListDevices | grep -q other
}

# --- cases with daemons of their own

# $1: what bus = says, $2: what the log says of it, or nothing
without_bus() {
	daemon=("bus = $1")
	write_conf
	: > "$PROCS_DIR/ethlinkd.err"
	DBUS_SESSION_BUS_ADDRESS=unix:path=$PROCS_DIR/nowhere DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PROCS_DIR/nowhere nt_daemon &&
		nt_wait_state front-left stopped || return 1
	if [ -n "$2" ]; then
		procs_until 3 "that there is no bus" said_times "$2" 1 || return 1
	else
		! said ' bus' || return 1
	fi
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ]
}

bus_comes_later() {
	daemon=("bus = session")
	write_conf
	: > "$PROCS_DIR/ethlinkd.err"
	export DBUS_SESSION_BUS_ADDRESS=unix:path=$PROCS_DIR/session.bus
	nt_daemon && procs_until 3 "it to wait" said 'not on the session bus: there is none' && start_bus session &&
		procs_until 8 "the daemon on the bus" on_bus
}

# A service of the system: nobody may look, but not touch; the group audio may.
as_nobody() {
	setpriv --reuid nobody --regid nogroup --clear-groups "$@"
}

as_audio() {
	setpriv --reuid nobody --regid nogroup --groups audio "$@"
}

# $1: as_nobody or as_audio; a call that this user may not make
denied() {
	local as=$1

	shift
	"$as" dbus-send --bus="$bus_address" --dest=org.ethlinkd1 --print-reply "$@" > "$PROCS_DIR/denied.txt" 2>&1 && return 1
	grep -q 'org.freedesktop.DBus.Error.AccessDenied' "$PROCS_DIR/denied.txt" || { sed 's/^/# /' "$PROCS_DIR/denied.txt"; return 1; }
}

granted() {
	local as=$1

	shift
	"$as" dbus-send --bus="$bus_address" --dest=org.ethlinkd1 --print-reply "$@" > "$PROCS_DIR/granted.txt" 2>&1 ||
		{ printf '# %s\n' "$*"; sed 's/^/# /' "$PROCS_DIR/granted.txt"; return 1; }
}

start_system() {
	daemon=("bus = system")
	write_conf
	rm -f "$PROCS_DIR/system.bus"
	start_bus system && nt_daemon && procs_until 5 "the name on the system bus" on_bus
}

everybody_reads() {
	local m=org.ethlinkd1.Manager std=org.freedesktop.DBus

	granted as_nobody /org/ethlinkd1 $m.GetStatus && granted as_nobody /org/ethlinkd1 $m.ListDevices &&
		granted as_nobody /org/ethlinkd1 $m.GetTelemetry && granted as_nobody /org/ethlinkd1 $m.Subscribe &&
		granted as_nobody /org/ethlinkd1 $m.Unsubscribe && granted as_nobody /org/ethlinkd1 $std.Introspectable.Introspect &&
		granted as_nobody /org/ethlinkd1 $std.ObjectManager.GetManagedObjects && granted as_nobody /org/ethlinkd1 $std.Peer.Ping &&
		granted as_nobody "$device_path" $std.Properties.Get string:org.ethlinkd1.Device string:GainDb &&
		granted as_nobody "$device_path" $std.Properties.GetAll string:org.ethlinkd1.Device || return 1
	# Signals, too: from somebody who may.
	PROCS_ENTER=(setpriv --reuid nobody --regid nogroup --clear-groups)
	listen reader "$bus_address" listen
	PROCS_ENTER=()
	granted as_audio "$device_path" org.ethlinkd1.Device.SetGain uint32:5 double:5 &&
		procs_until 3 "the change" heard_some reader PropertiesChanged 1
}

nobody_controls() {
	local d=org.ethlinkd1.Device before

	before=$(property GainDb; property Muted)
	denied as_nobody "$device_path" $d.SetGain uint32:1 double:9 && denied as_nobody "$device_path" $d.SetMute uint32:1 boolean:true &&
		denied as_nobody "$device_path" $d.SetAllMuted boolean:true && denied as_nobody "$device_path" $d.SetPhantom uint32:1 boolean:true &&
		denied as_nobody "$device_path" $d.Reset && denied as_nobody /org/ethlinkd1 org.ethlinkd1.Manager.Reload &&
		denied as_nobody "$device_path" org.freedesktop.DBus.Properties.Set string:$d string:Name variant:string:x &&
		[ "$(property GainDb; property Muted)" = "$before" ]
}

audio_controls() {
	granted as_audio "$device_path" org.ethlinkd1.Device.SetGain uint32:1 double:9 && [ "$(property GainDb)" = 'ad 8 9 -2 -2 -2 5 -2 -2 -2' ] &&
		granted as_audio /org/ethlinkd1 org.ethlinkd1.Manager.Reload && granted as_audio "$device_path" org.ethlinkd1.Device.Reset
}

# A daemon of a user who may not have the name says so, and serves its socket.
name_is_denied() {
	procs_stop ethlinkd
	as_user as_nobody && procs_until 5 "the remedy" said 'does not give the name.*group audio' && nt_answers || return 1
	procs_stop ethlinkd
	as_user as_audio && procs_until 5 "the name" on_bus
}

as_user() {
	rm -rf "$NT_RUN" "$NT_STATE" "$PROCS_DIR/ethlinkd.err"
	mkdir -p "$NT_RUN" "$NT_STATE"
	chown nobody "$NT_RUN" "$NT_STATE"
	NT_AS_USER=(setpriv --reuid nobody --regid nogroup --clear-groups)
	[ "$1" != as_audio ] || NT_AS_USER=(setpriv --reuid nobody --regid nogroup --groups audio)
	nt_daemon
}

# --- all

wanted=("$@")
listeners=(other meter changes reader)

one() {
	local text=$1 name

	shift
	if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $1 "* ]]; then
		return 0
	fi
	nt_check "$text" "$@"
	if [ ${#more[@]} -gt 0 ]; then
		more=()
		write_conf
	fi
	for name in "${listeners[@]}"; do
		procs_stop "$name"
	done
}

nt_begin
for p in dbus-daemon dbus-send busctl setpriv; do
	command -v "$p" > /dev/null || { printf '# skipped: %s is not installed\n' "$p"; exit 77; }
done
peer=$(nt_program bus-peer) || exit 1
start || { nt_not_ok "start"; nt_end; }
one "introspection lists all of it" introspection
one "the manual page has all of it" manual
one "the tree and the managed objects" tree
one "properties are what the status says" values
one "telemetry" telemetry
one "gain, mute and reset reach the box" levels
one "a hundred changes are gathered" changes_are_gathered
one "one change is told once" change_is_told_once
one "peaks ten times a second, hold for two seconds, silence when the subscriber is killed" peaks
one "peaks go to the status, too" peaks_for_all
one "nobody unsubscribes for another" unsubscribed
one "InterfacesAdded and InterfacesRemoved" device_comes_and_goes
one "a wrong configuration is an error of its own" bad_reload
one "wrong calls are refused and change nothing" bad_calls
one "another bus, and back, by a reload" bus_switched
one "a bus that hangs holds nothing up" bus_hangs
one "a bus that is killed is waited for, and found again" bus_restarted
one "a second daemon takes the name when the first ends" second_daemon
nt_stop_all
one "no session bus: said once" without_bus session 'not on the session bus: there is none'
one "no system bus: said once" without_bus system 'not on the system bus: there is none'
one "bus = none: nothing said" without_bus none ''
rm -f "$PROCS_DIR/session.bus"
one "a bus that comes later is joined" bus_comes_later
nt_stop_all
start_system || { nt_not_ok "a daemon on a system bus"; nt_end; }
one "system bus: everybody reads" everybody_reads
one "system bus: nobody controls" nobody_controls
one "system bus: the group audio controls" audio_controls
one "system bus: without the group the name is refused and the remedy said" name_is_denied
nt_end
