#!/bin/bash
# The command over a network of ten hosts, each in a namespace of its own with a real sshd: two
# hundred contexts at once, a host that is reached through another one alone, a host that is lost.
# shellcheck source=lib.sh
# shellcheck disable=SC2154 # $status
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "not ok must run as root"; exit 1; }
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

HOSTS=$TOP/tests/hosts
NET=$WORK/net
chmod 755 "$WORK"
"$HOSTS/net-up" "$NET" 10 0 >"$WORK/up" 2>&1 || {
    echo "not ok the network is up"
    sed 's/^/# /' "$WORK/up"
    exit 1
}
cleanup+=("$HOSTS/net-down $NET")
# The command itself runs in the namespace m.
cat >"$WORK/in-m" <<END
#!/bin/sh
exec '$HOSTS/net-exec' '$NET' m '$BUILD/mitosis' "\$@"
END
chmod 755 "$WORK/in-m"
MITOSIS=$WORK/in-m
CONFIG="connect_timeout=120&ssh_arg=-F&ssh_arg=${NET//\//%2F}%2Fssh_config"

# What our program left on the hosts, whose files and processes are this machine's: files,
# processes, and connections of each host.
left() {
    local name
    "$HOSTS/leftovers" --image "$BUILD/mitosis-copy" "$WORK" | while read -r kind what rest; do
        [ "$kind" = file ] || cmp -s "/proc/$what/exe" "$BUILD/mitosis-copy" || continue
        echo "$kind $what"
    done
    for name in m h{1..10}; do
        "$HOSTS/net-exec" "$NET" "$name" ss -Htan state established | sed "s/^/$name /"
    done
    ls -A /dev/shm | sed -n 's/^\.mitosis/shm &/p'
}

nothing_left() {
    local found='' _
    for _ in {1..100}; do
        found=$(left)
        [ -n "$found" ] || return 0
        sleep 0.2
    done
    echo "left behind: $found"
    return 1
}

two_hundred_contexts() {
    local routes
    routes=$(for i in {1..10}; do echo "ssh:h$i?$CONFIG/local:c[01-20]"; done)
    echo "$routes" >routes
    mitosis run -f routes --parallel 200 --no-prefix -- hostname
    equal "$status" 0
    equal "$(wc -l <out)" 200
    for i in {1..10}; do
        equal "$(grep -cx "h$i" out)" 20
    done
}

# m has no way to h2 but through h1.
behind_a_bastion() {
    "$HOSTS/net-exec" "$NET" m ip route add unreachable 10.77.0.12
    mitosis run -H "ssh:h2?$CONFIG" -- hostname
    equal "$status" 3
    grep -q 'h2: ' err
    mitosis run -H "ssh:h1?$CONFIG/ssh:h2?$CONFIG" --no-prefix -- hostname
    expect 0 h2 ""
    mitosis run --via "ssh:h1?$CONFIG" -H "ssh:h2?$CONFIG/sudo:/su:root/local:" --no-prefix -- hostname
    expect 0 h2 ""
    "$HOSTS/net-exec" "$NET" m ip route del unreachable 10.77.0.12
}

# The user's own configuration: a jump host, and connections that are shared.
ssh_configuration() {
    {
        printf 'Host jumped\n    HostName 10.77.0.12\n    HostKeyAlias mt-h2\n    ProxyJump h1\n'
        printf 'Host shared\n    HostName 10.77.0.13\n    HostKeyAlias mt-h3\n'
        printf '    ControlMaster auto\n    ControlPath %s/control\n    ControlPersist 3\n' "$NET"
        sed -e '/ControlMaster/d' -e '/ControlPath/d' "$NET/ssh_config"
    } >"$NET/jump_config"
    local config="connect_timeout=120&ssh_arg=-F&ssh_arg=${NET//\//%2F}%2Fjump_config"
    mitosis run -H "ssh:jumped?$config" --no-prefix -- hostname
    expect 0 h2 ""
    mitosis run -H "ssh:shared?$config" --no-prefix -- hostname
    expect 0 h3 -
    test -S "$NET/control"
    mitosis run -H "ssh:shared?$config" --no-prefix -- hostname
    expect 0 h3 -
    "$HOSTS/net-exec" "$NET" m ssh -F "$NET/jump_config" -O exit shared 2>/dev/null || :
}

# sshd's session is killed in the middle of a command: its host fails at once, others go on.
session_killed() {
    local start=$SECONDS pid session
    new_id
    "$MITOSIS" run -H "ssh:h[1-3]?$CONFIG" -- sh -c \
        "[ \$(hostname) != h2 ] || exec sleep $ID; sleep 5; echo done" >out 2>err &
    pid=$!
    within 30 are_sleeping 1
    session=$(pgrep -f -x "sleep $ID")
    while [ "$(cat "/proc/$session/comm")" != sshd ]; do # what is above it
        session=$(awk '/^PPid:/ { print $2 }' "/proc/$session/status")
    done
    kill -KILL "$session"
    status=0
    wait $pid || status=$?
    equal "$status" 3
    grep -q '^h1: done' out
    grep -q '^h3: done' out
    grep -q 'h2' err
    cat err
    [ $((SECONDS - start)) -lt 30 ]
}

check two_hundred_contexts two_hundred_contexts
check behind_a_bastion behind_a_bastion
check ssh_configuration ssh_configuration
check session_killed session_killed
check nothing_left nothing_left # of any of them
finish
