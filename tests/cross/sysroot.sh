# shellcheck shell=bash
# Debian's libraries of another architecture in a folder, to build against. apt-get gets lists, a state and a cache of its
# own: the packages of this machine, and what dpkg knows of architectures, stay as they are, and no root is needed. The
# archive and its release are those that this machine installs from. Sourced by tests/cross/run-aarch64.sh.
#
#   sysroot_make DIR ARCHITECTURE PACKAGE...   into DIR/root; 1 and a message where that fails. A second call with the
#                                              same packages does nothing.

sysroot_sources() {
	local key=/usr/share/keyrings/debian-archive-keyring.gpg

	[ -r "$key" ] && key="[signed-by=$key]" || key=
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format "deb $key"' $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | sort -u
}

# Hooks of this machine's apt are for its own packages.
sysroot_apt_conf() {
	cat << END
APT::Architecture "$2";
#clear APT::Architectures;
APT::Architectures { "$2"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "$1/state";
Dir::State::status "$1/status";
Dir::Cache "$1/cache";
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "/dev/null";
END
}

# sysroot_fetch APT PACKAGE...: the packages and all that they depend on, into APT/cache/archives.
sysroot_fetch() {
	local apt=$1

	shift
	apt-get -c "$apt/apt.conf" update &&
		apt-get -c "$apt/apt.conf" install -y --download-only "$@"
}

# /lib is a link of Debian's base system, since all that was there is in /usr/lib. Links that begin with / mean the
# folder.
sysroot_unpack() {
	local link target deb

	for deb in "$1"/apt/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$1/root" || return 1
	done
	[ -e "$1/root/lib" ] || ln -s usr/lib "$1/root/lib" || return 1
	find "$1/root" -type l -lname '/*' -printf '%p %l\n' | while read -r link target; do
		ln -sfn "$1/root$target" "$link" || return 1
	done
}

sysroot_make() {
	local dir=$1 architecture=$2 apt=$1/apt log=$1/apt.log

	shift 2
	if [ "$(cat "$dir/complete" 2> /dev/null)" = "$architecture $*" ]; then
		return 0
	fi
	rm -rf "$dir"
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$dir/root" && : > "$apt/status" || return 1
	sysroot_apt_conf "$apt" "$architecture" > "$apt/apt.conf"
	sysroot_sources > "$apt/sources.list" 2> "$log"
	if ! [ -s "$apt/sources.list" ]; then
		printf 'apt-get knows no archive of Debian; run: sudo apt-get update\n'
		return 1
	fi
	if ! sysroot_fetch "$apt" "$@" < /dev/null >> "$log" 2>&1 || ! sysroot_unpack "$dir" >> "$log" 2>&1; then
		printf 'Libraries for %s could not be fetched and unpacked; the end of %s:\n' "$architecture" "$log"
		tail -n 15 "$log"
		return 1
	fi
	rm -rf "$apt/cache" "$apt/state"
	printf '%s\n' "$architecture $*" > "$dir/complete"
}
