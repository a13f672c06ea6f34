#!/bin/sh
# What the realtime objects call: nothing but the short list below and each other.
set -eu
if [ "${SANITIZERS:-no}" = yes ]; then
	exit 77 # the sanitizers put calls of their own into every object
fi
NM=${NM:-nm}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# memory copies; the ring kick, or waking the thread that kicks; reading the clock (vDSO); libjack calls that its manual
# allows in a callback; jack_port_connected, which JACK2 answers there from its mapped memory (no other libjack is asked);
# what the compiler adds on its own.
cat >"$tmp/allowed" <<EOF
memcpy
memmove
memset
memcmp
sendto
sem_post
__errno_location
clock_gettime
jack_cycle_signal
jack_cycle_wait
jack_port_connected
jack_port_get_buffer
jack_midi_clear_buffer
jack_midi_event_get
jack_midi_event_write
jack_midi_get_event_count
jack_transport_query
__stack_chk_fail
__stack_chk_guard
_GLOBAL_OFFSET_TABLE_
EOF

# PipeWire's data loop needs still less. SPA's inline functions look harmless, and some of them call anything.
cat >"$tmp/allowed-pipewire" <<EOF
memcpy
memset
clock_gettime
__stack_chk_fail
__stack_chk_guard
_GLOBAL_OFFSET_TABLE_
EOF

# Members of the archives that run in realtime: *-rt.o everywhere, and the sample kernels.
for lib in libengine.a libnet.a libbackend.a libdsp.a; do
	mkdir "$tmp/$lib"
	abs=$(cd "$(dirname "$lib")" && pwd)/$(basename "$lib")
	(cd "$tmp/$lib" && ${AR:-ar} x "$abs")
	for object in "$tmp/$lib"/*; do
		case $object in
		*-rt.o | *sample-*.o) echo "$object" ;;
		esac
	done
done >"$tmp/objects"
n=$(wc -l <"$tmp/objects")
if [ "$n" -lt 6 ]; then
	echo "only $n realtime objects found: the check looks in the wrong place"
	exit 1
fi

# Each kind of audio server that is built in has its realtime part among them.
for kind in jack pipewire; do
	for object in "$tmp/libbackend.a"/*-"$kind".o; do
		if [ -e "$object" ] && ! grep -q -e "-$kind-rt\.o\$" "$tmp/objects"; then
			echo "no $kind-rt.o found: the check looks in the wrong place"
			exit 1
		fi
	done
done

xargs "$NM" --defined-only --format=posix <"$tmp/objects" | awk 'NF > 2 {print $1}' |
	tee -a "$tmp/allowed-pipewire" >>"$tmp/allowed"
failed=0
while read -r object; do
	allowed=$tmp/allowed
	case $object in
	*-pipewire-rt.o | *-pipewire-insert-rt.o) allowed=$tmp/allowed-pipewire ;;
	esac
	"$NM" --undefined-only --format=posix "$object" | awk '{print $1}' | while read -r symbol; do
		# gcc's atomic operations on aarch64: a few instructions, chosen by what the processor has.
		case $symbol in
		__aarch64_cas[1248]_* | __aarch64_swp[1248]_* | __aarch64_ld???[1248]_*) continue ;;
		esac
		if ! grep -qx "$symbol" "$allowed"; then
			echo "${object#"$tmp"/}: calls $symbol"
		fi
	done
done <"$tmp/objects" >"$tmp/bad"
if [ -s "$tmp/bad" ]; then
	cat "$tmp/bad"
	echo "These are not allowed in the realtime path (see doc/architecture.md, Threads)."
	failed=1
fi
exit $failed
