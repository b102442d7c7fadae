#!/bin/bash
# Runs every example as a user would and looks at what it prints.
set -u
T=$(mktemp -d "${TMPDIR:-/tmp}/mt-examples.XXXXXX") || exit 1
HOSTS=$TOP/tests/hosts
trap '"$HOSTS/sshd-down" "$T/sshd"; rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$T"
cd "$T" || exit 1
FAILED=0

# check NAME COMMAND...: ok if it succeeds
check()
{
    local name=$1
    shift
    if "$@" >"$T/said" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/#   /' "$T/said" | head -n 40
        FAILED=1
    fi
}

# run STATUS EXAMPLE ARGUMENT...: leaves what it printed in out and err
run()
{
    local wanted=$1 status=0
    shift
    timeout 60 "$BUILD/examples/$1" "${@:2}" >out 2>err || status=$?
    echo "status $status"
    cat out err
    [ $status -eq "$wanted" ]
}

# said FILE TEXT: exactly that
said()
{
    diff <(printf '%s\n' "${@:2}") "$1"
}

nothing()
{
    [ ! -s "$1" ]
}

# ---- hello ------------------------------------------------------------------------------------

hello()
{
    run 0 hello && nothing out && said err 'local.1: stdout: Hello, world!'
}
check hello hello

hello_error()
{
    MITOSIS_LOG=loud run 1 hello && nothing out &&
        said err 'hello: MITOSIS_LOG=loud: not one of error, warning, info, debug, io'
}
check hello-shows-an-error hello_error

# ---- demo -------------------------------------------------------------------------------------

# demo_ran OUT: what it prints is whole, and none of the processes it names is there any more
demo_ran()
{
    local pid
    grep -qx 'pid [0-9]* grows a tree of 9 copies of itself' "$1" &&
        [ "$(grep -c '^    local\.[0-9]*: stdout: I am pid [0-9]* and start at [0-8]00000$\|start at 0$' "$1")" -eq 9 ] &&
        [ "$(grep -c '^    local\.[0-9]*: found [0-9]* primes$' "$1")" -eq 9 ] &&
        grep -qx '71274 primes below 900000' "$1" &&
        [ "$(grep -c '^+- local\.[0-9]*, pid [0-9]*$' "$1")" -eq 3 ] &&
        [ "$(grep -c '^|  +- local\.[0-9]*, pid [0-9]*$' "$1")" -eq 6 ] &&
        [ "$(tail -n 1 "$1")" = 'all ended; processes and files that stayed behind: 0' ] || return 1
    for pid in $(sed -n 's/.*local.*, pid //p' "$1"); do
        ! kill -0 "$pid" 2>/dev/null || return 1
    done
}

demo()
{
    run 0 demo && nothing err && demo_ran out
}
check demo demo

demo_twice()
{
    local first second status=0
    timeout 60 "$BUILD/examples/demo" >one 2>&1 &
    first=$!
    timeout 60 "$BUILD/examples/demo" >two 2>&1 &
    second=$!
    wait $first || status=1
    wait $second || status=1
    cat one two
    [ $status -eq 0 ] && demo_ran one && demo_ran two
}
check demo-twice-at-once demo_twice

# The demo is to notice: it grows no tree when it cannot start a process, and says so.
demo_fails()
{
    (ulimit -n 8 && run 1 demo) && grep -q '^demo: ' err
}
check demo-fails-when-it-must demo_fails

demo_is_short()
{
    wc -l "$TOP/examples/demo.c"
    [ "$(wc -l <"$TOP/examples/demo.c")" -le 150 ]
}
check demo-is-short demo_is_short

# ---- the others -------------------------------------------------------------------------------

channel()
{
    run 0 channel && nothing err && said out '1000 squares, their sum is 333833500'
}
check channel channel

recursion()
{
    run 0 recursion && nothing err &&
        said out 'master > local.1 > local.2 > local.3 > local.4'
}
check recursion recursion

recursion_deep()
{
    run 0 recursion 12 && nothing err && [ "$(grep -o local out | wc -l)" -eq 12 ]
}
check recursion-deep recursion_deep

eventloop()
{
    printf 'one\ntwo\nthree\n' >in
    run 0 eventloop <in && nothing err && said out ONE TWO THREE
}
check eventloop eventloop

# The end of the input is not the end of the answers, and a slow writer does not hold them up.
mkfifo in.pipe
eventloop_pipe()
{
    local status=0
    (
        for ((i = 1; i <= 200; i++)); do
            echo "line $i"
            [ $i -ne 100 ] || sleep 0.2
        done
    ) >in.pipe &
    run 0 eventloop <in.pipe || status=1
    wait $!
    [ $status -eq 0 ] && nothing err && diff <(seq -f 'LINE %g' 200) out
}
check eventloop-slow-writer eventloop_pipe

