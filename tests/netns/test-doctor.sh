#!/bin/bash
# ethlinkctl doctor beside a daemon that plays, and beside one in trouble of each kind: what is wrong is found, named, and
# answered with a command, and nothing else is complained of that was not so before; under JACK, and what is PipeWire's own.
# Without a daemon the machine is checked.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/pipewire.sh
. "$(dirname "$0")/../lib/pipewire.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"

DOCTOR_STATUS=0

# In the daemon's network, or its interfaces would not be there. The answer is in doctor.json or doctor.txt.
doctor() {
	local out=$PROCS_DIR/doctor.txt

	[ "${1:-}" != --json ] || out=$PROCS_DIR/doctor.json
	ip netns exec "$NT_NS" "$NT_CTL" --socket="$NT_RUN/control" doctor "$@" > "$out" 2> "$PROCS_DIR/doctor.err"
	DOCTOR_STATUS=$?
}

# finding ID RESULT TEXT: there is one, with this in what was found, the advice or a command.
finding() {
	jq -e --arg id "$1" --arg result "$2" --arg text "$3" '[.checks[] | select(.id == $id and .result == $result and
		(([.found, .advice] + .commands) | map(strings) | any(contains($text))))] | length > 0' \
		"$PROCS_DIR/doctor.json" > /dev/null && return 0
	printf '# %s: not %s with "%s", but: %s\n' "$1" "$2" "$3" \
		"$(jq -c --arg id "$1" '[.checks[] | select(.id == $id) | [.result, .found, .commands]]' "$PROCS_DIR/doctor.json")"
	return 1
}

# found ID RESULT TEXT: asks, and looks; for procs_until.
found() {
	doctor --json
	finding "$@"
}

start() {
	nt_jackd 48000 256 && nt_emu emu --dac 0 --commands && nt_daemon && nt_wait_state stage online
}

# Half a second of cycles: enough to be judged.
cycles_have_come() {
	doctor --json
	jq -e '.histograms.kick_took.count > 100 and .histograms.gaps.count > 100' "$PROCS_DIR/doctor.json"
}

# What belongs to the machine that tests run on (limits, governor, xruns) may be as it is.
healthy() {
	nt_config_stage
	start && procs_until 10 "cycles" cycles_have_come || return 1
	finding daemon ok "process ${PROCS_PID[ethlinkd]}" && finding raw-socket ok CAP_NET_RAW &&
		finding interface ok "up, with a link (driver veth)" && finding interface-kind ok "virtual" &&
		finding bandwidth ok "1 box x 6000 frames/s x 344 bytes = 16.5 of 10000 Mbit/s" &&
		finding duplex ok "full" && finding link-errors ok "no errors" && finding audio-server ok jack &&
		finding rate-period ok "48000 Hz, period 256 (5.33 ms)" && finding boxes ok "1 of 1 online" &&
		finding other-hosts ok "nobody else" && finding drops ok "none" || return 1
	if ps -L -o cls= -p "${PROCS_PID[jackd]}" | grep -q FF; then
		finding realtime-audio ok "realtime priority"
	else
		finding realtime-audio problem "without realtime"
	fi
}

# The times are those of this daemon: shorter than the test, longer than nothing, and as many as cycles.
times_are_plausible() {
	jq -e '.histograms | (.gaps.p50_ns | . > 3000000 and . < 8000000) and (.kick_at.p99_ns > .kick_took.p50_ns) and
		(.kick_took.p50_ns > 0) and (.gaps.max_ns >= 5000000) and
		([.gaps.bins[].count] | add) == .gaps.count' "$PROCS_DIR/doctor.json" > /dev/null
}

# Its own keys, each finding with all of its, only ASCII; and the exit status is that of the worst.
json_is_documented() {
	! LC_ALL=C grep -q '[^ -~]' "$PROCS_DIR/doctor.json" && jq -e '
		(keys == ["checks", "counts", "histograms", "period", "result", "sample_rate", "version"]) and
		(.checks | all(keys == ["advice", "commands", "found", "id", "result", "subject", "why"])) and
		(.checks | all((.result == "ok" or .result == "skipped") or (.why != null))) and
		((.checks | map(.id) | unique | length) == 37) and
		(.counts.problem == ([.checks[] | select(.result == "problem")] | length)) and
		(.counts.ok == ([.checks[] | select(.result == "ok")] | length))' "$PROCS_DIR/doctor.json" > /dev/null || return 1
	if [ "$(jq .counts.problem "$PROCS_DIR/doctor.json")" -gt 0 ]; then
		[ "$DOCTOR_STATUS" -eq 1 ]
	else
		[ "$DOCTOR_STATUS" -eq 0 ]
	fi
}

