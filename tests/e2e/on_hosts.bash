# shellcheck shell=bash
# What the shell tests on real hosts share. Sourced by bash, with the name of the program that does
# the measuring and judging (tests/programs): a product program, since the size of its image counts.
# They define clean_up, which takes the hosts away.
set -u
export LC_ALL=C
TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build/musl}
HOSTS=$TOP/tests/hosts
PROGRAM=$BUILD/tests/programs/$1

[ -x "$PROGRAM" ] || {
    echo "not ok $PROGRAM is there"
    exit 1
}
# Not below TMPDIR: podman does not remove its temporary containers when their paths are long.
T=$(mktemp -d /tmp/mt-t.XXXXXX) || exit 1
chmod 755 "$T"
trap 'clean_up; rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM
exec </dev/null

# leftovers: files, and processes that run the program, one a line. A test may have more to list.
leftovers() {
    local kind what
    "$HOSTS/leftovers" --image "$PROGRAM" "$T" | while read -r kind what _; do
        [ "$kind" = file ] || cmp -s "/proc/$what/exe" "$PROGRAM" || continue
        echo "$kind $what"
    done
    more_leftovers
}

more_leftovers() {
    :
}

# judged COMMAND...: runs the program by this command, and ends the test. Nothing may stay that was
# not there before; what other programs make comes and goes.
judged() {
    local before found status
    before=$(leftovers | sort)
    "$@"
    status=$?
    found=$(leftovers | sort | comm -13 <(echo "$before") -)
    for _ in {1..200}; do # TCP tries again after a cut, ever more rarely
        [ -n "$found" ] || break
        sleep 0.1
        found=$(leftovers | sort | comm -12 - <(echo "$found"))
    done
    if [ -n "$found" ]; then
        echo "not ok nothing_is_left"
        echo "$found"
        status=1
    else
        echo "ok nothing_is_left"
    fi
    exit $status
}
