#!/bin/bash
# mitosis run in local contexts: output, exit status, --group, --json.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2154 # scripts for other shells; $status
. "$(dirname "$0")/lib.sh"

prefixes() {
    mitosis run --local 3 -- echo hi
    expect 0 $'local1: hi\nlocal2: hi\nlocal3: hi' ""
    mitosis run -H 'local:web[08-10],local:db' echo hi
    expect 0 $'db: hi\nweb08: hi\nweb09: hi\nweb10: hi' ""
    mitosis run --local 2 --no-prefix -- echo hi
    expect 0 $'hi\nhi' ""
}

arguments() {
    mitosis run --local 1 --no-prefix -- printf '<%s>' a 'b c' '' '$HOME;' $'\n' '*' -- --json
    expect 0 $'<a><b c><><$HOME;><\n><*><--><--json>' ""
    mitosis run --local 1 --no-prefix printf '%s' $'not UTF-8: \xff\xfe'
    equal "$(od -An -tx1 out | tr -d ' \n')" "$(printf 'not UTF-8: \377\376' | od -An -tx1 | tr -d ' \n')"
}

streams_apart() {
    mitosis run --local 2 -- sh -c 'echo out; echo err >&2'
    expect 0 $'local1: out\nlocal2: out' $'local1: err\nlocal2: err'
}

exit_status() {
    mitosis run --local 2 true
    expect 0 "" ""
    mitosis run --local 2 -- sh -c 'exit 7'
    expect 1 "" "mitosis: local[1-2]: exited with status 7"
    mitosis run -H local:a,local:b -- sh -c 'kill -SEGV $$'
    expect 1 "" "mitosis: a,b: killed by signal 11 (Segmentation fault)"
}

not_started() {
    mitosis run --local 2 -- no-such-command
    expect 1 "" "local1: mitosis: no-such-command: not found
local2: mitosis: no-such-command: not found
mitosis: local[1-2]: exited with status 127"
    echo 'not a program' >script
    chmod 644 script
    mitosis run --local 1 -- ./script
    expect 1 "" "local1: mitosis: ./script: Permission denied
mitosis: local1: exited with status 126"
    chmod 755 script
    mitosis run --local 1 -- "$PWD/script"
    expect 1 "" "local1: mitosis: $PWD/script: Exec format error
mitosis: local1: exited with status 126"
    mkdir forbidden allowed
    echo 'not a program' | tee forbidden/tool >allowed/other
    printf '#!/bin/sh\necho found\n' >allowed/tool
    chmod 755 allowed/tool
    PATH=$PWD/forbidden:/no/such/directory:$PWD/script:$PWD/allowed:$PATH mitosis run --local 1 -- tool
    expect 0 "local1: found" ""
    PATH=$PWD/allowed:$PATH mitosis run --local 1 -- other
    expect 1 "" "local1: mitosis: other: Permission denied
mitosis: local1: exited with status 126"
    PATH=:/bin:/usr/bin mitosis run --local 1 -- script
    expect 1 "" "local1: mitosis: script: Exec format error
mitosis: local1: exited with status 126"
    mitosis run --local 1 -- /no/such/command
    expect 1 "" "local1: mitosis: /no/such/command: not found
mitosis: local1: exited with status 127"
}

unreachable_wins() {
    mitosis run -H 'local:a,local:b,gone?ssh_path=%2Fno%2Fssh' -- false
    equal "$status" 3
    grep -q '^mitosis: gone: ' err
    grep -qx 'mitosis: a,b: exited with status 1' err
    mitosis run -H 'local:a,gone?ssh_path=%2Fno%2Fssh' -- true
    equal "$status" 3
}

failing_prefix() {
    mitosis run --via 'gone?ssh_path=%2Fno%2Fssh' -H 'local:a[1-5]' -H local:b -- echo hi
    equal "$status" 3
    equal "$(cat out)" ""
    equal "$(wc -l <err)" 1
    grep -q '^mitosis: a\[1-5\],b: ' err
}

