#!/bin/bash
# Brings up all the hosts, checks that each is as README.md says, takes them down and checks that
# nothing is left. Prints `ok NAME` or `not ok NAME`, and why; fails if any is not ok.
# shellcheck disable=SC2016 # much of this is for other shells
# shellcheck source=check.bash
. "$(dirname "$0")/check.bash"

A=$T/sshd-a
B=$T/sshd-b
NET=$T/net
other=
clean_up() {
    [ -z "$other" ] || kill "$other" 2>/dev/null || :
    sshd-down "$A"
    sshd-down "$B"
    net-down "$NET"
}

# between LOW VALUE HIGH
between() {
    echo "$1 <= $2 <= $3 ?"
    [ "$1" -le "$2" ] && [ "$2" -le "$3" ]
}

# ---- sshd -------------------------------------------------------------------------------------

on() {
    timeout 20 ssh -F "$A/ssh_config" "$@"
}

# says HOST SHELL: the host runs a command, with SHELL; its standard output is exactly the answer.
says() {
    local user home
    user=$(awk -v host="$1" '$1 == "Host" { here = $2 == host } here && $1 == "User" { print $2 }' \
        "$A/ssh_config")
    home=$A/home/$1
    [ "$1" != good ] || home=~root
    on "$1" 'pwd; whoami; echo $0; echo "a  b"' >"$W/said" 2>"$W/complained"
    printf '%s\n%s\n%s\na  b\n' "$home" "$user" "$2" | diff - "$W/said"
    diff /dev/null "$W/complained"
}

# fails HOST STATUS TEXT [OPTIONS]
fails() {
    local host=$1 expected=$2 text=$3 status=0
    shift 3
    on "$@" "$host" 'echo reached' >"$W/said" 2>"$W/complained" || status=$?
    cat "$W/said" "$W/complained"
    [ "$status" = "$expected" ]
    grep -q "$text" "$W/said" "$W/complained"
    refused grep -q reached "$W/said"
}

noisy() {
    on noisy 'echo answer' >"$W/said" 2>"$W/complained"
    grep -q '^Welcome to noisy' "$W/said"
    grep -q '^and a line without an end: answer$' "$W/said"
    grep -q 'Authorised use only' "$W/complained"
    grep -q '^and a line on stderr without an end: $' "$W/complained"
}

silent() {
    local status=0
    timeout 1 ssh -F "$A/ssh_config" silent 'echo reached' >"$W/said" 2>&1 || status=$?
    [ "$status" = 124 ]
    [ ! -s "$W/said" ]
}

badshell() {
    fails badshell 3 FIRMWARE
    [ "$(tr -d '\1-\377' <"$W/said" | wc -c)" = 2 ] # NUL bytes
}

busybox_only() {
    [[ $(on busybox 'ls -l "$(which dd)"') == *' -> '*busybox* ]]
}

# Every place, as the host sees it: what becomes of a program put there?
PLACES='
    for place in /dev/shm /run /tmp /var/tmp "$HOME" "$XDG_RUNTIME_DIR" .; do
        file=$place/mt-test-$$
        if ! (: >"$file") 2>/dev/null; then
            echo "no file in $place"
            continue
        fi
        cp /bin/true "$file"
        chmod 755 "$file"
        if "$file" 2>/dev/null; then
            echo "runs in $place"
        else
            echo "no program in $place"
        fi
        rm "$file"
    done'

# places HOST ANSWER
places() {
    on "$1" "$PLACES" >"$W/said"
    cat "$W/said"
    [ "$(wc -l <"$W/said")" = 7 ]
    refused grep -v "^$2 in " "$W/said"
}

through_another() {
    [ "$(on dash "ssh -F $A/ssh_config fish 'echo \$FISH_VERSION'")" = \
        "$(fish -c 'echo $FISH_VERSION')" ]
}

# sshd drops some of so many unless it is told not to.
many_at_once() {
    local i status answers='' pids=()
    for i in {1..25}; do
        on dash 'exit 7' &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        status=0
        wait "$i" || status=$?
        answers="$answers$status"
    done
    [ "$answers" = "$(printf '7%.0s' {1..25})" ]
}

users_below() {
    awk -F: -v home="$1/" 'index($6, home) == 1 { print $1 }' /etc/passwd
}

count_is() {
    echo "$2 lines expected, found:"
    echo "$1"
    [ "$(printf '%s' "$1" | grep -c .)" = "$2" ]
}

