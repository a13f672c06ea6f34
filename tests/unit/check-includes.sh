#!/bin/sh
# The rooms of the house: who may include whom, read from the #include lines.
set -eu
src=${srcdir:-.}/src
failed=0

allowed()
{
	case $1 in
	base) echo "base" ;;
	proto | dsp) echo "$1 base" ;;
	net) echo "net proto base" ;;
	engine) echo "engine proto dsp net base" ;;
	backend) echo "backend base" ;;
	daemon) echo "daemon backend engine net dsp proto base" ;;
	ctl) echo "ctl net proto base" ;;
	emu) echo "emu net dsp proto base" ;;
	echo) echo "echo net proto base" ;;
	*) echo "" ;;
	esac
}

# System headers that only one room may see.
owner()
{
	case $1 in
	jack/* | pipewire/* | spa/*) echo "backend" ;;
	ini.h) echo "daemon" ;;
	wavpack/*) echo "proto" ;;
	systemd/*) echo "daemon ctl" ;;
	sndfile.h) echo "emu echo" ;;
	*curses.h) echo "ctl" ;;
	*) echo "" ;;
	esac
}

count=0
for file in "$src"/*/*.[ch]; do
	room=${file#"$src"/}
	room=${room%%/*}
	ok=$(allowed "$room")
	if [ -z "$ok" ]; then
		echo "$file: the room $room is not in the plan"
		failed=1
		continue
	fi
	for inc in $(sed -n 's/^#[ \t]*include "\([^"]*\)".*/\1/p' "$file"); do
		count=$((count + 1))
		[ "$inc" = config.h ] && continue
		case " $ok " in
		*" ${inc%%/*} "*) ;;
		*)
			echo "$file: includes \"$inc\", but $room may include only: $ok"
			failed=1
			;;
		esac
	done
	for inc in $(sed -n 's/^#[ \t]*include <\([^>]*\)>.*/\1/p' "$file"); do
		own=$(owner "$inc")
		[ -z "$own" ] && continue
		case " $own " in
		*" $room "*) ;;
		*)
			echo "$file: includes <$inc>, which is for: $own"
			failed=1
			;;
		esac
	done
done
# Realtime files must not even see what they may not call.
for file in "$src"/*/*-rt.c "$src"/dsp/sample-*.c; do
	if grep -nE '#[ 	]*include <(stdio|stdlib|syslog|systemd/)' "$file"; then
		echo "$file: not in a realtime file"
		failed=1
	fi
done
if [ "$count" -lt 50 ]; then
	echo "only $count includes found in $src: the check looks in the wrong place"
	failed=1
fi
exit $failed