# map COPIES
map()
{
    run 0 map "$1" && nothing err && [ "$(head -n 1 out)" = '837799 takes 524 steps' ] &&
        [ "$(grep -c '^local\.[0-9]* did [0-9]* pieces$' out)" -eq "$1" ] &&
        [ "$(awk '/did/ { n += $3 } END { print n }' out)" -eq 50 ]
}
check map map 4
check map-one map 1

map_usage()
{
    run 2 map 0 && nothing out && said err 'map: 1 to 64 copies'
}
check map-usage map_usage

# ---- become -----------------------------------------------------------------------------------

# A sudo that asks, and only the right word is good for: the real one asks root for nothing.
mkdir asking
cat >asking/sudo <<'END'
#!/bin/sh
prompt=
while [ "$1" != -- ]; do
    [ "$1" != -p ] || prompt=$2
    shift
done
shift
printf '%s ' "$prompt" >/dev/tty
read -r word </dev/tty
[ "$word" = 'open sesame' ] && exec "$@"
echo 'sudo: 1 incorrect password attempt' >/dev/tty
exit 1
END
chmod 755 asking/sudo

become()
{
    run 0 become && nothing err && grep -qx 'sudo.root: uid 0, pid [0-9]*' out
}
check become become

become_without_terminal()
{
    PATH=$T/asking:$PATH run 1 become && nothing out &&
        grep -q '^become: no_password: sudo.root: a password is asked for, ' err
}
check become-without-terminal become_without_terminal

# become_typing WORD: on a terminal, as soon as it asks; what that shows is in screen
become_typing()
{
    local status=0
    rm -f screen
    (
        for _ in $(seq 100); do
            ! grep -qs "Password for sudo: " screen || break
            sleep 0.1
        done
        echo "$1"
    ) | PATH=$T/asking:$PATH timeout 60 script -qefc "$BUILD/examples/become" screen >/dev/null ||
        status=$?
    echo "status $status"
    cat screen
    ! grep -q "$1" screen && return $status
}

become_asks()
{
    become_typing 'open sesame' && tr -d '\r' <screen | grep -qx 'sudo.root: uid [0-9]*, pid [0-9]*'
}
check become-asks-for-the-password become_asks

become_wrong()
{
    ! become_typing 'open barley' && tr -d '\r' <screen | grep -q '^become: password: sudo.root: '
}
check become-wrong-password become_wrong

# ---- ssh --------------------------------------------------------------------------------------

"$HOSTS/sshd-up" "$T/sshd" --names good,dash,fish,denied,refused >"$T/up" 2>&1
check sshd-up test -s "$T/sshd/port"
mkdir bin
printf '#!/bin/sh\nexec %s -F %s/sshd/ssh_config "$@"\n' "$(command -v ssh)" "$T" >bin/ssh
chmod 755 bin/ssh

inventory()
{
    local kernel
    kernel="$(uname -s) $(uname -r) $(uname -m) up [0-9]* min"
    PATH=$T/bin:$PATH run 0 ssh_inventory good dash fish && nothing err &&
        [ "$(wc -l <out)" -eq 3 ] && grep -qx "good  *$kernel" out &&
        grep -qx "dash  *$kernel" out && grep -qx "fish  *$kernel" out
}
check ssh-inventory inventory

inventory_errors()
{
    PATH=$T/bin:$PATH run 1 ssh_inventory denied good refused -oProxyCommand=id && nothing err &&
        [ "$(wc -l <out)" -eq 4 ] && grep -q '^denied  *permission: ssh.denied: ' out &&
        grep -q '^refused  *refused: ssh.refused: ' out && grep -q '^good .* up ' out &&
        grep -q '^-oProxyCommand=id  *ssh: not a hostname$' out
}
check ssh-inventory-errors inventory_errors

become_there()
{
    PATH=$T/bin:$PATH run 0 become good && nothing err &&
        grep -qx 'sudo.root: uid 0, pid [0-9]*' out &&
        PATH=$T/bin:$PATH run 0 become good "$(id -un 65534)" && nothing err &&
        grep -qx "sudo.$(id -un 65534): uid 65534, pid [0-9]*" out
}
check become-behind-ssh become_there

# eventually COMMAND: the far ends go by themselves when the connection does, soon, not at once.
eventually()
{
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ! "$@" || return 0
        sleep 0.5
    done
    return 1
}

no_copy_runs()
{
    local exe
    for exe in /proc/[0-9]*/exe; do
        case $(readlink "$exe" 2>/dev/null) in *'(deleted)')
            ! cmp -s "$exe" "$BUILD/examples/ssh_inventory" || return 1
            ! cmp -s "$exe" "$BUILD/examples/become" || return 1
            ;;
        esac
    done
}
check ssh-no-process-stays eventually no_copy_runs

no_file_is_there()
{
    [ -z "$(find "$T/sshd/home" /dev/shm /run /tmp /var/tmp -maxdepth 2 -newer "$T/up" \
        -name '.mitosis-*' 2>/dev/null)" ]
}
check ssh-no-file-stays eventually no_file_is_there

exit $FAILED