# The processes with the mark of a directory in their environment, or its path in their arguments.
processes_of() {
    echo "$1/" >"$W/pattern" # not in the arguments of the grep that looks for it
    grep -lsxzF -- "MT_HOSTS_DIR=$1" /proc/[0-9]*/environ || :
    grep -lsF -f "$W/pattern" /proc/[0-9]*/cmdline || :
}

nothing_left() {
    local left
    left=$(users_below "$1" && processes_of "$1")
    echo "$left"
    [ -z "$left" ]
    [ ! -e "$1" ]
}

refuses_closed_directory() {
    mkdir -m 700 "$T/closed"
    refused sshd-up "$T/closed/sshd" 2>"$W/complained"
    cat "$W/complained"
    grep -q 'other users cannot reach' "$W/complained"
    nothing_left "$T/closed/sshd"
}

# The server dies, then the client; the command on the host, which reads nothing, stays.
lonely_session() {
    local client session command
    rm "$W/said"
    timeout 20 ssh -F "$A/ssh_config" good 'echo $PPID $$; exec sleep 100000' >"$W/said" &
    client=$!
    until [ -s "$W/said" ]; do
        kill -0 "$client"
        sleep 0.02
    done
    kill -KILL "$(cat "$A/sshd.pid")"
    read -r session command <"$W/said"
    [[ "$(tr '\0' ' ' <"/proc/$session/cmdline")" == "sshd: root@"* ]]
    kill "$client"
    wait "$client" || :
    sleep 0.1
    [ "$(tr '\0' ' ' <"/proc/$command/cmdline")" = "sleep 100000 " ]
}

test_sshd() {
    local name
    check "sshd-up" detached sshd-up "$A"
    check "sshd-up once more" detached sshd-up "$A"
    check "one set of users" count_is "$(users_below "$A")" 15
    check "good" says good bash
    for name in dash ksh mksh zsh; do
        check "$name" says "$name" "$name"
    done
    check "busybox" says busybox ash
    check "busybox tools" busybox_only
    check "tcsh" on tcsh 'test $?tcsh = 1'
    check "csh" on csh 'test $?shell = 1'
    check "fish" on fish 'test -n "$FISH_VERSION"; and echo (whoami)'
    check "noisy" noisy
    check "nologin" fails nologin 1 'not available'
    check "badshell" badshell
    check "silent" silent
    check "wrongkey" fails wrongkey 255 'IDENTIFICATION HAS CHANGED'
    check "unknownkey" fails unknownkey 255 'host key is known'
    check "unknownkey, accepted" on -o StrictHostKeyChecking=accept-new unknownkey true
    check "denied" fails denied 255 'Permission denied'
    check "refused" fails refused 255 'Connection refused'
    check "notmp" places notmp 'no file'
    check "noexec" places noexec 'no program'
    check "good runs programs" on good 'cp /bin/true /tmp/mt-$$ && /tmp/mt-$$; s=$?; rm /tmp/mt-$$; exit $s'
    check "one host through another" through_another
    check "25 logins at once" many_at_once

    check "second instance" detached sshd-up "$B" --names good,dash
    check "second instance, users" count_is "$(users_below "$B")" 1
    check "second instance works" timeout 10 ssh -F "$B/ssh_config" dash true
    rm -rf "$B"
    check "sshd-down without its files" detached sshd-down "$B"
    check "second instance is gone" nothing_left "$B"
    check "first instance works" on mksh true
    check "a session outlives its server" lonely_session
    check "sshd-down" detached sshd-down "$A"
    check "sshd is gone" nothing_left "$A"
    check "sshd-down of nothing" detached sshd-down "$A"
    check "unreachable directory" refuses_closed_directory
    check "strange files are kept" keeps_strange_files sshd-up sshd-down "net-up 1 0" net-down
}

# ---- namespaces -------------------------------------------------------------------------------

in_m() {
    net-exec "$NET" m timeout 10 "$@"
}

