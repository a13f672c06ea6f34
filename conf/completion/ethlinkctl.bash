# shellcheck shell=bash
# Completion of ethlinkctl for bash: commands, options, and the names of the boxes from the running daemon.

# The options in the words that say where the daemon is, for the calls below; _ethlinkctl_at: where the command stands.
_ethlinkctl_read_options() {
	local i

	_ethlinkctl_way=()
	_ethlinkctl_at=$COMP_CWORD
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--user | --system)
			_ethlinkctl_way=("${COMP_WORDS[i]}")
			;;
		--socket=*)
			_ethlinkctl_way=("${COMP_WORDS[i]}")
			;;
		--socket)
			# Readline makes words of what stands before and behind an equals sign.
			[ "${COMP_WORDS[i + 1]:-}" != = ] || i=$((i + 1))
			i=$((i + 1))
			_ethlinkctl_way=("--socket=${COMP_WORDS[i]:-}")
			;;
		-*) ;;
		*)
			_ethlinkctl_at=$i
			return
			;;
		esac
	done
}

_ethlinkctl_devices() {
	"${COMP_WORDS[0]}" "${_ethlinkctl_way[@]}" devices 2> /dev/null
}

_ethlinkctl_interfaces() {
	local f

	for f in /sys/class/net/*; do
		printf '%s\n' "${f##*/}"
	done
}

# What may stand at the place $2 behind the command $1.
_ethlinkctl_arguments() {
	case $1:$2 in
	gain:1 | mute:1 | phantom:1 | reset:1)
		_ethlinkctl_devices
		;;
	gain:2 | mute:2)
		printf '%s\n' all 1 2 3 4 5 6 7 8
		;;
	mute:3)
		printf '%s\n' on off toggle
		;;
	phantom:2)
		printf '%s\n' 1-4 5-8
		;;
	phantom:3)
		printf '%s\n' on off
		;;
	status:*)
		_ethlinkctl_devices
		printf '%s\n' --json
		;;
	meters:*)
		_ethlinkctl_devices
		printf '%s\n' --json --once
		;;
	scan:1)
		_ethlinkctl_interfaces
		;;
	scan:*)
		printf '%s\n' --probe --serial --json
		;;
	doctor:*)
		printf '%s\n' --json
		;;
	esac
	printf '%s\n' --help
}

_ethlinkctl() {
	local word=${COMP_WORDS[COMP_CWORD]} words plain _ethlinkctl_at
	local -a _ethlinkctl_way

	COMPREPLY=()
	_ethlinkctl_read_options
	if [ "$_ethlinkctl_at" -lt "$COMP_CWORD" ]; then
		words=$(_ethlinkctl_arguments "${COMP_WORDS[_ethlinkctl_at]}" $((COMP_CWORD - _ethlinkctl_at)))
		# Options only for those who begin one, where there is something else.
		plain=$(printf '%s\n' "$words" | grep -v '^-')
		if [ -n "$plain" ] && [ "${word#-}" = "$word" ]; then
			words=$plain
		fi
	elif [ "${COMP_WORDS[COMP_CWORD - 1]}" = --socket ] || [ "${COMP_WORDS[COMP_CWORD - 2]:-}${word:+x}" = --socketx ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "${word#=}")
		return
	else
		case $word in
		-*)
			words=$'--socket=\n--user\n--system\n--help\n--version'
			;;
		*)
			words=$'status\ngain\nmute\nphantom\nreset\nmeters\nmixer\nscan\ndoctor\ndevices\nreload'
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	if [ "${COMPREPLY[*]}" = --socket= ]; then
		compopt -o nospace 2> /dev/null
	fi
}

complete -F _ethlinkctl ethlinkctl
