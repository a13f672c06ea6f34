# shellcheck shell=bash
# Installs what a script needs and the machine lacks, with apt-get, without questions. Where there is no apt-get it
# says what is missing. Sourced by check and quickstart; needs root.
#
#   setup_install LOG            what building and running needs
#   setup_install_pipewire LOG   the same, and a PipeWire server
#   setup_install_checks LOG     all of that, and what only the checks need
#   setup_install_cross LOG      what tests/cross/run-aarch64.sh needs, and nothing else
#   setup_libraries              the packages of libraries to build with

# Debian's package, and how to see that it is there whoever installed it. JACK's tools have a package of their own since
# Debian 13; before, they are in jackd2.
SETUP_NEEDS='
gcc             command -v gcc
libc6-dev       test -e /usr/include/stdio.h
make            command -v make
autoconf        command -v autoreconf
automake        command -v automake
pkg-config      command -v pkg-config
libjack-jackd2-dev  pkg-config --exists jack
jackd2          command -v jackd
jack-example-tools  command -v jack_lsp || { command -v apt-cache && ! apt-cache show jack-example-tools; }
libpipewire-0.3-dev  pkg-config --exists libpipewire-0.3
libsystemd-dev  pkg-config --exists libsystemd
libinih-dev     test -e /usr/include/ini.h
libcmocka-dev   pkg-config --exists cmocka
libsndfile1-dev pkg-config --exists sndfile
libncurses-dev  pkg-config --exists ncursesw
libwavpack-dev  pkg-config --exists wavpack
iproute2        command -v ip
procps          command -v ps && command -v sysctl
jq              command -v jq
'
SETUP_PIPEWIRE_NEEDS='
pipewire        command -v pipewire
pipewire-bin    command -v pw-cli && command -v pw-dump && command -v pw-link && command -v pw-metadata
wireplumber     command -v wireplumber && command -v wpctl
dbus-daemon     command -v dbus-daemon
systemd         command -v busctl
'
SETUP_CHECK_NEEDS='
pipewire-jack   command -v pw-jack
pipewire-pulse  command -v pipewire-pulse
pulseaudio-utils  command -v pactl
valgrind        command -v valgrind
xz-utils        command -v xz
shellcheck      command -v shellcheck
libcap2-bin     command -v capsh && command -v setcap
util-linux      command -v setpriv && command -v nsenter
debootstrap     command -v debootstrap
systemd-container   command -v systemd-nspawn
dbus-bin        command -v dbus-send
tmux            command -v tmux
gnuplot-nox     command -v gnuplot
libxml2-utils   command -v xmllint
'

SETUP_CROSS_NEEDS='
gcc-aarch64-linux-gnu  command -v aarch64-linux-gnu-gcc
qemu-user       command -v qemu-aarch64
'

# The packages of a list that are missing, in one line.
setup_missing() {
	local package probe

	while read -r package probe; do
		if [ -n "$package" ] && ! bash -c "$probe" > /dev/null 2>&1; then
			printf '%s ' "$package"
		fi
	done <<< "$1"
}

setup_apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@" < /dev/null
}

# Words are split on purpose.
# shellcheck disable=SC2086
setup_packages() {
	local needs=$1 log=$2 missing

	missing=$(setup_missing "$needs")
	[ -n "$missing" ] || return 0
	if ! command -v apt-get > /dev/null; then
		printf 'These are missing (Debian'\''s names), and there is no apt-get to install them: %s\n' "$missing"
		return 1
	fi
	if [ "$(id -u)" -ne 0 ]; then
		printf 'These are missing; run: sudo apt-get install %s\n' "$missing"
		return 1
	fi
	printf 'installing: %s\n' "$missing"
	if ! setup_apt install -y --no-install-recommends $missing >> "$log" 2>&1; then
		# With new lists, it may be others that are missing.
		setup_apt update >> "$log" 2>&1 && missing=$(setup_missing "$needs") &&
			setup_apt install -y --no-install-recommends $missing >> "$log" 2>&1
	fi
	missing=$(setup_missing "$needs")
	[ -n "$missing" ] || return 0
	printf 'Installing failed (%s); the end of %s:\n' "$missing" "$log"
	tail -n 15 "$log"
	return 1
}

setup_install() {
	setup_packages "$SETUP_NEEDS" "$1"
}

setup_install_pipewire() {
	setup_packages "$SETUP_NEEDS$SETUP_PIPEWIRE_NEEDS" "$1"
}

setup_install_checks() {
	setup_packages "$SETUP_NEEDS$SETUP_PIPEWIRE_NEEDS$SETUP_CHECK_NEEDS$SETUP_CROSS_NEEDS" "$1"
}

setup_install_cross() {
	setup_packages "$(grep -E '^(make|autoconf|automake|pkg-config) ' <<< "$SETUP_NEEDS")$SETUP_CROSS_NEEDS" "$1"
}

setup_libraries() {
	awk '/^lib.*-dev / { print $1 }' <<< "$SETUP_NEEDS"
}