# rtt FROM TO LOW HIGH: the round trip in microseconds, the best of ten connects
rtt() {
    local best
    best=$(net-exec "$NET" "$1" timeout 10 bash -c '
        best=100000000
        for i in {1..10}; do
            start=${EPOCHREALTIME/./}
            : </dev/tcp/'"$2"'/22
            time=$((${EPOCHREALTIME/./} - start))
            [ $time -ge $best ] || best=$time
        done
        echo $best')
    between "$3" "$best" "$4"
}

hostname_of() {
    [ "$(in_m ssh -F "$NET/ssh_config" "$1" hostname)" = "$1" ]
}

# reaches FROM TO [SECONDS]
reaches() {
    net-exec "$NET" "$1" timeout "${3:-10}" bash -c ": </dev/tcp/$2/22"
}

is_silent() {
    local status=0
    reaches "$1" "$2" 0.4 || status=$?
    [ "$status" = 124 ]
}

# An open connection waits while its host is cut off, and goes on when that is over.
survives_a_cut() {
    local line='' session in out
    coproc SESSION { in_m ssh -F "$NET/ssh_config" h1 cat; }
    session=$SESSION_PID
    out=${SESSION[0]}
    in=${SESSION[1]}
    echo one >&"$in"
    read -r -t 5 line <&"$out"
    [ "$line" = one ]
    net-cut "$NET" h1
    echo two >&"$in"
    refused read -r -t 0.3 line <&"$out"
    net-mend "$NET" h1
    read -r -t 5 line <&"$out"
    [ "$line" = two ]
    eval "exec $in>&-"
    wait "$session"
}

# datagrams_arrive COUNT SIZE LOW HIGH: sent to h1
datagrams_arrive() {
    local before tries=40
    before=$(datagrams)
    in_m bash -c 'printf -v text "%0*d" '"$2"' 0
        for ((i = 0; i < '"$1"'; i++)); do printf %s "$text" >/dev/udp/10.77.0.11/9; done'
    until [ $(($(datagrams) - before)) -ge "$3" ] || [ "$tries" = 0 ]; do
        tries=$((tries - 1))
        sleep 0.05
    done
    sleep 0.4
    between "$3" $(($(datagrams) - before)) "$4"
}

# Those for a port that nobody listens on; field 3 of the second of two lines.
datagrams() {
    net-exec "$NET" h1 awk '/^Udp:/ && ++n == 2 { print $3 }' /proc/net/snmp
}

# Half a million bytes at 8 Mbit/s, from the first on. A busy machine may see the first one late.
takes_half_a_second() {
    in_m bash -c '
        ssh -F "$1" h1 "echo start; head -c 500000 /dev/zero" | {
            read -r
            start=${EPOCHREALTIME/./}
            wc -c
            echo $((${EPOCHREALTIME/./} - start))
        }' sh "$NET/ssh_config" >"$W/said"
    {
        read -r count
        read -r took
    } <"$W/said"
    [ "$count" = 500000 ]
    between 300000 "$took" 5000000
}

no_namespaces() {
    local left
    left=$(ip netns list | grep -e "^$NS-" || :)
    echo "$left"
    [ -z "$left" ]
}

down() {
    check "$1: net-down" detached net-down "$NET"
    check "$1: processes and files are gone" nothing_left "$NET"
    check "$1: namespaces are gone" no_namespaces
}

# test_link KIND
test_link() {
    check "$1: net-up, 40 ms" detached net-up "$NET" 2 40 --link "$1"
    check "$1: the link netns/m" test "$(readlink "$NET/netns/m")" -ef "/run/netns/$NS-m"
    check "$1: round trip, m to h1" rtt m 10.77.0.11 40000 48000
    check "$1: round trip, h1 to m's other host" rtt h1 10.77.0.12 0 8000
    check "$1: host name" hostname_of h2
    check "$1: open connection through a cut" survives_a_cut
    check "$1: net-cut" net-cut "$NET" h1
    check "$1: h1 is silent for m" is_silent m 10.77.0.11
    check "$1: h1 is silent for h2" is_silent h2 10.77.0.11
    check "$1: m is silent for h1" is_silent h1 10.77.0.12
    check "$1: h2 is not cut off" reaches m 10.77.0.12
    check "$1: net-mend" net-mend "$NET" h1
    check "$1: h1 is back" reaches m 10.77.0.11
    down "$1"

    check "$1: net-up, 250 ms" detached net-up "$NET" 1 250 --link "$1" --loss 200
    check "$1: loss of 200 in 1000" datagrams_arrive 500 10 350 450
    down "$1"

    check "$1: net-up, 8 Mbit/s" detached net-up "$NET" 1 5 8000000 --link "$1"
    check "$1: half a second for 500 KB" takes_half_a_second
    check "$1: round trip of 5 ms" rtt m 10.77.0.11 5000 10000
    check "$1: net-up once more, queue of 4000 bytes" \
        detached net-up "$NET" 1 0 800000 --link "$1" --queue 4000
    check "$1: a full queue drops" datagrams_arrive 30 1000 2 22
    down "$1"
}

# link in DIR/link, by hand: ends with its standard input, and on SIGTERM.
link_ends() {
    local started i
    started=$(microseconds)
    sleep 0.3 | timeout 5 "$NET/link" --watch "$NET/netns/h1" x "$NET/netns/h2" x | grep ready
    between 300000 $(($(microseconds) - started)) 4000000

    "$NET/link" "$NET/netns/h1" y "$NET/netns/h2" y >"$W/ready" 2>&1 &
    for ((i = 0; i < 200; i++)); do
        ! grep -q ready "$W/ready" || break
        sleep 0.01
    done
    net-exec "$NET" h2 test -e /sys/class/net/y
    kill $!
    i=0
    wait $! || i=$?
    [ "$i" = 143 ]
    refused net-exec "$NET" h2 test -e /sys/class/net/y
}

# A process in m is not net-down's to end. The namespace's name goes all the same.
guest_is_named() {
    local guest
    net-exec "$NET" m sleep 100000 &
    guest=$!
    sleep 0.1
    refused net-down "$NET" 2>"$W/complained"
    kill "$guest"
    cat "$W/complained"
    grep -q "still running in the namespace m: $guest (sleep)" "$W/complained"
}

test_net() {
    local before
    NS=$(. "$HERE/lib.sh" && set_dir "$NET" && set_namespace && echo "$NS")
    before=$(ip -br link | awk '{ print $1 }')
    test_link user
    if unshare -n tc qdisc add dev lo root netem delay 1ms 2>/dev/null; then
        test_link netem
    else
        echo "# netem is not in this kernel"
    fi
    check "no delay: net-up" detached net-up "$NET" 2 0
    check "no delay: round trip" rtt m 10.77.0.11 0 5000
    check "guest in m" guest_is_named
    down "no delay"
    check "net-up for link by hand" detached net-up "$NET" 2 1 --link user
    check "link ends" link_ends
    down "link by hand"
    check "leftovers" sees_leftovers
    check "no new devices" diff <(echo "$before") <(ip -br link | awk '{ print $1 }')
}

# ---- leftovers --------------------------------------------------------------------------------

sees_leftovers() {
    local one two three image=$T/image
    mkdir -p "$T/below/it"
    touch "$T/below/it/a-mitosis-b" "/tmp/mt-mitosis-$$"
    cp /bin/sleep "$image"
    cp /bin/sleep "$T/other"
    echo >>"$T/other"
    (exec -a "mitosis:root@here:1" sleep 100000) &
    one=$!
    "$image" 100000 &
    two=$!
    "$T/other" 100001 &
    three=$!
    sleep 0.2
    rm "$image" "$T/other"
    leftovers "$T/below" >"$T/all"
    leftovers --image /bin/sleep "$T/below" >"$T/ours"
    kill "$one" "$two" "$three"
    rm -r "$T/below" "/tmp/mt-mitosis-$$"
    wait "$one" "$two" "$three" || :
    leftovers "$T" >"$T/after"
    cat "$T/all"
    grep -q "^process $one [0-9]* sleep mitosis:root@here:1 100000$" "$T/all"
    grep -q "^process $two [0-9]* image " "$T/all"
    grep -q "^process $three [0-9]* other " "$T/all"
    grep -q "^process $two [0-9]* image " "$T/ours"
    refused grep -q "^process $three " "$T/ours"
    grep -qx "file $T/below/it/a-mitosis-b" "$T/all"
    grep -qx "file /tmp/mt-mitosis-$$" "$T/all"
    refused grep -q -e "^process \($one\|$two\|$three\) " -e "/a-mitosis-b" -e "mt-mitosis-$$" \
        "$T/after"
}

# The two halves have nothing in common, and much of their time is waiting.
half sshd test_sshd >"$T/sshd.out" &
other=$!
(half net test_net) || FAILED=$((FAILED + 1))
wait "$other" || FAILED=$((FAILED + 1))
other=
cat "$T/sshd.out"
finish
