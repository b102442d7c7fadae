# shellcheck shell=bash
# What the tests of the hosts share, and what each begins with. Sourced by bash; not a program. They
# define clean_up, which takes away all hosts.
set -eu
export LC_ALL=C PATH
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
PATH=$HERE:$PATH:/usr/sbin:/sbin
[ "$(id -u)" = 0 ] || {
    echo "${0##*/}: must run as root" >&2
    exit 1
}

T=$(mktemp -d "${TMPDIR:-/tmp}/mt-hosts.XXXXXX")
W=$T/checks # for the files of checks
FAILED=0
trap 'clean_up; rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$T"
mkdir "$W"
exec </dev/null

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

# half NAME COMMAND...: of a test that does two things at once, in a subshell: with a directory for the
# files of its checks. Fails if one of them does.
half() {
    FAILED=0
    W=$T/half-$1
    mkdir "$W"
    shift
    "$@"
    [ "$FAILED" = 0 ]
}

# refused COMMAND...: succeeds if the command does not.
refused() {
    local status=0
    "$@" || status=$?
    [ "$status" != 0 ]
}

# detached COMMAND...: it says nothing. A daemon that kept its output open, or any other descriptor,
# would hang this.
detached() {
    local output status=0
    output=$(timeout 60 setsid -w "$@" 2>&1 9>&1) || status=$?
    echo "$output"
    [ "$status" = 0 ] && [ -z "$output" ]
}

# keeps_strange_files COMMAND...: none of them takes a directory for its own that is not. The first
# word is the program; the others go behind the directory.
keeps_strange_files() {
    local command words
    mkdir "$T/strange"
    touch "$T/strange/file"
    for command; do
        read -r -a words <<<"$command"
        refused "${words[0]}" "$T/strange" "${words[@]:1}"
    done
    [ -e "$T/strange/file" ]
}

microseconds() {
    echo "${EPOCHREALTIME/./}"
}

START=$(microseconds)
# finish: after the last check
finish() {
    trap - EXIT
    clean_up
    rm -rf "$T"
    echo "# $((($(microseconds) - START) / 1000)) ms"
    [ "$FAILED" = 0 ]
}
