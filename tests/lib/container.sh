# shellcheck shell=bash disable=SC2034
# A Debian (or Ubuntu) of the machine's own release, booted with its systemd in a network namespace. Sourced after
# netns.sh; needs root. CT_ROOT is its root folder: files are put there directly.
#
#   ct_begin                     skips (77) where this machine cannot do that; call it after nt_begin
#   ct_rootfs PACKAGE...         makes CT_ROOT; ROOTFS=DIR: from a copy of DIR, which is made if it is not there, and stays
#   ct_boot [NSPAWN-OPTION...]   boots it in the namespace NT_NS and waits until it is up
#   ct CMD...                    runs CMD in it, as root
#   ct_as USER CMD...            the same as USER, without a session
#   ct_property UNIT NAME        one property of a unit
#
# The container ends with the script, and its folder goes.

CT_ROOT=
CT_BASE=
CT_LEADER=
CT_NAME=
CT_CGROUPS=()

ct_skip() {
	printf '# skipped: %s\n' "$1"
	exit 77
}

ct_begin() {
	local p

	for p in systemd-nspawn systemctl debootstrap nsenter setpriv; do
		command -v "$p" > /dev/null || ct_skip "$p is not installed"
	done
	unshare --mount --pid --fork --mount-proc --uts --ipc --cgroup true 2> /dev/null ||
		ct_skip "this machine does not let root make namespaces, and so no container"
	[ -n "$(ct_hierarchies)" ] || ct_skip "there is no cgroup hierarchy of systemd's kind in /sys/fs/cgroup"
	PROCS_AT_END="$PROCS_AT_END ct_end"
	CT_NAME=ethlinkd-$$
	CT_BASE=$(mktemp -d "${TMPDIR:-/tmp}/ethlinkd-root-XXXXXX") || exit 1
	CT_ROOT=$CT_BASE/root
}

# Where systemd keeps its groups: one folder, or two on machines that still have the older kind of cgroups, too.
ct_hierarchies() {
	local dir

	for dir in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
		if [ -f "$dir/cgroup.procs" ]; then
			printf '%s\n' "$dir"
		fi
	done
}

# Prints "MIRROR RELEASE COMPONENTS" as apt on this machine has them; nothing where its lists are not there.
ct_find_mirror() {
	local release

	# shellcheck source=/dev/null
	release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2> /dev/null |
		awk -v release="$release" '
			$2 == release && ($3 == "main" || $3 == "universe") && (site == "" || site == $1) && !seen[$3]++ {
				site = $1
				components = components (components == "" ? "" : ",") $3
			}
			END { if (site != "") print site, release, components }'
}

ct_debootstrap() {
	local to=$1 mirror release components packages

	shift
	packages=$(printf ',%s' "$@")
	read -r mirror release components < <(ct_find_mirror)
	if [ -z "$mirror" ]; then
		apt-get update > "$PROCS_DIR/apt-update.out" 2>&1 < /dev/null
		read -r mirror release components < <(ct_find_mirror)
	fi
	[ -n "$mirror" ] || ct_skip "apt on this machine has no mirror for its own release, so there is nothing to boot"
	printf '# debootstrap %s from %s\n' "$release" "$mirror"
	# A minimal system; nothing of it has to survive a loss of power.
	procs_start debootstrap debootstrap --variant=minbase --components="$components" \
		--include="systemd,systemd-sysv,dbus$packages" "$release" "$to" "$mirror"
	procs_wait debootstrap 400 && [ "$PROCS_STATUS" -eq 0 ]
}

ct_rootfs() {
	procs_clock
	local since=$PROCS_NOW

	if [ -z "${ROOTFS:-}" ]; then
		ct_debootstrap "$CT_ROOT" "$@" || return 1
	else
		[ -e "$ROOTFS/.complete" ] || { ct_debootstrap "$ROOTFS" "$@" && touch "$ROOTFS/.complete"; } || return 1
		cp -a --reflink=auto "$ROOTFS" "$CT_ROOT" || return 1
	fi
	: > "$CT_ROOT/etc/machine-id"
	printf '# root folder of %s after %s s\n' "$(du -sh "$CT_ROOT" | cut -f 1)" "$(procs_since "$since")"
}

# In groups of its own, so that what it makes there can be removed. It must not think that it runs in a unit. Without
# CAP_IPC_LOCK, nspawn takes mlock() from all in it.
ct_launch() {
	local dir

	for dir in "${CT_CGROUPS[@]}"; do
		echo "$BASHPID" > "$dir/cgroup.procs" || return 1
	done
	unset NOTIFY_SOCKET INVOCATION_ID
	exec systemd-nspawn --quiet --register=no --keep-unit --boot --machine="$CT_NAME" --directory="$CT_ROOT" \
		--network-namespace-path="/run/netns/$NT_NS" --link-journal=no \
		--capability=CAP_IPC_LOCK --timezone=off --console=pipe "$@"
}

ct_boot() {
	local dir

	while read -r dir; do
		mkdir "$dir/$CT_NAME" || return 1
		CT_CGROUPS+=("$dir/$CT_NAME")
	done < <(ct_hierarchies)
	procs_start container ct_launch "$@"
	procs_until 60 "the container to be up" ct_is_up_or_dead && procs_alive container
}

ct_is_up_or_dead() {
	procs_dead container || ct_is_up
}

ct_is_up() {
	local state

	# nspawn's only child is the container's init.
	CT_LEADER=$(ps -o pid= --ppid "${PROCS_PID[container]}" | tr -d ' ')
	[ -n "$CT_LEADER" ] && [ "$(ps -o comm= -p "$CT_LEADER")" = systemd ] || return 1
	state=$(ct systemctl is-system-running 2> /dev/null)
	[ "$state" = running ] || [ "$state" = degraded ]
}

ct() {
	nsenter --target "$CT_LEADER" --all -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		LC_ALL=C SYSTEMD_PAGER= SYSTEMD_COLORS=0 "$@" < /dev/null
}

ct_as() {
	local user=$1

	shift
	ct setpriv --reuid "$user" --regid "$user" --init-groups env USER="$user" HOME="/home/$user" "$@"
}

ct_property() {
	ct systemctl show --value --property "$2" "$1"
}

ct_end() {
	local dir pid

	procs_stop debootstrap
	procs_stop container
	# Where nspawn itself had to be killed, the system that it booted lives on.
	for dir in "${CT_CGROUPS[@]}"; do
		while read -r pid; do
			kill -KILL "$pid" 2> /dev/null
		done < <(find "$dir" -name cgroup.procs -exec cat {} +)
	done
	for dir in "${CT_CGROUPS[@]}"; do
		procs_until 5 "" ct_remove_groups "$dir"
	done
	rmdir "/run/systemd/nspawn/propagate/$CT_NAME" "/run/systemd/nspawn/unix-export/$CT_NAME" 2> /dev/null
	# What debootstrap has mounted, where it was interrupted.
	while read -r dir; do
		umount -l "$dir"
	done < <(awk -v base="$CT_BASE/" '$2 ~ "^" base { print $2 }' /proc/mounts | tac)
	rm -rf --one-file-system "$CT_BASE"
}

ct_remove_groups() {
	find "$1" -depth -type d -exec rmdir {} \; 2> /dev/null
	[ ! -d "$1" ]
}
