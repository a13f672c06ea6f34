# shellcheck shell=bash disable=SC2034
# A PipeWire server and its session manager of the script's own, on a session bus of its own: in the test's network
# namespace, with all their files under $PROCS_DIR, without any sound card. Sourced after netns.sh; dbus.sh comes with it.
#
#   nt_pw_begin                    skips (77) where a program is missing; after nt_begin. NT_BACKEND, NT_FEED and NT_FEED_SERVER
#                                  (netns.sh) are PipeWire's from then on
#   nt_pw_missing                  the same as a question
#   nt_pipewire [QUANTUM [RATE]]   session bus, PipeWire (process pipewire), WirePlumber (process wireplumber), all ready
#   nt_pw_server, nt_pw_manager    only the one or the other, in nt_pipewire's order
#   nt_pw_quantum N, nt_pw_rate R  forced from now on; 0: as the clients wish
#   nt_pw_kill [SIGNAL]            ends server and session manager; KILL unless told
#   nt_pw_restart [SIGNAL]         ends both and starts them again, as they were
#   nt_pw_sink NAME [PRIORITY]     another sink, of two channels, that plays into nothing
#   nt_pw_node NAME                the node NAME as pw-dump has it, one JSON object; empty if there is none
#   nt_pw_value NAME JQ-FILTER     something of it
#   nt_pw_id NAME                  its id
#   nt_pw_links                    all links, a line each: "OUTPUT-PORT INPUT-PORT", sorted
#   nt_pw_rt                       do the data loops of the server and the daemon run with realtime priority?

if ! declare -F dbus_start > /dev/null; then
	# shellcheck source=tests/lib/dbus.sh
	. "$NT_LIB/dbus.sh"
fi

NT_PW_QUANTUM=1024
NT_PW_RATE=48000
# What is written into the server's configuration and the session manager's, too.
NT_PW_PROPERTIES=()

# Says what is missing; false: nothing.
nt_pw_missing() {
	local p

	for p in pipewire wireplumber pw-cli pw-cat pw-dump pw-link pw-metadata wpctl dbus-daemon busctl; do
		command -v "$p" > /dev/null || { printf '# skipped: %s is not installed\n' "$p"; return 0; }
	done
	return 1
}

nt_pw_begin() {
	if nt_pw_missing; then
		exit 77
	fi
	NT_FEED=$(nt_program pw-feed) || exit 1
	NT_FEED_SERVER=pipewire-0
	NT_BACKEND=pipewire
	# Where the cycles are missing, in the fade behind that, and a little later where the cushion is put right.
	NT_GAPS_EACH=3
	export XDG_RUNTIME_DIR=$PROCS_DIR/pw-run HOME=$PROCS_DIR/pw-home
	export XDG_CONFIG_HOME=$HOME/config XDG_STATE_HOME=$HOME/state XDG_CACHE_HOME=$HOME/cache XDG_DATA_HOME=$HOME/data
	unset PIPEWIRE_RUNTIME_DIR PIPEWIRE_REMOTE PIPEWIRE_CONFIG_DIR PIPEWIRE_LATENCY PIPEWIRE_QUANTUM PIPEWIRE_PROPS PULSE_SERVER
	nt_pw_write_manager_conf && mkdir -m 700 "$XDG_RUNTIME_DIR"
}

# The session manager looks for no hardware. Of 0.4 in Lua, of 0.5 and later in the other language.
nt_pw_write_manager_conf() {
	local conf=$XDG_CONFIG_HOME/wireplumber kind

	mkdir -p "$conf"/{main,bluetooth}.lua.d "$conf/wireplumber.conf.d" "$XDG_CONFIG_HOME/pipewire"
	for kind in alsa v4l2 libcamera; do
		printf '%s_monitor.enabled = false\n' "$kind"
	done > "$conf/main.lua.d/60-no-hardware.lua"
	printf 'bluez_monitor.enabled = false\n' > "$conf/bluetooth.lua.d/60-no-hardware.lua"
	{
		printf 'wireplumber.profiles = { main = {\n'
		printf '  %s = disabled\n' hardware.audio hardware.bluetooth hardware.video-capture
		printf '} }\n'
	} > "$conf/wireplumber.conf.d/60-no-hardware.conf"
}