text_is_for_a_terminal() {
	doctor -v
	grep -q '^  ok       boxes          1 of 1 online$' "$PROCS_DIR/doctor.txt" &&
		grep -q '^From one cycle to the next: [0-9]* counted' "$PROCS_DIR/doctor.txt" &&
		grep -Eq '^  from +[0-9.]+ [um]s  #+ ' "$PROCS_DIR/doctor.txt" &&
		grep -Eq '^[0-9]+ problems?, [0-9]+ warnings?, [0-9]+ ok, [0-9]+ skipped$' "$PROCS_DIR/doctor.txt" &&
		! grep -q $'\033' "$PROCS_DIR/doctor.txt" &&
		! grep -vE '^ {15}[^ ]' "$PROCS_DIR/doctor.txt" | grep -E '^.{81}'
}

healthy_run() {
	nt_check "all that the test set up is found to be well" healthy
	nt_check "the times of the cycles are plausible" times_are_plausible
	nt_check "--json is what is documented, and the exit status fits" json_is_documented
	nt_check "-v fits a terminal of 80 columns, with histograms" text_is_for_a_terminal
}

box_away() {
	procs_tell emu "off 0"
	nt_wait_state stage searching || return 1
	found boxes problem "ethlinkctl scan $NT_HOST_IF --probe" && [ "$DOCTOR_STATUS" -eq 1 ] &&
		finding interface ok "up" && procs_tell emu "on 0" && nt_wait_state stage online &&
		found boxes ok "1 of 1"
}

interface_down() {
	nt_ip link set "$NT_HOST_IF" down
	nt_wait_state stage link-down || return 1
	found interface problem "sudo ip link set dev $NT_HOST_IF up" && finding boxes problem "stage is without a link"
}

# Up, but the other end is not.
cable_pulled() {
	nt_ip link set "$NT_HOST_IF" up && nt_ip link set "$NT_BOX_IF" down
	found interface problem "no link" || return 1
	nt_ip link set "$NT_BOX_IF" up && nt_wait_state stage online && found interface ok "up, with a link"
}

# More than one in a thousand is a problem.
drops_result() {
	nt_status '.devices[0] | if .frames_dropped > .frames_sent / 1000 then "problem" else "warning" end'
}

# The kernel refuses what is sent to an interface that goes down under the stream.
interface_dropped() {
	local i

	for ((i = 0; i < 20; i++)); do
		nt_ip link set "$NT_HOST_IF" down
		procs_until 5 "" nt_in_state stage link-down
		nt_ip link set "$NT_HOST_IF" up
		procs_until 10 "" nt_in_state stage online
		[ "$(nt_status '.devices[0].frames_dropped')" -eq 0 ] || break
	done
	dropped=$(nt_status '.devices[0].frames_dropped')
	doctor --json
	if [ "$dropped" -eq 0 ]; then
		printf '# the interface took all frames until it was down, each of %d times\n' "$i"
		finding drops ok none
	else
		finding drops "$(drops_result)" "$dropped were refused by the interface: Network is down"
	fi
}

renamed() {
	nt_ip link set "$NT_HOST_IF" down && nt_ip link set "$NT_HOST_IF" name other0 &&
		nt_wait_state stage no-interface && found interface problem "there is no such interface" || return 1
	nt_ip link set other0 name "$NT_HOST_IF" && nt_ip link set "$NT_HOST_IF" up && nt_wait_state stage online
}

in_a_bridge() {
	nt_ip link add br0 type bridge && nt_ip link set "$NT_HOST_IF" master br0 || return 1
	found interface-kind warning "ip link set dev $NT_HOST_IF nomaster" || return 1
	nt_ip link del br0
}

# The sound server goes: that is said once, and not of each measurement.
no_server() {
	nt_jackd_end TERM
	nt_wait_state stage stopped || return 1
	found audio-server problem "jackd -R" && finding boxes problem "no sound server" &&
		finding rate-period skipped "no sound server"
}

in_trouble() {
	nt_check "a box that is away" box_away
	nt_check "an interface that is switched off" interface_down
	nt_check "a link that is away" cable_pulled
	nt_check "frames that an interface refuses" interface_dropped
	nt_check "an interface that is not there" renamed
	nt_check "an interface that is part of a bridge" in_a_bridge
	nt_check "a sound server that is away" no_server
	nt_stop_all
}

# --- NetVST

