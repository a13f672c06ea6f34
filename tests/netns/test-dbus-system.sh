#!/bin/bash
# The daemon where there is no bus, or later; and on a system bus: who may do what.
# Usage: test-dbus-system.sh [CASE-FUNCTION]...
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/dbus.sh
. "$(dirname "$0")/../lib/dbus.sh"

dbus_wanted=("$@")

# $1: what bus = says, $2: what the log says of it, or nothing
without_bus() {
	dbus_daemon=("bus = $1")
	dbus_write_conf
	: > "$PROCS_DIR/ethlinkd.err"
	DBUS_SESSION_BUS_ADDRESS=unix:path=$PROCS_DIR/nowhere DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PROCS_DIR/nowhere nt_daemon &&
		nt_wait_state front-left stopped || return 1
	if [ -n "$2" ]; then
		procs_until 3 "that there is no bus" dbus_said_times "$2" 1 || return 1
	else
		! dbus_said ' bus' || return 1
	fi
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ]
}

bus_comes_later() {
	dbus_daemon=("bus = session")
	dbus_write_conf
	: > "$PROCS_DIR/ethlinkd.err"
	export DBUS_SESSION_BUS_ADDRESS=unix:path=$PROCS_DIR/session.bus
	nt_daemon && procs_until 3 "it to wait" dbus_said 'not on the session bus: there is none' && dbus_start session &&
		procs_until 8 "the daemon on the bus" dbus_there
}

# On a system bus the user nobody may look, but not touch; the group audio may.
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
	"$as" dbus-send --bus="$dbus_address" --dest=org.ethlinkd1 --print-reply "$@" > "$PROCS_DIR/denied.txt" 2>&1 && return 1
	grep -q 'org.freedesktop.DBus.Error.AccessDenied' "$PROCS_DIR/denied.txt" || { sed 's/^/# /' "$PROCS_DIR/denied.txt"; return 1; }
}

granted() {
	local as=$1

	shift
	"$as" dbus-send --bus="$dbus_address" --dest=org.ethlinkd1 --print-reply "$@" > "$PROCS_DIR/granted.txt" 2>&1 ||
		{ printf '# %s\n' "$*"; sed 's/^/# /' "$PROCS_DIR/granted.txt"; return 1; }
}

start_system() {
	dbus_daemon=("bus = system")
	dbus_write_conf
	rm -f "$PROCS_DIR/system.bus"
	dbus_start system && nt_daemon && procs_until 5 "the name on the system bus" dbus_there
}

everybody_reads() {
	local m=org.ethlinkd1.Manager std=org.freedesktop.DBus

	granted as_nobody /org/ethlinkd1 $m.GetStatus && granted as_nobody /org/ethlinkd1 $m.ListDevices &&
		granted as_nobody /org/ethlinkd1 $m.GetTelemetry && granted as_nobody /org/ethlinkd1 $m.Subscribe &&
		granted as_nobody /org/ethlinkd1 $m.Unsubscribe && granted as_nobody /org/ethlinkd1 $std.Introspectable.Introspect &&
		granted as_nobody /org/ethlinkd1 $std.ObjectManager.GetManagedObjects && granted as_nobody /org/ethlinkd1 $std.Peer.Ping &&
		granted as_nobody "$dbus_device_path" $std.Properties.Get string:org.ethlinkd1.Device string:GainDb &&
		granted as_nobody "$dbus_device_path" $std.Properties.GetAll string:org.ethlinkd1.Device || return 1
	# Signals, too: from somebody who may.
	PROCS_ENTER=(setpriv --reuid nobody --regid nogroup --clear-groups)
	dbus_listen reader "$dbus_address" listen
	PROCS_ENTER=()
	granted as_audio "$dbus_device_path" org.ethlinkd1.Device.SetGain uint32:5 double:5 &&
		procs_until 3 "the change" dbus_heard_some reader PropertiesChanged 1
}

nobody_controls() {
	local d=org.ethlinkd1.Device before

	before=$(dbus_property GainDb; dbus_property Muted)
	denied as_nobody "$dbus_device_path" $d.SetGain uint32:1 double:9 && denied as_nobody "$dbus_device_path" $d.SetMute uint32:1 boolean:true &&
		denied as_nobody "$dbus_device_path" $d.SetAllMuted boolean:true && denied as_nobody "$dbus_device_path" $d.SetPhantom uint32:1 boolean:true &&
		denied as_nobody "$dbus_device_path" $d.Reset && denied as_nobody /org/ethlinkd1 org.ethlinkd1.Manager.Reload &&
		denied as_nobody "$dbus_device_path" org.freedesktop.DBus.Properties.Set string:$d string:Name variant:string:x &&
		[ "$(dbus_property GainDb; dbus_property Muted)" = "$before" ]
}

audio_controls() {
	granted as_audio "$dbus_device_path" org.ethlinkd1.Device.SetGain uint32:1 double:9 && [ "$(dbus_property GainDb)" = 'ad 8 9 -2 -2 -2 5 -2 -2 -2' ] &&
		granted as_audio /org/ethlinkd1 org.ethlinkd1.Manager.Reload && granted as_audio "$dbus_device_path" org.ethlinkd1.Device.Reset
}

# A daemon of a user who may not have the name says so, and serves its socket.
name_is_denied() {
	procs_stop ethlinkd
	as_user as_nobody && procs_until 5 "the remedy" dbus_said 'does not give the name.*group audio' && nt_answers || return 1
	procs_stop ethlinkd
	as_user as_audio && procs_until 5 "the name" dbus_there
}

as_user() {
	rm -rf "$NT_RUN" "$NT_STATE" "$PROCS_DIR/ethlinkd.err"
	mkdir -p "$NT_RUN" "$NT_STATE"
	chown nobody "$NT_RUN" "$NT_STATE"
	NT_AS_USER=(setpriv --reuid nobody --regid nogroup --clear-groups)
	[ "$1" != as_audio ] || NT_AS_USER=(setpriv --reuid nobody --regid nogroup --groups audio)
	nt_daemon
}

nt_begin
dbus_begin
dbus_one "no session bus: said once" without_bus session 'not on the session bus: there is none'
dbus_one "no system bus: said once" without_bus system 'not on the system bus: there is none'
dbus_one "bus = none: nothing said" without_bus none ''
rm -f "$PROCS_DIR/session.bus"
dbus_one "a bus that comes later is joined" bus_comes_later
nt_stop_all
start_system || { nt_not_ok "a daemon on a system bus"; nt_end; }
dbus_one "system bus: everybody reads" everybody_reads
dbus_one "system bus: nobody controls" nobody_controls
dbus_one "system bus: the group audio controls" audio_controls
dbus_one "system bus: without the group the name is refused and the remedy said" name_is_denied
nt_end