shared_prefixes() {
    # Each context is a process: the parent of the command's guard is the context.
    mitosis run --via local:gate -H 'local:a,local:b,local:a/local:c,local:' -- true
    expect 0 "" ""
    mitosis tree --via local:gate local:a local:b local:a/local:c local:
    equal "$status" 0
    equal "$(grep -c 'local:gate' out)" 1
    equal "$(wc -l <out)" 7
    mitosis run -H local:a,local:a,local:a -H local:a -- echo once
    expect 0 "a: once" ""
}

# ---- what commands get ------------------------------------------------------------------------

environment_of_commands() {
    mitosis run --local 1 --no-prefix -- cat
    expect 0 "" "" # stdin is empty
    mitosis run --local 1 --no-prefix -- sh -c 'ls -l /proc/self/fd | sed -n "s/.* \([0-9]*\) -> .*/\1/p" | sort -n | tr "\n" " "'
    equal "$(cat out)" "0 1 2 3 " # 3 is the directory that ls reads
    mitosis run --local 1 --no-prefix -- cat /proc/self/status
    # Signals 1 to 31: those behind are the libc's own, and may come from whoever started us.
    for mask in $(grep -E '^Sig(Blk|Ign|Cgt)' out | cut -f2); do
        equal $((0x$mask & 0x7fffffff)) 0
    done
    mitosis run --local 1 --no-prefix -- sh -c 'ps -o sid= -p $$ | tr -d " "; echo $$'
    equal "$(sed -n 1p out)" "$(sed -n 2p out)"
    mitosis run --local 1 --no-prefix -- sh -c 'ulimit -n; umask; pwd'
    equal "$(cat out)" "$(ulimit -n; umask; pwd)"
}

background_output_is_waited_for() {
    mitosis run --local 1 -- sh -c '(sleep 0.7; echo late) & echo early'
    expect 0 $'local1: early\nlocal1: late' ""
}

background_is_left_alone() {
    new_id
    mitosis run --local 1 -- sh -c "sleep $ID >/dev/null 2>&1 & echo started"
    expect 0 "local1: started" ""
    equal "$(sleepers)" 1
    pkill -f -x "sleep $ID"
}

# ---- much output ------------------------------------------------------------------------------

million_lines() {
    mitosis run --local 3 -- seq 1000000
    equal "$status" 0
    equal "$(wc -l <out)" 3000000
    for host in local1 local2 local3; do
        sed -n "s/^$host: //p" out | cmp - <(seq 1000000)
    done
}

binary_output() {
    head -c 3000000 /dev/urandom >random
    mitosis run --local 1 --no-prefix -- cat "$PWD/random"
    equal "$status" 0
    cmp out random
    mitosis run --local 1 --no-prefix -- sh -c "cat '$PWD/random' >&2"
    equal "$status" 0
    cmp err random
    # A line is between two newlines, whatever else is in it.
    printf 'a\0b\n\n\377\nend' >few
    mitosis run --local 1 -- cat "$PWD/few"
    cmp out <(printf 'local1: a\0b\nlocal1: \nlocal1: \377\nlocal1: end\n')
}

long_lines() {
    mitosis run --local 2 -- sh -c 'head -c 200000 /dev/zero | tr "\0" x'
    equal "$status" 0
    equal "$(wc -l <out)" 2
    equal "$(awk '{ print length($0) }' out | sort -u)" 200008
    mitosis run --local 1 -- sh -c 'head -c 10000000 /dev/zero | tr "\0" x; echo; echo end'
    equal "$(grep -v '^local1: ' out || :)" ""
    equal "$(sed 's/^local1: //' out | tr -d '\n' | wc -c)" 10000003
    equal "$(tail -n 1 out)" "local1: end"
    mitosis run --local 1 --no-prefix -- sh -c 'head -c 10000000 /dev/zero | tr "\0" x'
    equal "$(wc -lc <out | tr -s ' ')" " 0 10000000"
}

