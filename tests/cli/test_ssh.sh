#!/bin/bash
# The command over a real sshd: routes, options of hops, shared prefixes, hosts that cannot be had.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2086,SC2154 # scripts for other shells; lists; $status
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "not ok must run as root"; exit 1; }
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

HOSTS=$TOP/tests/hosts
SSH=$WORK/sshd
chmod 755 "$WORK"
"$HOSTS/sshd-up" "$SSH" --names good,dash,noisy,denied,refused,unknownkey,wrongkey,nologin >"$WORK/up" 2>&1 || {
    echo "not ok sshd is up"
    sed 's/^/# /' "$WORK/up"
    exit 1
}
cleanup+=("$HOSTS/sshd-down $SSH")
PORT=$(cat "$SSH/port")
# Options of a hop that make ssh read the hosts' own configuration.
CONFIG="ssh_arg=-F&ssh_arg=${SSH//\//%2F}%2Fssh_config"

logins() {
    grep -c 'Accepted publickey' "$SSH/sshd.log" || :
}

one_host() {
    mitosis run -H "good?$CONFIG" -- sh -c 'echo out; echo err >&2; exit 4'
    expect 1 "good: out" "good: err
mitosis: good: exited with status 4"
    mitosis run -H "dash?$CONFIG" --no-prefix -- id -un
    expect 0 "mt-dash-$PORT" ""
    mitosis run -H "noisy?$CONFIG" --no-prefix -- id -un
    expect 0 "mt-noisy-$PORT" ""
}

hop_options() {
    # Without the configuration file: everything said in the route.
    options="port=$PORT&identity_file=${SSH//\//%2F}%2Fuser_key"
    options+="&ssh_arg=-oUserKnownHostsFile=${SSH//\//%2F}%2Fknown_hosts&ssh_arg=-oHostKeyAlias=mt-good"
    options+="&ssh_arg=-oIdentitiesOnly=yes&ssh_arg=-F&ssh_arg=none&connect_timeout=20"
    mitosis run -H "root@127.0.0.1?$options" -- echo hi
    expect 0 "127.0.0.1: hi" ""
    mitosis run -H "127.0.0.1?username=mt-dash-$PORT&$options" --no-prefix -- id -un
    expect 0 "mt-dash-$PORT" ""
    mitosis run -H "good?$CONFIG&remote_name=gardener" --no-prefix -- \
        sh -c "tr '\\0' ' ' </proc/\$PPID/cmdline"
    grep -q '^mitosis:gardener' out
    # check_host_keys: enforce refuses what is not known, accept takes it.
    mitosis run -H "unknownkey?$CONFIG" -- true
    equal "$status" 3
    mitosis run -H "unknownkey?$CONFIG&check_host_keys=ignore" -- true
    expect 0 "" -
}

hosts_that_cannot_be_had() {
    mitosis run -H "good?$CONFIG" -H "denied?$CONFIG,refused?$CONFIG,wrongkey?$CONFIG,nologin?$CONFIG" \
        -- echo hi
    expect 3 "good: hi"
    for host in denied refused wrongkey nologin; do
        equal "$(grep -c "^mitosis: $host: " err)" 1
    done
    equal "$(wc -l <err)" 4
}

shared_connection() {
    before=$(logins)
    mitosis run --via "good?$CONFIG" -H 'local:a[1-4]' -H "dash?$CONFIG" -- sh -c 'echo $SSH_CONNECTION'
    equal "$status" 0
    equal "$(wc -l <out)" 5
    equal "$(logins)" $((before + 2))
    # The same hop written in two ways, and as a target of its own.
    before=$(logins)
    mitosis run -H "good?$CONFIG/local:a,ssh:good?$CONFIG/local:b,good?$CONFIG" -- echo hi
    expect 0 $'a: hi\nb: hi\ngood: hi' ""
    equal "$(logins)" $((before + 1))
}

chain() {
    mitosis run -H "good?$CONFIG/dash?$CONFIG/local:x" --no-prefix -- id -un
    # The key of the user is readable for that user alone: who logs in from dash is refused by its
    # own key file. So the last hop is local.
    expect 0 "mt-dash-$PORT" ""
    mitosis tree "good?$CONFIG/dash?$CONFIG/local:x" "good?$CONFIG/denied?$CONFIG/local:y"
    equal "$status" 3
    grep -Eq "^\`-- ssh:good +1 +ssh\.good +root@[^ ]+ +[0-9]+ +$(uname -m) +[0-9.]+ ms$" out
    grep -Eq "^    \|-- ssh:dash +[0-9]+ +ssh\.dash +mt-dash-$PORT@" out
    grep -Eq '^    \|   `-- local:x +[0-9]' out
    grep -Eq '^    `-- ssh:denied +.*permission denied' out
    grep -Eq '^        `-- local:y +not reached$' out
}

same_name() {
    mitosis run -H "good?$CONFIG,good?$CONFIG&username=root" -- echo hi
    expect 0 "ssh:good?$CONFIG: hi
ssh:good?username=root&$CONFIG: hi" ""
}

much_output() {
    mitosis run -H "good?$CONFIG/local:x" --no-prefix -- seq 1000000
    equal "$status" 0
    cmp out <(seq 1000000)
}

# Two contexts in a row and one command in each of the last two, with processes in the background.
start_long() {
    new_id
    NAME=mt$BASHPID
    local ssh="$CONFIG&remote_name=$NAME"
    set -m
    "$MITOSIS" run -H "good?$ssh/dash?$ssh,dash?$ssh/local:x?remote_name=$NAME" -- \
        sh -c "sleep $ID & sleep $ID; :" >out 2>err &
    master=$!
    set +m
    within 20 are_sleeping 4
    equal "$(pgrep -c -f "^mitosis:$NAME")" 6 # contexts, and the guards of two commands
}
nothing_left() {
    ! pgrep -f "^mitosis:$NAME" >/dev/null
}

killed_master() {
    start_long
    kill -9 $master
    wait $master || :
    within 5 are_sleeping 0
    within 5 nothing_left
}

control_c() {
    start_long
    kill -INT $master
    status=0
    wait $master || status=$?
    equal $status 130
    are_sleeping 0
    within 5 nothing_left
}

killed_connection() {
    start_long
    ssh=$(pgrep -P $master -x ssh | head -n 1)
    kill -9 $ssh
    within 5 are_sleeping 2
    kill -TERM $master
    wait $master || :
    within 5 are_sleeping 0
    within 5 nothing_left
    equal "$(wc -l <err)" 2
}

for test in one_host hop_options hosts_that_cannot_be_had shared_connection chain same_name \
    much_output killed_master control_c killed_connection; do
    check $test $test
done
finish
