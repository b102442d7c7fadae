#!/bin/bash
# Ends that come from outside: signals, time-outs, and processes of the tree that are killed.
# Nothing is left behind by any of them.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2086,SC2154 # scripts for other shells; lists of pids; $status
. "$(dirname "$0")/lib.sh"

# start ARG...: mitosis in the background, its pid in $master. With job control, or it would ignore
# SIGINT, and in a process group of its own.
start() {
    set -m
    "$MITOSIS" "$@" >out 2>err &
    master=$!
    set +m
}

# ends_with STATUS SECONDS: the master does.
ends_with() {
    local end=$((SECONDS + $2 + 1)) code=0
    while kill -0 "$master" 2>/dev/null; do
        [ $SECONDS -lt $end ] || { echo "the master does not end"; kill -9 "$master"; return 1; }
        sleep 0.05
    done
    wait "$master" || code=$?
    equal "$code" "$1"
}

# ---- the user wants to leave ------------------------------------------------------------------

signal_ends_all() {
    new_id
    start run --local 5 -- sleep "$ID"
    within 10 are_sleeping 5
    all=$(below "$master")
    kill -"$1" "$master"
    ends_with "$2" 5
    are_sleeping 0
    all_gone $all
    equal "$(cat err)" "mitosis: local[1-5]: interrupted"
}
on_int() { signal_ends_all INT 130; }
on_term() { signal_ends_all TERM 143; }
on_hup() { signal_ends_all HUP 129; }

# The terminal sends it to the whole process group: contexts and commands must not be in it.
to_the_group() {
    new_id
    start run --local 3 -- sh -c "trap 'echo got INT' INT; trap 'echo got TERM; exit 5' TERM; sleep $ID & wait"
    within 10 are_sleeping 3
    kill -INT -- "-$master"
    ends_with 130 5
    are_sleeping 0
    equal "$(sort out)" $'local1: got TERM\nlocal2: got TERM\nlocal3: got TERM'
}

stubborn() {
    new_id
    start run --local 2 -- sh -c "trap '' TERM HUP INT; sleep $ID"
    within 10 are_sleeping 2
    kill -INT "$master"
    ends_with 130 8
    within 2 are_sleeping 0
}

twice() {
    new_id
    start run --local 2 -- sh -c "trap '' TERM HUP INT; sleep $ID"
    within 10 are_sleeping 2
    kill -INT "$master"
    sleep 0.2
    kill -INT "$master"
    ends_with 130 0
    within 5 are_sleeping 0
}

has_children() {
    [ "$(pgrep -c -P "$master")" -ge "$1" ]
}
while_connecting() {
    printf '#!/bin/sh\nexec sleep 1000\n' >ssh
    chmod 755 ssh
    start run -H "a[1-3]?ssh_path=${PWD//\//%2F}%2Fssh" -H local:b -- true
    within 10 has_children 3
    sleep 0.3
    all=$(below "$master")
    kill -INT "$master"
    ends_with 130 8
    within 2 all_gone $all
    equal "$(cat err)" "mitosis: a[1-3]: interrupted"
}

not_begun() {
    new_id
    start run --local 6 --parallel 2 --json -- sleep "$ID"
    within 10 are_sleeping 2
    kill -TERM "$master"
    ends_with 143 5
    are_sleeping 0
    jq -es 'length == 6 and all(.error == "interrupted")' out >/dev/null
}

ignored_in_background() {
    new_id
    (trap '' INT; exec "$MITOSIS" run --local 1 -- sh -c 'sleep 0.5; echo done') >out 2>err &
    master=$!
    sleep 0.2
    kill -INT $master
    wait $master
    equal "$(cat out)" "local1: done"
}

blocked_output() {
    new_id
    mkfifo pipe
    set -m
    "$MITOSIS" run --local 2 -- sh -c "yes & sleep $ID" >pipe 2>err &
    master=$!
    set +m
    exec 9<pipe
    within 10 are_sleeping 2
    sleep 0.5
    kill -INT "$master"
    ends_with 130 8
    exec 9<&-
    within 3 are_sleeping 0
}

# ---- time-outs --------------------------------------------------------------------------------

timeout_kills() {
    new_id
    mitosis run --local 3 --timeout 0.7 -- sh -c "echo before; sleep $ID & sleep $ID"
    expect 1 $'local1: before\nlocal2: before\nlocal3: before' "mitosis: local[1-3]: timed out after 0.7 s"
    are_sleeping 0
}

timeout_of_some() {
    new_id
    mitosis run -H local:a,local:b --timeout 1 --json -- sh -c "[ \$PPID ] && mkdir here 2>/dev/null && exit 0; exec sleep $ID"
    equal "$status" 1
    jq -es '(map(select(.error == null and .status == 0)) | length == 1) and
        (map(select(.error == "timed out after 1 s" and .seconds >= 1 and .signal == 15)) | length == 1)' out >/dev/null
    are_sleeping 0
}

