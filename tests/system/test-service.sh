#!/bin/bash
# The daemon as a systemd service: installed into a booted container, enabled, started before the audio server, played
# through, reloaded, killed, stopped dead, stopped; with JACK, and then with the PipeWire of the user's session. The
# virtual box is outside, at the other end of a veth pair.
# Environment: BUILD, the build folder; ROOTFS, see tests/lib/container.sh.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"
# shellcheck source=tests/lib/container.sh
. "$(dirname "$0")/../lib/container.sh"

user=alice
guest=bob
unit=ethlinkd@$user.service
exposure_max=25
feed_out=/var/tmp/feed.out
gain=0
table=()

# --- the system

# What the Makefile says, whatever the prefix is.
made() {
	printf 'include Makefile\nprint-it:\n\t@echo $(%s)\n' "$1" | make -s -C "$BUILD" -f - print-it 2> /dev/null
}

install_it() {
	make -C "$BUILD" install DESTDIR="$CT_ROOT" > "$PROCS_DIR/install.out" 2>&1 || return 1
	rm "$PROCS_DIR/install.out"
	sbindir=$(made sbindir)
	conf=$(made sysconfdir)/ethlinkd/ethlinkd.conf
	userunit=$(made systemduserunitdir)/ethlinkd.service
	policy=$(made dbuspolicydir)/org.ethlinkd1.conf
	[ -x "$CT_ROOT$sbindir/ethlinkd" ] && [ -f "$CT_ROOT$(made systemdsystemunitdir)/ethlinkd@.service" ] &&
		[ -f "$CT_ROOT$userunit" ] && [ -f "$CT_ROOT$policy" ] || return 1
	# What is not below /usr the bus does not find by itself.
	[[ "$policy" == /usr/share/* ]] || ln -s "$policy" "$CT_ROOT/etc/dbus-1/system.d/"
}

# The daemon has to connect what is written here, each time anew: nobody else does.
configure() {
	printf '%s\n' "[daemon]" "backend = auto" "interface = $NT_HOST_IF" "" "[device stage]" "model = dac8" "serial = 0" \
		"gain = $1" "connect = $(seq -s ', ' -f 'feed:out_%g' 8)" > "$CT_ROOT$conf"
}

# A JACK server as a user has it, and the user.
add_user() {
	useradd --root "$CT_ROOT" --create-home --groups audio "$user" && useradd --root "$CT_ROOT" --create-home "$guest" || return 1
	cat > "$CT_ROOT/etc/systemd/system/jackd.service" << END
[Service]
User=$user
AmbientCapabilities=CAP_SYS_NICE CAP_IPC_LOCK
Environment=JACK_NO_AUDIO_RESERVATION=1
ExecStart=/usr/bin/jackd -R -P 60 -d dummy -r 48000 -p 256
END
	install -D -m 755 -t "$CT_ROOT/usr/local/bin" "$(nt_program jack-feed)" "$(nt_program pw-feed)"
}

set_up() {
	ct_rootfs jackd2 pipewire wireplumber jq procps libinih1 libsndfile1 libncursesw6 libwavpack1 && install_it && add_user && configure 0 &&
		systemctl --root="$CT_ROOT" enable --quiet "$unit"
}

# --- what is looked at

nt_ctl() {
	ct ethlinkctl "$@" 2>> "$PROCS_DIR/ethlinkctl.err"
}

is_active() {
	[ "$(ct_property "$1" ActiveState)" = active ]
}

pid_of() {
	ct_property "$1" MainPID
}

# The journal of the daemon's unit, as JSON lines.
journal() {
	ct journalctl --unit "$unit" --output json --no-pager
}

# Those of the daemon itself, not those of systemd about it, nor those of a reload.
messages() {
	journal | jq -r 'select(._COMM == "ethlinkd" and .SYSLOG_IDENTIFIER == "ethlinkd") | .MESSAGE'
}

# $1: jack-feed or pw-feed, a client "feed" to either server, with ports of the same names
feed_start() {
	ct systemd-run --quiet --collect --unit=feed --uid="$user" --property="StandardOutput=file:$feed_out" \
		--property="AmbientCapabilities=CAP_SYS_NICE CAP_IPC_LOCK" --setenv=XDG_RUNTIME_DIR="/run/user/$uid" \
		"/usr/local/bin/$1" --client feed --pattern --endless --lead-in 0 || return 1
	# What watch_faults asks it: its number outside, and its answers.
	read -r "PROCS_PID[feed]" < "${CT_CGROUPS[0]}/payload/system.slice/feed.service/cgroup.procs" &&
		ln -sf "$CT_ROOT$feed_out" "$PROCS_DIR/feed.out"
}

plays() {
	watch_steady emu "${1:-100}"
}

# --- cases

starts_before_jack() {
	procs_until 15 "$unit to be active" is_active "$unit" || return 1
	[ "$(ct_property jackd ActiveState)" = inactive ] && nt_wait_state stage stopped &&
		[ "$(nt_status .connected)" = false ] && [ "$(ct_property "$unit" NRestarts)" = 0 ] &&
		[ "$(ct_property "$unit" ActiveEnterTimestampMonotonic)" -gt 0 ]
}

joins_jack() {
	ct systemctl start jackd && procs_until 15 "the daemon to join" joined && feed_start jack-feed && nt_wait_state stage online && plays
}

# The unit shuts out much of the system, but not what NetVST needs: here as server and client of itself.
netvst() {
	local result

	before && cp "$CT_ROOT$conf" "$PROCS_DIR/before.conf" || return 1
	printf '%s\n' "[netvst daw]" "role = server" "slots = 1" "[netvst fx]" "role = client" "host = 127.0.0.1" "block = 256" \
		>> "$CT_ROOT$conf"
	ct systemctl reload "$unit" && procs_until 20 "the insert to be online" insert_is_online
	result=$?
	cp "$PROCS_DIR/before.conf" "$CT_ROOT$conf" && ct systemctl reload "$unit" && procs_until 5 "the insert to go" no_insert &&
		[ "$result" -eq 0 ] && undisturbed
}

insert_is_online() {
	[ "$(nt_status '[.netvst[].state] | join(" ")')" = "listening online" ]
}

no_insert() {
	[ "$(nt_status '.netvst | length')" = 0 ]
}

joined() {
	[ "$(nt_status .connected)" = true ]
}

# Of one thing in /proc/PID/status or /proc/PID/limits of the daemon.
about() {
	ct cat "/proc/$(pid_of "$unit")/$1" | sed -n "s/^$2[:[:space:]]*//p"
}

# As its user, with raw sockets and nothing more.
rights() {
	[ "$(ct ps -o user= -p "$(pid_of "$unit")")" = "$user" ] && [ "$(about status NoNewPrivs)" = 1 ] &&
		[ "$(about status CapEff)" = 0000000000002000 ] && [ "$(about status CapBnd)" = 0000000000002000 ]
}

# Root of a virtual machine or container may lack the right to raise limits; then systemd leaves them as they are. Here
# capabilities stand in for them, so that at least the rest of the unit is seen to let realtime and locked memory be.
limits() {
	if [[ "$(about limits "Max realtime priority")" == 95* && "$(about limits "Max locked memory")" == unlimited* ]]; then
		return 0
	fi
	if (ulimit -Hr 95) 2> /dev/null; then
		return 1
	fi
	echo "# this machine's root cannot raise limits: from here on the service has CAP_SYS_NICE and CAP_IPC_LOCK instead"
	mkdir "$CT_ROOT/etc/systemd/system/ethlinkd@.service.d" &&
		printf '%s\n' "[Service]" "AmbientCapabilities=CAP_SYS_NICE CAP_IPC_LOCK" \
			"CapabilityBoundingSet=CAP_SYS_NICE CAP_IPC_LOCK" > "$CT_ROOT/etc/systemd/system/ethlinkd@.service.d/limits.conf" &&
		ct systemctl daemon-reload && ct systemctl restart "$unit" && starts_before_jack
}

realtime() {
	ct ps -L -o cls=,rtprio= -p "$(pid_of "$unit")" | grep -q FF || { echo "# no realtime thread"; return 1; }
	[ "$(about status VmLck | sed 's/ kB//')" -gt 1000 ] || { echo "# memory is not locked"; return 1; }
}

# Also for the user, who names no socket either.
ctl_finds_it() {
	[ "$(ct ethlinkctl status --json | jq -r '.devices[0].state')" = online ] &&
		[ "$(ct_as "$user" ethlinkctl status --json | jq -r '.devices[0].state')" = online ]
}

bus_as() {
	ct_as "$1" busctl --system -- "${@:2}" 2>> "$PROCS_DIR/busctl.err"
}

device=(org.ethlinkd1 /org/ethlinkd1/device/stage org.ethlinkd1.Device)

# Everybody may look, group audio and root may touch.
system_bus() {
	local who before

	for who in root "$user" "$guest"; do
		[ "$(bus_as "$who" get-property "${device[@]}" State)" = 's "online"' ] || { echo "# $who cannot read"; return 1; }
		bus_as "$who" call org.ethlinkd1 /org/ethlinkd1 org.ethlinkd1.Manager ListDevices > /dev/null || return 1
	done
	before=$(nt_status -c '.devices[0].gain_db')
	: > "$PROCS_DIR/busctl.err"
	if bus_as "$guest" call "${device[@]}" SetGain ud 1 -20 || bus_as "$guest" call "${device[@]}" SetAllMuted b true ||
		bus_as "$guest" call org.ethlinkd1 /org/ethlinkd1 org.ethlinkd1.Manager Reload; then
		echo "# $guest may touch"
		return 1
	fi
	[ "$(nt_status -c '.devices[0].gain_db')" = "$before" ] && [ "$(grep -ci "denied" "$PROCS_DIR/busctl.err")" -eq 3 ] || return 1
	bus_as "$user" call "${device[@]}" SetGain ud 0 -20 && procs_until 3 "the gains" gains_are -20 &&
		ct_as "$user" ethlinkctl --system reset stage && procs_until 3 "the gains" gains_are "$gain"
}

# A restart of the service, and one by the watchdog or systemd: what was set is there again.
settings_survive() {
	ct_as "$user" ethlinkctl gain stage all -9 && procs_until 3 "the gains" gains_are -9 || return 1
	ct systemctl restart "$unit" && nt_wait_state stage online && procs_until 3 "the gains" gains_are -9 &&
		ct test -s "/var/lib/ethlinkd/$user/settings" && ct_as "$user" ethlinkctl reset stage &&
		procs_until 3 "the gains" gains_are "$gain"
}

status_line() {
	local line

	line=$(ct_property "$unit" StatusText)
	printf '# STATUS: %s\n' "$line"
	[[ "$line" == *play*48000* ]]
}

gains_are() {
	[ "$(nt_status '.devices[0].gain_db | unique | map(tostring) | join(" ")')" = "$1" ] &&
		[ "$(jq -r '.boxes[0].gain_db | unique | map(tostring) | join(" ")' "$PROCS_DIR/emu.json")" = "$1" ]
}

# The same process, and not a frame was lost meanwhile.
undisturbed() {
	[ "$(pid_of "$unit")" = "$pid" ] && [ "$(ct_property "$unit" NRestarts)" = "$restarts" ] && watch_kept emu
}

before() {
	pid=$(pid_of "$unit")
	restarts=$(ct_property "$unit" NRestarts)
	plays 50 && watch_mark emu
}

good_reload() {
	before || return 1
	gain=$((gain - 1))
	configure "$gain" && ct systemctl reload "$unit" && procs_until 5 "the gains" gains_are "$gain" && undisturbed &&
		is_active "$unit"
}

bad_reload() {
	before || return 1
	configure -30 && printf 'serial = many\n' >> "$CT_ROOT$conf"
	if ct systemctl reload "$unit" 2> "$PROCS_DIR/reload.err"; then
		echo "# systemctl reload says that all is well"
		return 1
	fi
	is_active "$unit" && gains_are "$gain" && undisturbed && messages | grep -q "ethlinkd.conf:[0-9]*: serial" || return 1
	configure "$gain" && ct systemctl reload "$unit" && undisturbed
}

# A case in which not a frame may be lost: once more where the machine itself stood still meanwhile.
lossless() {
	local left=3

	while [ "$left" -gt 0 ]; do
		watch_faults
		"$1" && return 0
		watch_faults
		[ "$WATCH_FAULTS" -gt 0 ] || return 1
		left=$((left - 1))
		printf '# %s: %d xruns and stalls of this machine\n' "$1" "$WATCH_FAULTS"
	done
	return 1
}

# again WHAT SECONDS: in another process, that has been started once more, it plays.
again() {
	procs_clock
	WATCH_END=$PROCS_NOW
	procs_until "$2" "$1: systemd to start it again" restarted && watch_back emu stage 20 || return 1
	[ "$(pid_of "$unit")" != "$pid" ] && is_active "$unit" || return 1
	table+=("$(printf '%-44s %s s' "$1" "$(watch_seconds "$WATCH_AUDIO")")")
}

restarted() {
	[ "$(ct_property "$unit" NRestarts)" -gt "$restarts" ]
}

killed() {
	before && ct systemctl kill --signal=KILL "$unit" && again "killed with SIGKILL: audio after" 10
}

stands_still() {
	before && ct systemctl kill --signal=STOP "$unit" && again "stopped with SIGSTOP: audio after" 25 &&
		journal | jq -r .MESSAGE | grep -qi watchdog
}

silent() {
	[ "$(jq -r '.boxes[0] | "\(.queue) \(.pattern_run)"' "$PROCS_DIR/emu.json")" = "0 0" ]
}

zero_blocks() {
	jq -r '.boxes[0].zero_blocks' "$PROCS_DIR/emu.json"
}

more_zero_blocks() {
	[ "$(zero_blocks)" -gt "$zeros" ]
}

# What JACK has in shared memory, but for what is the daemon's.
shared_memory() {
	ct ls /dev/shm | grep jack | grep -v ethlink
}

# JACK's shared memory belongs to the same user and stays.
stops() {
	local shared

	shared=$(shared_memory) && plays 50 && ct systemctl stop "$unit" || return 1
	printf '# %s: %s, exit status %s\n' "$unit" "$(ct_property "$unit" Result)" "$(ct_property "$unit" ExecMainStatus)"
	[ "$(ct_property "$unit" ActiveState) $(ct_property "$unit" Result)" = "inactive success" ] &&
		[ "$(ct_property "$unit" ExecMainStatus)" = 0 ] || return 1
	procs_until 5 "the box to be silent" silent && zeros=$(zero_blocks) && procs_until 5 "more silence" more_zero_blocks &&
		ct test ! -e "/run/ethlinkd/$user" &&
		is_active jackd && is_active feed && [ "$(shared_memory)" = "$shared" ]
}

# A wrong file at the start: failed at once, with the reason; right again after it has been set right.
wrong_from_the_start() {
	printf 'model = dac9\n' >> "$CT_ROOT$conf"
	if ct systemctl start "$unit" 2> "$PROCS_DIR/start.err"; then
		return 1
	fi
	[ "$(ct_property "$unit" ActiveState) $(ct_property "$unit" ExecMainStatus)" = "failed 78" ] &&
		messages | grep -q 'ethlinkd.conf:[0-9]*: model' || return 1
	configure -3 && ct systemctl start "$unit" && nt_wait_state stage online && plays && gains_are -3
}

journal_fields() {
	journal | jq -se --arg interface "$NT_HOST_IF" 'map(select(._COMM == "ethlinkd" and .SYSLOG_IDENTIFIER == "ethlinkd")) |
		any(.ETHLINK_DEVICE == "stage") and any(.ETHLINK_INTERFACE == $interface) and
		all((.CODE_FILE // "" | test("^src/")) and (.CODE_LINE // "" | test("^[0-9]+$")) and (.CODE_FUNC // "" | . != "") and
		(.PRIORITY | test("^[0-7]$")))' > /dev/null
}

# Nothing that only a program could like.
reads_well() {
	local bad

	bad=$(messages | grep -E '^<[0-9]>|[[:cntrl:]]|\(null\)|%[a-z]|.{300}')
	[ -z "$bad" ] || printf '# odd: %s\n' "$bad"
	[ -z "$bad" ]
}

# For whoever wants to see what an administrator sees.
print_journal() {
	ct journalctl --unit "$unit" --output short-monotonic --no-pager --no-hostname | cut -c 1-200 | sed 's/^/# /'
}

verify_is_silent() {
	ct systemd-analyze verify --man=no "$unit" > "$PROCS_DIR/verify.out" 2>&1 &&
		ct env XDG_RUNTIME_DIR=/run systemd-analyze --user verify --man=no "$userunit" >> "$PROCS_DIR/verify.out" 2>&1 &&
		[ ! -s "$PROCS_DIR/verify.out" ]
}

exposure() {
	local line figure

	line=$(ct systemd-analyze security --no-pager "$unit" | grep 'Overall exposure')
	printf '# %s\n' "$line"
	figure=$(sed -n 's/.*: \([0-9]*\)\.\([0-9]\) .*/\1\2/p' <<< "$line")
	[ -n "$figure" ] && [ "$figure" -le "$exposure_max" ]
}

# With the capability in the file, as who runs it as himself has it. The system unit still works then.
capability_in_the_file() {
	ct systemctl stop "$unit" && setcap cap_net_raw+ep "$CT_ROOT$sbindir/ethlinkd" && ct systemctl start "$unit" &&
		nt_wait_state stage online && plays 50
}

as_user() {
	ct_as "$user" env XDG_RUNTIME_DIR="/run/user/$uid" "$@"
}

# WirePlumber does not start without a message bus, and the package that brings one brings PAM with it, too.
add_session_bus() {
	local units=$CT_ROOT/etc/systemd/user

	mkdir -p "$units/sockets.target.wants" && printf '%s\n' "[Socket]" "ListenStream=%t/bus" > "$units/dbus.socket" &&
		printf '%s\n' "[Service]" \
			"ExecStart=/usr/bin/dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation" \
			> "$units/dbus.service" && ln -s ../dbus.socket "$units/sockets.target.wants/dbus.socket"
}

# The user's own systemd; a system as small as this one has nothing of PAM that would open a session.
start_user_manager() {
	add_session_bus && mkdir "$CT_ROOT/etc/systemd/system/user@.service.d" &&
		printf '%s\n' "[Service]" "PAMName=" "Environment=XDG_RUNTIME_DIR=/run/user/%i" \
			> "$CT_ROOT/etc/systemd/system/user@.service.d/no-pam.conf" &&
		ct systemctl daemon-reload && ct systemctl start "user@$uid"
}

# PipeWire's socket lies in a folder that is there only since the user's session, long after the service.
sees_sessions() {
	start_user_manager && ct test -S "/proc/$(pid_of "$unit")/root/run/user/$uid/systemd/private"
}

user_unit() {
	ct systemctl stop "$unit" && as_user systemctl --user enable --quiet --now ethlinkd &&
		[ "$(as_user systemctl --user is-active ethlinkd)" = active ] || return 1
	procs_until 15 "the user's daemon to be online" user_online && plays && as_user systemctl --user reload ethlinkd &&
		as_user systemctl --user stop ethlinkd && procs_until 5 "silence" silent &&
		[ "$(as_user systemctl --user show --value --property Result ethlinkd)" = success ]
}

has_joined() {
	[ "$(ct ethlinkctl status --json | jq -r '"\(.backend) \(.connected)"')" = "$1 true" ]
}

# The service of the machine reaches what the user's own systemd has started.
session_pipewire() {
	local check

	ct systemctl start "$unit" && procs_until 15 "the daemon to join JACK" has_joined jack &&
		procs_until 15 "PipeWire in the user's session" as_user pw-cli info 0 && ct systemctl stop feed jackd &&
		procs_until 15 "the daemon to join PipeWire" has_joined pipewire && feed_start pw-feed &&
		nt_wait_state stage online && plays || return 1
	ct ethlinkctl doctor --json > "$PROCS_DIR/doctor.json"
	for check in pipewire session-manager pipewire-rates realtime-audio; do
		[ "$(jq -r --arg id "$check" '.checks[] | select(.id == $id).result' "$PROCS_DIR/doctor.json")" = ok ] ||
			{ jq -c --arg id "$check" '.checks[] | select(.id == $id)' "$PROCS_DIR/doctor.json" | sed 's/^/# /'; return 1; }
	done
}

user_online() {
	[ "$(as_user ethlinkctl status --json | jq -r '.devices[0].state')" = online ]
}

nt_begin
ct_begin
nt_check "installed into a fresh system, and enabled" set_up || nt_end
nt_check "the system boots" ct_boot || nt_end
uid=$(ct id -u "$user")
watch_emu emu "$NT_BOX_IF" --dac 0 || nt_end
nt_check "started at boot, before the JACK server: active, and waits" starts_before_jack
nt_check "it is the user's, and has the right to raw frames and to nothing else" rights
nt_check "systemd-analyze verify has nothing to say" verify_is_silent
nt_check "systemd-analyze security: exposure of 2.5 at most" exposure
nt_check "realtime priority and locked memory are allowed" limits
nt_check "the JACK server comes: the box is online and plays every sample right" joins_jack
nt_check "a thread has realtime priority, and memory is locked" realtime
nt_check "ethlinkctl finds it, for root and for the user" ctl_finds_it
nt_check "systemctl status says what plays" status_line
nt_check "systemctl reload with another gain: applied, not a frame lost" lossless good_reload
nt_check "systemctl reload with a wrong file: fails, nothing changes" lossless bad_reload
nt_check "inserts and servers come by a reload, play, and go; the box loses not a frame" lossless netvst
nt_check "on the system bus everybody may look, and group audio control" system_bus
nt_check "what was set at run time survives a restart of the service" settings_survive
nt_check "kill -9: systemd starts it again, it plays" killed
nt_check "SIGSTOP: the watchdog has it started again, it plays" stands_still
nt_check "stop: exit status 0, silence, JACK goes on" stops
nt_check "a wrong file at the start: failed, status 78; set right: it plays" wrong_from_the_start
nt_check "the journal has its fields" journal_fields
nt_check "the journal reads well" reads_well
nt_check "the system unit works with a capability in the file, too" capability_in_the_file
nt_check "the system unit sees the runtime folder of a session that begins later" sees_sessions
nt_check "the user unit plays" user_unit
nt_check "JACK goes: the system unit joins the PipeWire of the user's session, and plays in realtime" session_pipewire
nt_check "the user unit plays through PipeWire, too" user_unit
print_journal
[ ${#table[@]} -eq 0 ] || printf '# %s\n' "${table[@]}"
nt_end
