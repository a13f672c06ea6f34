# shellcheck shell=bash disable=SC2034
# A session bus or a system bus of the script's own, the daemon on it, and programs that listen. Sourced after netns.sh.
#
#   dbus_begin                       skips (77) where a program is missing; after nt_begin
#   dbus_start session|system        the bus; its address is in dbus_address
#   dbus_there                       is the daemon on it?
#   dbus_write_conf                  $NT_CONF: lines of dbus_daemon, one device front-left, lines of dbus_more
#   dbus_ask VERB PATH INTERFACE...  through busctl; dbus_set_gain CHANNEL DB, dbus_property NAME: of the device
#   dbus_listen NAME ARG...          process NAME: bus-peer with these arguments; dbus_heard NAME TEXT: how many signals,
#                                    dbus_heard_some NAME TEXT N: at least N, dbus_quiet NAME TEXT: no more for a second
#   dbus_said TEXT, dbus_said_times TEXT N   in the daemon's log
#   dbus_one TEXT CASE ARG...        one case; dbus_wanted may name the only ones

dbus_policy=$(cd "$NT_LIB/../../systemd" && pwd)/org.ethlinkd1.conf
dbus_manager="/org/ethlinkd1 org.ethlinkd1.Manager"
dbus_device_path=/org/ethlinkd1/device/front_2dleft
dbus_device="$dbus_device_path org.ethlinkd1.Device"
dbus_socket=
dbus_address=
dbus_peer=
dbus_daemon=("bus = session")
dbus_more=()

# --- buses

# $1: session or system
dbus_write_bus_conf() {
	dbus_socket=$PROCS_DIR/$1.bus
	dbus_address=unix:path=$dbus_socket
	{
		printf '<busconfig><type>%s</type><listen>%s</listen><auth>EXTERNAL</auth>\n' "$1" "$dbus_address"
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
			printf '<include>%s</include>\n' "$dbus_policy"
		fi
		printf '</busconfig>\n'
	} > "$PROCS_DIR/$1.xml"
}

dbus_start() {
	dbus_write_bus_conf "$1"
	export DBUS_SESSION_BUS_ADDRESS=unix:path=$PROCS_DIR/session.bus DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PROCS_DIR/system.bus
	procs_start "$1-bus" dbus-daemon --nofork --config-file="$PROCS_DIR/$1.xml"
	procs_until 5 "the $1 bus" busctl --address="$dbus_address" list
}

dbus_there() {
	busctl --address="$dbus_address" call org.ethlinkd1 /org/ethlinkd1 org.freedesktop.DBus.Peer Ping
}

# --- what is asked

# dbus_ask VERB PATH INTERFACE ARG...: through busctl
dbus_ask() {
	local verb=$1

	shift
	busctl --address="$dbus_address" "$verb" org.ethlinkd1 "$@"
}

# The words of dbus_device are meant to be split.
# shellcheck disable=SC2086
dbus_set_gain() {
	dbus_ask call $dbus_device SetGain ud "$1" -- "$2" > /dev/null
}

# shellcheck disable=SC2086
dbus_property() {
	dbus_ask get-property $dbus_device "$1"
}

dbus_write_conf() {
	nt_config "${dbus_daemon[@]}" "[device front-left]" "model = dac8" "serial = 0" "labels = Main L, Main R" "gain = -2" "${dbus_more[@]}"
}

# $1: who listens; then bus-peer's arguments
dbus_listen() {
	local name=$1

	shift
	rm -f "$PROCS_DIR/$name.out"
	procs_start "$name" "$dbus_peer" "$@" && procs_until 5 "$name to listen" grep -q listening "$PROCS_DIR/$name.out"
}

dbus_heard() {
	grep -c " $2" "$PROCS_DIR/$1.out"
}

dbus_heard_some() {
	[ "$(dbus_heard "$1" "$2")" -ge "$3" ]
}

# A time in which something would come if it came: twice as long as between two signals of its kind, and more.
dbus_quiet() {
	local before

	before=$(dbus_heard "$1" "$2")
	procs_until 1 "" dbus_heard_some "$1" "$2" $((before + 1)) && return 1
	return 0
}

dbus_said() {
	grep -qE -- "$1" "$PROCS_DIR/${NT_PROC}.err"
}

dbus_said_times() {
	[ "$(grep -cE -- "$1" "$PROCS_DIR/${NT_PROC}.err")" -eq "$2" ]
}

dbus_wanted=()
dbus_listeners=(other meter changes reader)

dbus_one() {
	local text=$1 name

	shift
	if [ ${#dbus_wanted[@]} -gt 0 ] && [[ " ${dbus_wanted[*]} " != *" $1 "* ]]; then
		return 0
	fi
	nt_check "$text" "$@"
	if [ ${#dbus_more[@]} -gt 0 ]; then
		dbus_more=()
		dbus_write_conf
	fi
	for name in "${dbus_listeners[@]}"; do
		procs_stop "$name"
	done
}

dbus_begin() {
	local p

	for p in dbus-daemon dbus-send busctl setpriv; do
		command -v "$p" > /dev/null || { printf '# skipped: %s is not installed\n' "$p"; exit 77; }
	done
	dbus_peer=$(nt_program bus-peer) || exit 1
}