netvst_conf() {
	nt_config "[netvst reverb]" "role = client" "host = 127.0.0.1" "port = $NV_PORT" "block = 256" "latency = 512" \
		"[netvst daw]" "role = server" "port = 27099" "$@"
}

# No box at all: of those nothing is to be complained of.
netvst_healthy() {
	nv_server echo --port=0
	netvst_conf
	nt_jackd 48000 256 && nv_daemon && nv_wait reverb online && nv_wait daw listening || return 1
	procs_until 10 "round trips" found netvst-round-trip ok "ms are left" || return 1
	finding netvst-connection ok "connected to 127.0.0.1:$NV_PORT, pcm, block 256" &&
		finding netvst-connection ok "listens at 127.0.0.1:27099, 0 of 2 slots in use" &&
		finding netvst-round-trip ok "Latency 512 - 0 to gather a block = 2 cycles of 256 = 10.67 ms" &&
		finding netvst-throughput ok "; on lo" && finding netvst-throughput skipped "nothing flows" &&
		finding netvst-exposed ok "programs on this machine only" && finding boxes skipped "NetVST only" &&
		netvst_flows
}

# 48000 frames/s x 2 channels x 4 bytes = 3.07 Mbit/s each way, and headers.
netvst_flows() {
	local mbit

	mbit=$(jq -r '.checks[] | select(.id == "netvst-throughput" and .subject == "reverb").found' "$PROCS_DIR/doctor.json")
	printf '# %s\n' "$mbit"
	[[ $mbit =~ ^([0-9.]+)" Mbit/s up, "([0-9.]+)" Mbit/s down" ]] &&
		jq -e -n --argjson up "${BASH_REMATCH[1]}" --argjson down "${BASH_REMATCH[2]}" \
			'[$up, $down] | all(. > 2.4 and . < 4)' > /dev/null
}

# An answer takes more than the cycle that it has.
netvst_slow() {
	procs_stop echo && nv_server echo --port="$NV_PORT" --slow-ms=7 || return 1
	netvst_conf
	sed -i 's/^latency = 512/latency = 256/' "$NT_CONF"
	nt_ctl reload && nv_wait reverb online && procs_until 10 "late blocks" found netvst-late problem "came late in the last" &&
		finding netvst-round-trip warning "too little" && finding netvst-round-trip warning "latency = 512" &&
		[ "$DOCTOR_STATUS" -eq 1 ]
}

netvst_away() {
	procs_stop echo
	nv_wait reverb connecting && procs_until 10 "the second attempt" found netvst-connection problem "Connection refused" &&
		finding netvst-connection problem "nc -vz 127.0.0.1 $NV_PORT" &&
		finding netvst-throughput skipped "nothing flows"
}

# The section fades out before it is made anew: until then it tells what it was.
netvst_exposed() {
	netvst_conf "host = 0.0.0.0" "allow = 192.168.1.0/24, 10.0.0.7"
	nt_ctl reload && procs_until 10 "who is allowed" found netvst-exposed ok "allowed: 192.168.1.0/24, 10.0.0.7" || return 1
	netvst_conf "host = 0.0.0.0" "allow = 0.0.0.0/0"
	nt_ctl reload && procs_until 10 "that everybody is" found netvst-exposed warning "allow = 192.168.1.0/24"
}

# Another program has the port.
netvst_taken() {
	nv_server other --port=27100 || return 1
	netvst_conf
	sed -i 's/27099/27100/' "$NT_CONF"
	nt_ctl reload && nv_wait daw unavailable && found netvst-connection problem "ss -ltnp 'sport = :27100'" &&
		finding netvst-connection problem "does not listen at 127.0.0.1:27100: "
}

netvst_run() {
	nt_check "NetVST: all that the test set up is found to be well" netvst_healthy
	nt_check "NetVST: answers that take too long" netvst_slow
	nt_check "NetVST: nobody at the other end" netvst_away
	nt_check "NetVST: who may connect" netvst_exposed
	nt_check "NetVST: a port that is taken" netvst_taken
	nt_stop_all
}

wrong_rate() {
	nt_config_stage
	nt_jackd 32000 256 && nt_daemon && nt_wait_state stage unsupported && found rate-period problem "32000 Hz" &&
		finding boxes problem "no box takes this rate"
}

# Neither priority nor locked memory nor raw frames.
limits() {
	nt_config_stage
	nt_launch prlimit --rtprio=0 --memlock=65536 setpriv --inh-caps=-all --bounding-set=-net_raw,-sys_nice,-ipc_lock
	procs_until 10 "the daemon to answer" nt_answers || return 1
	doctor --json
	[ "$DOCTOR_STATUS" -eq 1 ] && finding raw-socket problem "sudo setcap cap_net_raw+ep $NT_DAEMON" &&
		finding rtprio-limit problem "limits.d/audio.conf" && finding memlock-limit warning "64 KiB" &&
		finding memory-locked warning "has not locked"
}