# The distribution's own would not do: in a virtual machine it has no quantum under 1024.
nt_pw_write_conf() {
	local module

	{
		printf 'context.properties = {\n'
		printf '  %s\n' "core.daemon = true" "core.name = pipewire-0" "log.level = 2" "mem.allow-mlock = true" \
			"link.max-buffers = 16" "clock.power-of-two-quantum = false" "settings.check-quantum = false" "settings.check-rate = false" \
			"default.clock.rate = $NT_PW_RATE" "default.clock.quantum = $NT_PW_QUANTUM" \
			"default.clock.allowed-rates = [ 44100 48000 88200 96000 192000 ]" \
			"default.clock.min-quantum = 16" "default.clock.max-quantum = 8192" "${NT_PW_PROPERTIES[@]}"
		printf '}\ncontext.spa-libs = {\n'
		printf '  %s\n' "audio.convert.* = audioconvert/libspa-audioconvert" "support.* = support/libspa-support"
		printf '}\ncontext.modules = [\n'
		printf '  { name = libpipewire-module-rt args = { nice.level = -11 } }\n'
		for module in protocol-native profiler metadata spa-node-factory client-node client-device access adapter \
			link-factory session-manager; do
			printf '  { name = libpipewire-module-%s }\n' "$module"
		done
		printf ']\ncontext.objects = [\n'
		printf '  { factory = spa-node-factory args = { factory.name = support.node.driver %s } }\n' \
			"node.name = Dummy-Driver node.group = pipewire.dummy priority.driver = 20000" \
			"node.name = Freewheel-Driver node.group = pipewire.freewheel node.freewheel = true priority.driver = 19000"
		printf ']\n'
	} > "$XDG_CONFIG_HOME/pipewire/test.conf"
}

nt_pw_answers() {
	pw-cli info 0 && nt_pw_forced clock.quantum "$NT_PW_QUANTUM"
}

nt_pw_forced() {
	pw-metadata -n settings 0 "$1" 2> /dev/null | grep -q "value:'$2'"
}

# Its own daemon connection, the store of the defaults, and the scripts that link.
nt_pw_is_managed() {
	pw-metadata -n default 2> /dev/null | grep -q 'Found "default"' && pw-dump 2> /dev/null |
		jq '[.[] | select(.type == "PipeWire:Interface:Client" and .info.props["wireplumber.daemon"] == true)] | length > 0' |
		grep -q true
}

nt_pw_server() {
	nt_pw_write_conf
	nt_inside pipewire pipewire -c test.conf
	procs_until 10 "PipeWire to answer" nt_pw_answers || return 1
	if ! nt_pw_is_rt pipewire; then
		echo "# no realtime priority for PipeWire on this machine: xruns are likely"
	fi
}

nt_pw_manager() {
	nt_inside wireplumber wireplumber
	procs_until 10 "WirePlumber to be ready" nt_pw_is_managed
}

# What an earlier session manager has kept, of volumes, say, is not this one's.
nt_pipewire() {
	rm -rf "$XDG_STATE_HOME"
	NT_PW_QUANTUM=${1:-1024}
	NT_PW_RATE=${2:-48000}
	procs_alive session-bus || dbus_start session || return 1
	nt_pw_server && nt_pw_manager
}

# nt_pw_force KEY VALUE
nt_pw_force() {
	pw-metadata -n settings 0 "$1" "$2" > /dev/null 2>> "$PROCS_DIR/pw-tool.err"
	procs_until 5 "$1 to be $2" nt_pw_forced "$1" "$2"
}

nt_pw_quantum() {
	nt_pw_force clock.force-quantum "$1"
}

nt_pw_rate() {
	nt_pw_force clock.force-rate "$1"
}

nt_pw_kill() {
	procs_stop wireplumber "${1:-KILL}" 2> /dev/null
	procs_stop pipewire "${1:-KILL}" 2> /dev/null
}

nt_pw_restart() {
	nt_pw_kill "${1:-KILL}"
	nt_pw_server && nt_pw_manager
}

nt_pw_sink() {
	local args

	args="{ factory.name = support.null-audio-sink node.name = $1 media.class = Audio/Sink object.linger = true
		audio.position = [ FL FR ] priority.session = ${2:-1000} }"
	pw-cli create-node adapter "$args" > /dev/null 2>> "$PROCS_DIR/pw-tool.err"
	procs_until 5 "the sink $1" nt_pw_id "$1"
}

nt_pw_node() {
	pw-dump 2> /dev/null | jq --arg name "$1" '[.[] | select(.type == "PipeWire:Interface:Node" and
		.info.props["node.name"] == $name)][0] // empty'
}

nt_pw_value() {
	nt_pw_node "$1" | jq -r "$2"
}

# Says so with its status if there is none: jq itself does not, of nothing.
nt_pw_id() {
	nt_pw_value "$1" .id | grep .
}

# With names in place of ids, from one dump.
nt_pw_links() {
	pw-dump 2> /dev/null | jq -r '
		(map(select(.type == "PipeWire:Interface:Node")) | map({ key: (.id | tostring), value: .info.props["node.name"] }) | from_entries) as $node |
		(map(select(.type == "PipeWire:Interface:Port")) | map({ key: (.id | tostring),
			value: "\($node[.info.props["node.id"] | tostring]):\(.info.props["port.name"])" }) | from_entries) as $port |
		.[] | select(.type == "PipeWire:Interface:Link") | .info |
		"\($port[.["output-port-id"] | tostring]) \($port[.["input-port-id"] | tostring])"' | sort
}

# $1: process. One of its threads has a realtime policy (FF or RR).
nt_pw_is_rt() {
	ps -L -o cls= -p "${PROCS_PID[$1]}" | grep -qE 'FF|RR'
}

nt_pw_rt() {
	nt_pw_is_rt pipewire && nt_pw_is_rt "$NT_PROC"
}
