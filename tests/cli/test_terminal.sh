#!/bin/bash
# On a terminal: colour, hostile output, Ctrl-C.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2154 # scripts for other shells; $status
. "$(dirname "$0")/lib.sh"
export TERM=xterm

# on_terminal [--keys KEYS AFTER] ARG...: mitosis on a terminal, what appears there in ./out.
on_terminal() {
    local keys=()
    [ "$1" != --keys ] || { keys=("$1" "$2" "$3"); shift 3; }
    status=0
    python3 "$TOP/tests/cli/on_terminal.py" "${keys[@]}" "$MITOSIS" "$@" >raw 2>err || status=$?
    tr -d '\r' <raw >out
}

E=$'\e'

colours() {
    on_terminal run --local 2 -- sh -c 'echo hi; sleep 0.2; echo oops >&2'
    expect 0 "${E}[32mlocal1${E}[0m: hi
${E}[33mlocal2${E}[0m: hi
${E}[31mlocal1${E}[0m: oops
${E}[31mlocal2${E}[0m: oops"
    on_terminal run --local 2 --group -- echo hi
    expect 0
    grep -qxF "${E}[32mlocal[1-2]${E}[0m (2)" out
    on_terminal run --local 2 -- false
    expect 1 "mitosis: ${E}[31mlocal[1-2]${E}[0m: exited with status 1"
}

no_colours() {
    NO_COLOR=1 on_terminal run --local 1 -- echo hi
    expect 0 "local1: hi"
    TERM=dumb on_terminal run --local 1 -- echo hi
    expect 0 "local1: hi"
    NO_COLOR='' on_terminal run --local 1 -- echo hi
    expect 0 "${E}[32mlocal1${E}[0m: hi"
    # Not a terminal: never.
    mitosis run --local 1 -- echo hi
    expect 0 "local1: hi"
}

HOSTILE='\033]0;owned\007\033[2Jx\ry\bz\177\t|\302\233m|\233m|gr\303\274n|\0|\n'
SHOWN_UTF8='\x1b]0;owned\x07\x1b[2Jx\x0dy\x08z\x7f'$'\t''|\xc2\x9bm|\x9bm|grün|\x00|'
SHOWN_ASCII='\x1b]0;owned\x07\x1b[2Jx\x0dy\x08z\x7f'$'\t''|\xc2\x9bm|\x9bm|gr\xc3\xbcn|\x00|'

hostile_output() {
    local mode
    export NO_COLOR=1
    for stream in 1 2; do
        LC_ALL=C.UTF-8 on_terminal run --local 1 -- sh -c "printf '$HOSTILE' >&$stream"
        grep -qF "local1: ${SHOWN_UTF8%%$'\t'*}" out
        grep -qF "${SHOWN_UTF8#*$'\t'}" out
        for mode in --no-prefix --group; do
            LC_ALL=C.UTF-8 on_terminal run $mode --local 1 -- sh -c "printf '$HOSTILE' >&$stream"
            grep -qF "${SHOWN_UTF8#*$'\t'}" out
            equal "$(grep -c "$E" out || :)" 0
        done
        on_terminal run --local 1 -- sh -c "printf '$HOSTILE' >&$stream"
        grep -qF "${SHOWN_ASCII#*$'\t'}" out
    done
    # Without a terminal it is passed on.
    mitosis run --local 1 --no-prefix -- printf "$HOSTILE"
    cmp out <(printf "$HOSTILE")
}

hostile_json() {
    LC_ALL=C.UTF-8 on_terminal run --json --local 1 -- printf "$HOSTILE"
    equal "$(tr -d '\n' <out | grep -c '[[:cntrl:]]' || :)" 0
    jq -e '.stdout | startswith("\u001b]0;owned")' out >/dev/null
}

line_ends() {
    NO_COLOR=1 on_terminal run --local 1 -- printf 'dos\r\nend'
    expect 0 $'local1: dos\nlocal1: end'
}

control_c() {
    new_id
    on_terminal --keys '\x03' ready run --local 3 -- sh -c "echo ready; sleep $ID; echo never"
    equal "$status" 130
    equal "$(grep -c never out || :)" 0
    are_sleeping 0
    on_terminal --keys '\x03\x03' ready run --local 2 -- sh -c "trap '' TERM INT; echo ready; sleep $ID"
    equal "$status" 130
    within 5 are_sleeping 0
}

# The commands have no terminal to ask on, or to be confused by.
no_terminal_for_commands() {
    NO_COLOR=1 on_terminal run --local 1 -- sh -c '(: </dev/tty) 2>/dev/null && echo yes || echo no; tty'
    equal "$(cat out)" $'local1: no\nlocal1: not a tty\nmitosis: local1: exited with status 1'
}

log_lines() {
    # A context says nothing by itself at the default level.
    mitosis run --local 1 true
    expect 0 "" ""
    MITOSIS_LOG=io mitosis run --local 1 -- echo hi
    equal "$status" 0
    grep -q '^master: io: ' err
    grep -q '^local\.1: io: ' err
    equal "$(cat out)" "local1: hi"
    MITOSIS_LOG=io on_terminal run --local 4 -- seq 2000
    equal "$(grep -Ec "^(${E}\[3[0-9]m)?(local[1-4](${E}\[0m)?: [0-9]+|(master|local\.[0-9]+): [a-z]+: .*)$" out)" "$(wc -l <out)"
}

for test in colours no_colours hostile_output hostile_json line_ends control_c \
    no_terminal_for_commands log_lines; do
    check $test $test
done
finish
