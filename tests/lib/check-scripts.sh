#!/bin/bash
# Do all shell scripts parse, and has shellcheck nothing to say about them?
cd "$(dirname "$0")/../.." || exit 1
scripts=(quickstart check .ci/run conf/completion/ethlinkctl tests/*/*.sh)
status=0
for s in "${scripts[@]}"; do
	bash -n "$s" || status=1
done
shellcheck -x -S warning "${scripts[@]}" || status=1
exit "$status"
