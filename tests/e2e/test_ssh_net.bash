# What the tests of ssh over networks share. Sourced by bash; not a program.
#
# The program does the measuring, in the namespace m of tests/hosts/net-up; it is a product program,
# since the size of its image counts.
set -u
export LC_ALL=C
TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build/musl}
HOSTS=$TOP/tests/hosts
PROGRAM=$BUILD/tests/programs/ssh_delay

[ -x "$PROGRAM" ] || {
    echo "not ok $PROGRAM is there"
    exit 1
}
T=$(mktemp -d "${TMPDIR:-/tmp}/mt-net.XXXXXX") || exit 1
trap '"$HOSTS/net-down" "$T/net"; rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM
exec </dev/null

# leftovers: files, and processes that run the program, one a line.
leftovers() {
    local kind what rest
    "$HOSTS/leftovers" --image "$PROGRAM" "$T" | while read -r kind what rest; do
        [ "$kind" = file ] || cmp -s "/proc/$what/exe" "$PROGRAM" || continue
        echo "$kind $what $rest"
    done
}

# Nothing stays that was not there before. What other programs make comes and goes.
nothing_left() {
    local found=$1
    for _ in {1..200}; do # TCP tries again after a cut, ever more rarely
        found=$(comm -13 <(echo "$before") <(leftovers) | comm -12 - <(echo "$found"))
        [ -n "$found" ] || break
        sleep 0.1
    done
    if [ -n "$found" ]; then
        echo "not ok nothing_is_left"
        echo "$found"
    else
        echo "ok nothing_is_left"
    fi
}

# over_network DELAY COMMAND...: runs the program with a network that is that far away.
over_network() {
    local delay=$1
    shift
    before=$(leftovers)
    "$HOSTS/net-up" "$T/net" 2 "$delay" || exit 1
    "$HOSTS/net-exec" "$T/net" m "$PROGRAM" "$@"
    status=$?
    nothing_left "$(comm -13 <(echo "$before") <(leftovers))"
    exit $status
}
