# /proc/PID/smaps as JSON, in kB: what is resident of a process, and what of that is JACK's shared memory or rings that the
# kernel has locked anyway. own: the path of the program.

function part_of(name) {
	if (name ~ /^\/dev\/shm\//) {
		return "jack_shm"
	}
	if (name ~ /^socket:/) {
		return "rings"
	}
	if (name == own) {
		return "program"
	}
	if (name == "[heap]" || name == "[stack]") {
		return substr(name, 2, length(name) - 2)
	}
	return name ~ /^\// ? "libraries" : "anonymous"
}
/^[0-9a-f]+-[0-9a-f]+ / {
	name = $6
	part = part_of(name)
}
/^Rss:/ {
	rss[part] += $2
	if (part == "libraries") {
		sub(/.*\//, "", name)
		library[name] += $2
	}
}
/^Pss:/ {
	pss[part] += $2
}
/^Locked:/ {
	locked += $2
}
END {
	for (part in rss) {
		parts = parts sprintf("%s\"%s\": {\"rss_kb\": %d, \"pss_kb\": %d}", parts == "" ? "" : ", ", part, rss[part], pss[part])
		if (part != "jack_shm" && part != "rings") {
			total_rss += rss[part]
			total_pss += pss[part]
		}
	}
	for (name in library) {
		libraries = libraries sprintf("%s\"%s\": %d", libraries == "" ? "" : ", ", name, library[name])
	}
	printf "{\"rss_kb\": %d, \"pss_kb\": %d, \"locked_kb\": %d, \"parts\": {%s}, \"libraries_rss_kb\": {%s}}\n",
		total_rss, total_pss, locked, parts, libraries
}
