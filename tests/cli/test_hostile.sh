#!/bin/bash
# One of two hosts is in the hands of somebody who speaks our protocol. The command stays in order,
# says what is wrong with that host, and serves the other one.
# shellcheck source=lib.sh
# shellcheck disable=SC2154,SC2086 # $status; numbers
. "$(dirname "$0")/lib.sh"

sources=$(find "$TOP/src/cli" -name '*.c' ! -name remote_exec.c ! -name copy.c)
# shellcheck disable=SC2086 # a list
${MUSL_GCC:-musl-gcc} -std=gnu17 -D_GNU_SOURCE -pthread -Os -static -I"$TOP/include" \
    -iquote "$TOP/src/cli" -ffunction-sections -fdata-sections -Wl,--gc-sections -o "$WORK/mitosis" \
    $sources "$TOP/tests/cli/hostile_command.c" "$BUILD/libmitosis.a" >"$WORK/compiler" 2>&1 || {
    echo "not ok the hostile command is built"
    sed 's/^/# /' "$WORK/compiler"
    exit 1
}
MITOSIS=$WORK/mitosis

# hostile SIDE STATUS ERROR [OPTION...]: ERROR is a pattern for all of stderr.
hostile() {
    local side=$1 wanted=$2 error=$3
    shift 3
    mitosis run --local 2 --parallel 2 "$@" -- "$side"
    grep -qx 'local2: honest' out
    equal "$status" "$wanted"
    # shellcheck disable=SC2053 # a pattern
    [[ $(cat err) == $error ]] || { echo "not: $error"; return 1; }
    equal "$(grep -c '[[:cntrl:]]' err || :)" 0
}

lost() { hostile "$1" 3 "mitosis: local1: $2"; }

# More than its window while nobody reads: the queue for this host overflows, and no other.
flood() {
    mkfifo pipe
    { sleep 2; cat; } <pipe | grep -v '^local1: ' >others &
    reader=$!
    status=0
    timeout 60 "$MITOSIS" run --local 2 -- flood >pipe 2>err || status=$?
    wait $reader
    equal "$status" 3
    equal "$(cat others)" "local2: honest"
    grep -Eq '^mitosis: local1: (receiver: .* messages were lost|local.1: its answer was lost)' err
}

flood_is_bounded() {
    "$MITOSIS" run --local 2 --group -- flood >out 2>err &
    master=$!
    highest=0
    while kill -0 $master 2>/dev/null; do
        now=$(awk '/^VmRSS/ { print $2 }' /proc/$master/status 2>/dev/null || :)
        [ "${now:-0}" -le $highest ] || highest=$now
        sleep 0.05
    done
    wait $master || :
    echo "$highest KiB"
    [ $highest -lt 250000 ]
}

deaf() {
    hostile deaf 1 'mitosis: local1: timed out after 2 s' --timeout 2
    hostile mute 1 'mitosis: local1: timed out after 2 s' --timeout 2
}

messages() {
    lost stream-three 'output that cannot be read'
    lost negative-stream 'output that cannot be read'
    lost other-types 'output that cannot be read'
    lost output-first 'a message that cannot be read'
}

results() {
    lost other-status 'an exit status that cannot be'
    hostile other-result 1 'mitosis: local1: *'
    lost closes '*closed*'
    mitosis run --local 2 -- lies-about-total
    expect 3 $'local1: some\nlocal2: honest' 'mitosis: local1: some of the output was lost'
}

escapes() {
    hostile escapes 1 'mitosis: local1: *\\x1b\[2J\\x0a*\\xc2\\x9b %s%n' || {
        # Invalid UTF-8 of the terminal or not: no byte of it is raw.
        grep -q '\\x1b\[2J' err
        equal "$(grep -c "$(printf '\302\233')" err || :)" 0
    }
    equal "$(wc -l <err)" 1
}

aims_at_another() {
    lost aims-at-another 'a message that cannot be read'
    hostile aims-at-another 3 'mitosis: local1: a message that cannot be read' --timeout 2
}

for test in flood flood_is_bounded deaf messages results escapes aims_at_another; do
    check $test $test
done
finish
