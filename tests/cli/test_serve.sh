#!/bin/bash
# mitosis serve: contexts that stay open for later commands, and what ends when who ends.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2154 # scripts for other shells; $status
. "$(dirname "$0")/lib.sh"

SERVER=
end_server() {
    [ -z "$SERVER" ] || kill "$SERVER" 2>/dev/null
}
cleanup+=(end_server)

until_true() { # up to 20 s
    local i
    for ((i = 0; i < 400; i++)); do
        "$@" && return
        sleep 0.05
    done
    echo "never: $*"
    return 1
}

serve() {
    "$MITOSIS" serve "$@" >server.out 2>server.err &
    SERVER=$!
    until_true test -S socket
}

end_well() {
    kill -s "$1" "$SERVER"
    wait "$SERVER"
    equal "$?" 0
    equal "$(cat server.err)" ""
    [ ! -e socket ]
}

# The process that is the context: the parent of the one that guards the command.
context_pid='ps -o ppid= -p $PPID'

reuses_contexts() {
    serve socket
    mitosis run --connect socket -H 'local:a/local:b' --no-prefix -- sh -c "$context_pid"
    equal "$status" 0
    local first
    first=$(cat out)
    mitosis run --connect socket -H 'local:a/local:b' --no-prefix -- sh -c "$context_pid"
    equal "$status" 0
    equal "$(cat out)" "$first"
    mitosis run --connect socket -H 'local:a/local:c' --no-prefix -- sh -c "$context_pid"
    [ "$(cat out)" != "$first" ]
    mitosis tree --connect socket local:a/local:b
    equal "$status" 0
    grep -q "pid ${first// /}\b" out || grep -q "${first// /}" out
    kill "${first// /}" # one that is gone is opened anew
    until_true sh -c '! kill -0 "$1" 2>/dev/null' - "${first// /}"
    mitosis run --connect socket -H 'local:a/local:b' --no-prefix -- sh -c "$context_pid"
    equal "$status" 0
    [ "$(cat out)" != "$first" ]
    end_well TERM
}

# Counts connections in place of ssh.
one_connection() {
    cat >ssh <<'END'
#!/bin/sh
echo connected >>"$(dirname "$0")/connections"
while [ $# -gt 1 ]; do
    shift
done
exec sh -c "$1"
END
    chmod 755 ssh
    local ssh
    ssh=$(pwd | sed 's|/|%2F|g')%2Fssh
    serve socket
    for i in 1 2 3; do
        mitosis run --connect socket -H "web[1-2]?ssh_path=$ssh" -- echo "$i"
        equal "$status" 0
        grep -q "^web2: *$i" out
    done
    equal "$(wc -l <connections)" 2
    end_well TERM
}

one_server() {
    serve socket
    mitosis serve socket
    equal "$status" 2
    equal "$(cat err)" "mitosis: socket: another program listens there"
    mitosis run --connect socket --local 1 -- true
    equal "$status" 0
    kill -KILL "$SERVER"
    wait "$SERVER" || true
    [ -S socket ] # stale: nobody was there to remove it
    mitosis run --connect socket --local 1 -- true
    equal "$status" 3
    grep -q 'mitosis: socket: nobody listens there' err
    "$MITOSIS" serve socket >server.out 2>server.err &
    SERVER=$!
    until_true "$MITOSIS" run --connect socket --local 1 -- true 2>/dev/null
    end_well HUP
}

idle() {
    serve --idle-timeout 4 socket
    mitosis run --connect socket --local 1 -- sleep 4.5
    equal "$status" 0
    kill -0 "$SERVER"
    wait "$SERVER"
    equal "$?" 0
    [ ! -e socket ]
}

# A command ends with who asked for it, however that ends; the server and its contexts stay.
client_dies() {
    serve socket
    "$MITOSIS" run --connect socket -H local:x -- sh -c 'echo $$ >pid; exec sleep 1000' &
    local client=$!
    until_true test -s pid
    kill -KILL "$client"
    wait "$client" 2>/dev/null || true
    until_true sh -c '! kill -0 "$(cat pid)" 2>/dev/null'
    mitosis run --connect socket -H local:x -- true
    equal "$status" 0
    end_well TERM
}

server_dies() {
    serve socket
    "$MITOSIS" run --connect socket -H local:x -- sh -c 'echo $$ >pid; exec sleep 1000' \
        >client.out 2>client.err &
    local client=$! result=0
    until_true test -s pid
    kill -KILL "$SERVER"
    wait "$client" || result=$?
    equal "$result" 3
    until_true sh -c '! kill -0 "$(cat pid)" 2>/dev/null'
    rm socket
}

usage() {
    refused "no path to listen on" serve
    refused "more than one path" serve a b
    refused "--idle-timeout: bad number of seconds '0'" serve --idle-timeout 0 a
    refused "option --idle-timeout needs a value" serve --idle-timeout
    refused "unknown option --fly" serve --fly a
    refused "--connect is given twice" run --connect a --connect b --local 1 true
    refused "/no/such/place/socket: bind: No such file or directory" serve /no/such/place/socket
    mitosis serve --help
    equal "$status" 0
    mitosis run --connect nothing --local 1 -- true
    equal "$status" 3
    grep -q 'mitosis: nothing: nobody listens there' err
}

check reuses_contexts reuses_contexts
check one_connection one_connection
check one_server one_server
check idle idle
check client_dies client_dies
check server_dies server_dies
check usage usage
finish
