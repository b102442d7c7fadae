# shellcheck shell=bash
# What the tests of the hosts share. Sourced by bash; not a program. They set W, a directory for the
# files of checks.
FAILED=0

# check NAME COMMAND...: ok if the command succeeds; in a function, every command of it. (Bash would
# ignore set -e in a condition.)
check() {
    local name=$1 status
    shift
    set +e
    (
        set -e
        "$@"
    ) >"$W/output" 2>&1
    status=$?
    set -e
    if [ "$status" = 0 ]; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/#   /' "$W/output" | cat -v | head -n 30
        echo "#   status $status"
        FAILED=$((FAILED + 1))
    fi
}

# refused COMMAND...: succeeds if the command does not.
refused() {
    local status=0
    "$@" || status=$?
    [ "$status" != 0 ]
}