# Nobody reads for a while: the commands wait, nothing is lost, nothing is hoarded.
slow_reader() {
    "$MITOSIS" run --local 4 -- seq 300000 2>err | { sleep 1; cat; } >out
    equal "${PIPESTATUS[0]}" 0
    equal "$(wc -l <out)" 1200000
    "$MITOSIS" run --local 4 -- yes 2>err | { sleep 2; ps -o rss= -p "$(pgrep -n -x -f "$MITOSIS run --local 4 -- yes")"; } >rss
    [ "$(cat rss)" -lt 30000 ]
}

reader_leaves() {
    status=0
    { timeout 20 "$MITOSIS" run --local 3 -- yes 2>err || echo $? >status; } | head -n 5 >out
    equal "$(cat status)" 141
    equal "$(wc -l <out)" 5
    equal "$(cat err)" "mitosis: local[1-3]: interrupted"
    status=0
    timeout 20 "$MITOSIS" run --local 2 -- yes 2>err >/dev/full || status=$?
    equal "$status" 1
    grep -qx 'mitosis: cannot write: No space left on device' err
    status=0
    timeout 20 "$MITOSIS" run --group --local 2 -- echo hi 2>err >/dev/full || status=$?
    equal "$status" 1
    equal "$(cat err)" "mitosis: cannot write: No space left on device"
}

interleaved_lines_stay_whole() {
    mitosis run --local 8 -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do printf aaaa; printf "bbbb\ncc"; printf "cc\n"; done'
    equal "$(sed 's/^local[1-8]: //' out | sort | uniq -c | tr -s ' ')" $' 80 aaaabbbb\n 80 cccc'
}

# ---- --group ----------------------------------------------------------------------------------

groups() {
    mkdir x y
    echo same >x/f
    mitosis run --group -H 'local:web[01-05,07]' -- cat "$PWD/x/f"
    expect 0 - ""
    equal "$(cat out)" '---------------
web[01-05,07] (6)
---------------
same'
    mitosis run --group --local 3 -- sh -c 'mkdir y/once && echo first || echo no; exit 3'
    equal "$status" 1
    grep -qx 'mitosis: local\[1-3\]: exited with status 3' err
    grep -qx 'local.*' out
    equal "$(grep -xc first out)" 1
    equal "$(grep -xc no out)" 1
    grep -Eqx 'local(\[1-2\]|\[1,3\]|\[2-3\]) \(2\)' out
    mitosis run --group --local 3 -- sh -c 'printf "no newline" >&2'
    expect 0 "" $'---------------\nlocal[1-3] (3)\n---------------\nno newline'
    mitosis run --group --local 3 -- true
    expect 0 "" ""
}

group_is_bounded() {
    mitosis run --group --local 1 -- sh -c 'head -c 20000000 /dev/zero | tr "\0" x'
    equal "$status" 0
    equal "$(tail -n 1 out)" "[mitosis: the output was longer; the rest is left out]"
    [ "$(wc -c <out)" -lt 16800000 ]
}

# ---- --json -----------------------------------------------------------------------------------

json() {
    mitosis run --json --local 2 -- sh -c 'printf "a\"\\\n\377\0\033é"; echo oops >&2; exit 3'
    equal "$status" 1
    equal "$(cat err)" ""
    equal "$(wc -l <out)" 2
    jq -es 'length == 2 and all(
        (.host | test("^local[12]$")) and (.context | type == "number") and .status == 3 and
        .signal == null and .stdout == "a\"\\n\ufffd\u0000\u001bé" and .stderr == "oops\n" and
        .error == null and .seconds >= 0 and .seconds < 60 and (has("truncated") | not))' out >/dev/null
    equal "$(jq -r 'keys_unsorted | join(" ")' out | sort -u)" \
        "host context status signal stdout stderr error seconds"
    python3 -c 'import json, sys; [json.loads(line) for line in open("out", encoding="utf-8")]'
}

