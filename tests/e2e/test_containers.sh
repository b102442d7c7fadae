#!/bin/bash
# Contexts in containers of all engines that run here, and in chains through them.
set -u
export LC_ALL=C
TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build/musl}
HOSTS=$TOP/tests/hosts
PROGRAM=$BUILD/tests/programs/containers

[ -x "$PROGRAM" ] || {
    echo "not ok $PROGRAM is there"
    exit 1
}
# Not below TMPDIR: podman does not remove its temporary containers when their paths are long.
T=$(mktemp -d /tmp/mt-c.XXXXXX) || exit 1
chmod 755 "$T"
trap '"$HOSTS/engines-down" "$T/engines"; "$HOSTS/box-down" "$T/box"; rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM
exec </dev/null

# Processes that run the program, files that it could have left, containers, one a line.
leftovers() {
    local kind what
    "$HOSTS/leftovers" --image "$PROGRAM" "$T" | while read -r kind what _; do
        [ "$kind" = file ] || cmp -s "/proc/$what/exe" "$PROGRAM" || continue
        echo "$kind $what"
    done
    docker ps --all --format '{{.Names}}'
    podman ps --all --format '{{.Names}}'
}

"$HOSTS/box-up" "$T/box" --fast && . "$T/box/env" && export MT_CONFIG MT_PW_admin || exit 1
"$HOSTS/engines-up" "$T/engines" || exit 1
. "$T/engines/env"
leftovers | sort >"$T/before"
"$PROGRAM"
status=$?
for _ in {1..200}; do
    left=$(leftovers | sort | comm -13 "$T/before" -)
    [ -n "$left" ] || break
    sleep 0.1
done
if [ -z "$left" ]; then
    echo "ok nothing_is_left"
else
    echo "not ok nothing_is_left"
    echo "$left"
    status=1
fi
exit $status