# A daemon that answers the first question and hangs is told from one that is not there.
hanging() {
	procs_signal ethlinkd STOP
	procs_clock
	local begin=$PROCS_NOW
	doctor --json
	procs_signal ethlinkd CONT
	printf '# the doctor took %s s\n' "$(procs_since "$begin")"
	[ "$DOCTOR_STATUS" -eq 1 ] && finding daemon problem "does not answer"
}

no_daemon() {
	doctor --json
	[ "$DOCTOR_STATUS" -eq 1 ] && finding daemon problem "systemctl start" && finding daemon problem "$NT_RUN/control" &&
		finding interface skipped "only a running ethlinkd" && json_is_documented || return 1
	[ "$(jq -r '[.checks[] | select(.id == "rt-throttling" or .id == "memlock-limit") | .result] |
		map(select(. != "skipped")) | length' "$PROCS_DIR/doctor.json")" -eq 2 ] &&
		[ "$(jq .histograms "$PROCS_DIR/doctor.json")" = null ] && [ ! -s "$PROCS_DIR/doctor.err" ]
}

bad_command_line() {
	doctor --nonsense
	[ "$DOCTOR_STATUS" -eq 2 ] && grep -q -- '--json' "$PROCS_DIR/doctor.err" || return 1
	doctor --help
	[ "$DOCTOR_STATUS" -eq 0 ] && grep -q 'Exit status' "$PROCS_DIR/doctor.txt"
}

# What it wrote has not arrived: that is no success.
full_disk() {
	ip netns exec "$NT_NS" "$NT_CTL" --socket="$NT_RUN/control" doctor > /dev/full 2> "$PROCS_DIR/doctor.err"
	[ $? -eq 1 ] && grep -q 'could not be written' "$PROCS_DIR/doctor.err"
}

# --- PipeWire

healthy_pipewire() {
	nt_config_stage
	nt_pipewire 256 48000 && nt_emu emu --dac 0 && nt_daemon && nt_wait_state stage online &&
		procs_until 10 "cycles" cycles_have_come || return 1
	finding audio-server ok "(pipewire)" && finding pipewire ok "process ${PROCS_PID[pipewire]}" &&
		finding session-manager ok "has a session manager" && finding pipewire-rates ok "48000 Hz, whatever plays" &&
		finding jack-library skipped "not joined" && finding boxes ok "1 of 1 online" &&
		finding rate-period ok "48000 Hz, period 256 (5.33 ms) at this moment" || return 1
	if nt_pw_is_rt pipewire; then
		finding pipewire-priority ok "realtime priority"
	else
		finding pipewire-priority warning "no realtime priority"
	fi
}

no_session_manager() {
	procs_stop wireplumber
	found session-manager warning "sudo apt-get install wireplumber" && finding boxes ok "1 of 1 online"
}

# What is read is what its next start would find.
more_rates() {
	mkdir -p "$XDG_CONFIG_HOME/pipewire/pipewire.conf.d" &&
		echo 'context.properties = { default.clock.allowed-rates = [ 48000 192000 ] }' \
			> "$XDG_CONFIG_HOME/pipewire/pipewire.conf.d/more.conf"
	found pipewire-rates warning "change to 192000 Hz"
}

no_pipewire() {
	procs_stop pipewire
	nt_wait_state stage stopped && found pipewire problem "no PipeWire server runs" &&
		finding audio-server problem "waits for the sound server" && finding pipewire-rates skipped "no PipeWire server"
}

pipewire_run() {
	nt_pw_begin
	nt_check "PipeWire: all that the test set up is found to be well" healthy_pipewire
	nt_check "PipeWire without a session manager" no_session_manager
	nt_check "PipeWire that may take a rate of no box" more_rates
	nt_check "PipeWire is gone" no_pipewire
	nt_stop_all
}

nt_begin
nv_begin
healthy_run
in_trouble
netvst_run
nt_check "a rate that no box takes" wrong_rate
nt_stop_all
nt_check "limits and capability that are missing" limits
nt_check "a daemon that hangs" hanging
nt_stop_all
nt_check "without a daemon the machine is checked, and that is said" no_daemon
nt_check "a wrong command line ends with 2, --help with 0" bad_command_line
nt_check "a full disk is not a success" full_disk
pipewire_run
nt_end