json_of_failures() {
    mitosis run --json -H 'local:a,gone?ssh_path=%2Fno%2Fssh' -- sh -c 'kill -9 $$'
    equal "$status" 3
    jq -es 'map({key: .host, value: .}) | from_entries |
        .a.status == null and .a.signal == 9 and .a.error == null and
        .gone.context == null and .gone.status == null and .gone.stdout == "" and
        (.gone.error | type == "string" and length > 5)' out >/dev/null
    mitosis run --json --local 1 --timeout 0.3 -- sh -c 'echo before; exec sleep 100'
    equal "$status" 1
    jq -e '.error == "timed out after 0.3 s" and .signal == 15 and .stdout == "before\n" and
        .seconds >= 0.3 and .seconds < 5' out >/dev/null
}

json_is_bounded() {
    mitosis run --json --local 2 -- sh -c 'head -c 20000000 /dev/zero | tr "\0" x'
    equal "$status" 0
    jq -es 'length == 2 and all(.truncated and (.stdout | length == 16777216))' out >/dev/null
}

# ---- --parallel -------------------------------------------------------------------------------

parallel() {
    # Each notes how many are there: never more than two.
    mkdir running
    mitosis run --local 6 --parallel 2 --no-prefix -- sh -c \
        'touch running/$$; ls running | wc -l; sleep 0.2; rm running/$$'
    equal "$status" 0
    equal "$(wc -l <out)" 6
    equal "$(sort -n out | tail -n 1)" 2
}

many() {
    mitosis run --local 150 -- echo hi
    equal "$status" 0
    equal "$(cut -d' ' -f2 out | uniq -c | tr -s ' ')" " 150 hi"
    equal "$(sort -u out | wc -l)" 150
}

# ---- tree -------------------------------------------------------------------------------------

tree() {
    mitosis tree 'local:a/local:b[1-2]' 'local:c,x?ssh_path=%2Fno%2Fssh'
    equal "$status" 3
    equal "$(sed 's/ .*//' out | head -n 2 | tr '\n' ' ')" "CONTEXT master "
    grep -Eq "^\|-- local:a +[0-9]+ +local\.[^ ]+ +$(id -un)@$(hostname) +[0-9]+ +$(uname -m) +[0-9]+\.[0-9][0-9] ms$" out
    grep -Eq '^\|   \|-- local:b1 +[0-9]' out
    grep -Eq '^\|   `-- local:b2 +[0-9]' out
    grep -Eq '^\|-- local:c +[0-9]' out
    grep -Eq '^`-- ssh:x +[^ 0-9].*' out
    LC_ALL=C.UTF-8 mitosis tree local:a
    expect 0
    grep -q '^└── local:a ' out
    mitosis tree --via 'x?ssh_path=%2Fno%2Fssh' local:a
    equal "$status" 3
    grep -Eq '^    `-- local:a +not reached$' out
}

hosts_from_files() {
    printf '# two\nlocal:web[1-2] # here\n\n  local:db\n' >hosts
    mitosis run -f hosts -H local:x echo hi
    expect 0 $'db: hi\nweb1: hi\nweb2: hi\nx: hi' ""
    status=0
    "$MITOSIS" run -f - echo hi <hosts >out 2>err || status=$?
    expect 0 $'db: hi\nweb1: hi\nweb2: hi' ""
}

closed_descriptors() {
    status=0
    "$MITOSIS" run --local 1 -- echo hi >out 2>err <&- || status=$?
    expect 0 "local1: hi" ""
    status=0
    "$MITOSIS" run --local 1 -- echo hi >out 2>&- || status=$?
    equal "$(cat out)" "local1: hi"
    status=0
    "$MITOSIS" run --local 1 -- echo hi >&- 2>err || status=$?
    equal "$(cat err)" ""
}

for test in prefixes arguments streams_apart exit_status not_started unreachable_wins failing_prefix \
    shared_prefixes environment_of_commands background_output_is_waited_for \
    background_is_left_alone million_lines binary_output long_lines slow_reader reader_leaves \
    interleaved_lines_stay_whole groups group_is_bounded json json_of_failures json_is_bounded \
    parallel many tree hosts_from_files closed_descriptors; do
    check $test $test
done
finish