timeout_of_the_stubborn() {
    new_id
    mitosis run --local 2 --timeout 0.5 -- sh -c "trap 'echo no' TERM; while :; do sleep $ID; done"
    equal "$status" 1
    equal "$(tail -n 1 err)" "mitosis: local[1-2]: timed out after 0.5 s"
    equal "$(sort out)" $'local1: no\nlocal2: no'
    within 2 are_sleeping 0
    # What the command writes after the order to stop is shown too.
    mitosis run --local 1 --timeout 0.5 -- sh -c 'trap "echo last words; exit" TERM; sleep 1000 & wait'
    expect 1 "local1: last words" "mitosis: local1: timed out after 0.5 s"
}

# A context that does nothing any more, not even end.
timeout_of_the_frozen() {
    new_id
    start run --local 2 --timeout 1 -- sleep "$ID"
    within 10 are_sleeping 2
    frozen=$(pgrep -P "$master" | head -n 1)
    kill -STOP "$frozen"
    ends_with 1 12
    equal "$(cat err)" "mitosis: local[1-2]: timed out after 1 s"
    all_gone "$frozen"
    within 3 are_sleeping 0
}

# A process that left the group and holds the output is not waited for once time is up.
timeout_with_deserter() {
    new_id
    mitosis run --local 1 --timeout 0.5 -- sh -c "setsid sleep $ID & echo hi; sleep 1000"
    expect 1 "local1: hi" "mitosis: local1: timed out after 0.5 s"
    pkill -f -x "sleep $ID" || :
}

# ---- processes that are killed ----------------------------------------------------------------

killed_master() {
    new_id
    start run --via local:gate --local 3 -- sh -c "sleep $ID & sleep $ID; :"
    within 10 are_sleeping 6
    all=$(below "$master")
    kill -9 "$master"
    ends_with 137 1
    within 5 are_sleeping 0
    within 5 all_gone $all
}

stopped_master_is_no_reason() {
    new_id
    start run --local 2 -- sh -c 'sleep 1; echo done'
    sleep 0.3
    kill -STOP "$master"
    sleep 1.5
    kill -CONT "$master"
    ends_with 0 10
    equal "$(sort out)" $'local1: done\nlocal2: done'
}

# The context of one of three hosts is killed: that one is lost, its command too.
killed_context() {
    new_id
    start run --local 3 -- sh -c "sleep $ID & sleep $ID; :"
    within 10 are_sleeping 6
    # sleep's parent: sh; its parent: the guard; its parent: the context.
    sh=$(ps -o ppid= -p "$(pgrep -f -x -o "sleep $ID")")
    guard=$(ps -o ppid= -p $sh)
    context=$(ps -o ppid= -p $guard)
    kill -9 $context
    within 5 are_sleeping 4
    kill -INT "$master"
    ends_with 130 8
    within 3 are_sleeping 0
    grep -Eq '^mitosis: local[123]: ' err
    equal "$(grep -c interrupted err)" 1
}

lost_context_is_unreachable() {
    new_id
    start run --local 1 -- sleep "$ID"
    within 10 are_sleeping 1
    guard=$(ps -o ppid= -p "$(pgrep -f -x "sleep $ID")")
    kill -9 "$(ps -o ppid= -p $guard | tr -d " ")"
    ends_with 3 5
    within 5 are_sleeping 0
}

killed_guard() {
    new_id
    start run --local 1 -- sh -c "sleep $ID & sleep $ID; :"
    within 10 are_sleeping 2
    sh=$(ps -o ppid= -p "$(pgrep -f -x -o "sleep $ID")")
    kill -9 "$(ps -o ppid= -p $sh | tr -d " ")"
    ends_with 1 8
    within 5 are_sleeping 0
    equal "$(grep -c 'the process that guards the command died' err)" 1
}

killed_intermediate() {
    new_id
    start run -H 'local:gate/local:a[1-3],local:b' -- sleep "$ID"
    within 10 are_sleeping 4
    gate=$(for pid in $(pgrep -P "$master"); do
        [ "$(pgrep -c -P "$pid")" = 3 ] && echo "$pid"; done; :)
    [ -n "$gate" ]
    kill -9 $gate
    within 5 are_sleeping 1
    kill -TERM "$master"
    ends_with 143 8
    within 3 are_sleeping 0
    equal "$(grep -Ec '^mitosis: a[123]: ' err)" 3
}

for test in on_int on_term on_hup to_the_group stubborn twice while_connecting not_begun \
    ignored_in_background blocked_output timeout_kills timeout_of_some timeout_of_the_stubborn \
    timeout_of_the_frozen timeout_with_deserter killed_master stopped_master_is_no_reason \
    killed_context lost_context_is_unreachable killed_guard killed_intermediate; do
    check $test $test
done
finish
