# shellcheck shell=bash
# What the tests of the command share. Sourced by bash; not a program.
#
# A test is a function; `check` runs it with set -e in a directory of its own and reports it. In it
# `mitosis ARG...` leaves stdout in ./out, stderr in ./err and the exit status in $status, and
# `expect` and `equal` say what must hold.
# shellcheck disable=SC2034 # used by who sources this
set -u
export LC_ALL=C
unset MITOSIS_LOG NO_COLOR
TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build/musl}
MITOSIS=$BUILD/mitosis
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mt-cli.XXXXXX") || exit 2
FAILED=0
cleanup=()
at_exit() {
    local command
    for command in "${cleanup[@]}"; do
        $command
    done
    rm -rf "$WORK"
}
trap at_exit EXIT
trap 'exit 1' HUP INT TERM
exec </dev/null
if [ ! -x "$MITOSIS" ]; then
    echo "not ok $MITOSIS is there"
    exit 1
fi

check() {
    local name=$1 result
    shift
    mkdir -p "$WORK/$name"
    (
        set -eE
        trap 'echo "line $LINENO: $BASH_COMMAND" >>"$WORK/$name/why"' ERR
        cd "$WORK/$name"
        "$@"
    ) >"$WORK/$name.log" 2>&1
    result=$?
    if [ $result -eq 0 ]; then
        echo "ok $name"
    else
        echo "not ok $name"
        FAILED=1
        cat "$WORK/$name/why" "$WORK/$name.log" 2>/dev/null | cat -v | head -c 4000 | sed 's/^/#   /'
        for file in out err; do
            echo "# $file:"
            head -c 2000 "$WORK/$name/$file" 2>/dev/null | cat -v | sed 's/^/#   /'
        done
    fi
    rm -rf "${WORK:?}/$name" "$WORK/$name.log"
}

# refused ERROR ARG...: the error is all there is.
refused() {
    local error=$1
    shift
    mitosis "$@"
    equal "$status" 2
    equal "$(cat err)" "mitosis: $error"
    equal "$(cat out)" ""
}

finish() {
    exit $FAILED
}

# A run that takes longer than this hangs.
LIMIT=60
mitosis() {
    status=0
    timeout -k 5 "$LIMIT" "$MITOSIS" "$@" >out 2>err || status=$?
}

# expect STATUS [OUT [ERR]]: lines in any order; "-" for any.
expect() {
    equal "$status" "$1"
    [ "${2--}" = - ] || equal "$(sort out)" "$(printf '%s' "$2" | sort)"
    [ "${3--}" = - ] || equal "$(sort err)" "$(printf '%s' "$3" | sort)"
}

equal() {
    [ "$1" = "$2" ] || {
        printf 'is:        %s\nshould be: %s\n' "$1" "$2"
        return 1
    }
}

# within SECONDS COMMAND...: it succeeds before they are over.
within() {
    local end=$((SECONDS + $1 + 1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || {
            echo "not in time: $*"
            return 1
        }
        sleep 0.05
    done
}

# Sleeping that can be told from that of others: `sleep $ID` with an ID of this test's own.
new_id() {
    ID=$((100000 + BASHPID % 100000)).$((RANDOM * 32768 + RANDOM))
}
sleepers() {
    pgrep -c -f -x "sleep $ID" || :
}
are_sleeping() {
    [ "$(sleepers)" = "$1" ]
}

# ours: the pids of processes below the pid $1.
below() {
    local child
    for child in $(pgrep -P "$1"); do
        echo "$child"
        below "$child"
    done
}
all_gone() {
    local pid
    for pid; do
        # A zombie whose parent is slow is gone all the same.
        ! grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" 2>/dev/null || return 1
    done
}
