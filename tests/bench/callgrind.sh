# Instructions of the realtime path, counted by callgrind: the same on every machine. Sourced.
# shellcheck shell=bash

# What the C library chooses by the processor is not ours, so it is told to choose the same everywhere; names that it
# does not know do no harm.
CALLGRIND_HWCAPS=-AVX512F,-AVX512VL,-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-SSSE3,-Fast_Unaligned_Copy

# callgrind_count FOLDER PROGRAM CASE...: runs count-rt under callgrind, in a folder that is empty. Prints
#   compiler NAME VERSION
#   case NAME INSTRUCTIONS-A-BLOCK
#   skip NAME
# with what is not PROGRAM's (the rig, the ring's side of the kernel) left out. Returns 77 for a program that was built in a
# way that cannot be counted, 1 for one that fails; what it said is in FOLDER/err then.
callgrind_count() {
	local folder=$1 program=$2 status part=0 what name blocks

	shift 2
	# Says by itself that it cannot be counted: with sanitizers in it valgrind would not even start it.
	"$program" > /dev/null 2> "$folder/err"
	status=$?
	if [ "$status" -ne 0 ]; then
		[ "$status" -eq 77 ] || status=1
		return "$status"
	fi
	# Debug information is what valgrind may fail to read, and is not needed.
	objcopy --strip-debug "$program" "$folder/count-rt" 2> "$folder/err" || return 1
	GLIBC_TUNABLES=glibc.cpu.hwcaps=$CALLGRIND_HWCAPS valgrind --tool=callgrind --callgrind-out-file="$folder/out" \
		--toggle-collect=engine_process_rt --toggle-collect=engine_finish_rt --toggle-collect=insert_process_rt \
		--zero-before=count_begin --dump-after=count_end "$folder/count-rt" "$@" > "$folder/list" 2> "$folder/err" ||
		return 1
	while read -r what name blocks; do
		if [ "$what" != case ]; then
			printf '%s\n' "$what $name${blocks:+ $blocks}"
			continue
		fi
		part=$((part + 1))
		awk -v name="$name" -v blocks="$blocks" '/^totals: / { n = $2 }
			END { if (n == 0) exit 1; printf "case %s %.1f\n", name, n / blocks }' "$folder/out.$part" || {
			printf '%s: callgrind has counted nothing\n' "$name" >> "$folder/err"
			return 1
		}
	done < "$folder/list"
}
