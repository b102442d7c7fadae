#!/bin/bash
# Routes through other accounts and containers, and passwords that are asked for. Tools that are not
# everywhere, or would need accounts and containers, are stood in for by scripts.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2154 # scripts for other shells; $status
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "not ok must run as root"; exit 1; }
export NO_COLOR=1

# What is run through it finds its name in $THROUGH; all of its arguments but the shell's are put
# into ./args.
BIN=$WORK/bin
mkdir "$BIN" || exit 2
cat >"$BIN/sudo" <<'EOF'
#!/bin/sh
export THROUGH="$THROUGH ${0##*/}"
arguments=${0##*/}
while [ "$1" != sh ]; do
    arguments="$arguments $1"
    shift
done
echo "$arguments" >>args
exec "$@"
EOF
for tool in doas docker podman buildah kubectl lxc-attach lxc incus jexec; do
    cp "$BIN/sudo" "$BIN/$tool"
done

# These ask on the terminal, without echo, as the real ones do.
cat >"$BIN/asking" <<'EOF'
#!/bin/sh
# asking PROMPT PASSWORD
stty -echo </dev/tty || exit 99
for attempt in 1 2 3; do
    printf '%s' "$1" >/dev/tty
    IFS= read -r given </dev/tty || exit 98
    echo >/dev/tty
    [ "$given" != "$2" ] || exit 0
    echo "Sorry, try again." >/dev/tty
done
exit 1
EOF
cat >"$BIN/asking-sudo" <<'EOF'
#!/bin/sh
[ "$1" = -p ] || exit 97
"${0%/*}/asking" "$2" 'geh eim' || { echo "sudo: 3 incorrect password attempts" >&2; exit 1; }
while [ "$1" != sh ]; do shift; done
exec "$@"
EOF
cat >"$BIN/asking-ssh" <<'EOF'
#!/bin/sh
while [ "$1" != -- ]; do shift; done
"${0%/*}/asking" "root@$2's password: " login || { echo "Permission denied (password)." >&2; exit 255; }
exec sh -c "$3"
EOF
chmod 755 "$BIN"/*
AT=${BIN//\//%2F}%2F
SUDO="sudo:?sudo_path=${AT}sudo"
ASKING="sudo:?sudo_path=${AT}asking-sudo"

# on_terminal [--keys KEYS AFTER]... COMMAND...: what appears on the terminal is left in ./out.
on_terminal() {
    status=0
    python3 "$TOP/tests/cli/on_terminal.py" "$@" >raw 2>err || status=$?
    tr -d '\r' <raw >out
}

accounts() {
    mitosis run -H "local:a/$SUDO&set_home=yes&sudo_arg=-g&sudo_arg=wheel" -- sh -c 'echo "$(id -un)$THROUGH"'
    expect 0 "a: root sudo" ""
    equal "$(cat args)" "sudo -g wheel -p [mitosis] password: -u root -H --"
    mitosis run -H "$SUDO/doas:ci?doas_path=${AT}doas/su:" -- sh -c 'echo $THROUGH'
    expect 0 "root: sudo doas" ""
    grep -qx -- 'doas -u ci --' args
    mitosis run -H "local:/su:" -- id -un
    expect 0 "local: root" ""
}

containers() {
    local route expected
    while read -r route expected; do
        rm -f args
        mitosis run --no-prefix -H "$route" -- sh -c 'echo $THROUGH'
        expect 0 "${expected%% *}" ""
        equal "$(cat args)" "$expected"
    done <<EOF
docker:app@web?docker_path=${AT}docker&docker_arg=-H&docker_arg=x docker -H x exec --interactive --user app web
podman:web?podman_path=${AT}podman podman exec --interactive web
buildah:0@c?buildah_path=${AT}buildah&buildah_arg=--isolation%3Dchroot buildah run --isolation=chroot --user 0 -- c
kubectl:pod?namespace=x&container=y&kubectl_path=${AT}kubectl kubectl exec --stdin --namespace x --container y pod --
lxc:build?lxc_attach_path=${AT}lxc-attach&lxc_arg=-P&lxc_arg=%2Fv lxc-attach --clear-env -P /v --name build --
lxd:c1?lxc_path=${AT}lxc lxc exec --mode=non-interactive c1 --
incus:c1?incus_path=${AT}incus incus exec --mode=non-interactive c1 --
jail:www@7?jexec_path=${AT}jexec jexec -U www 7
EOF
    mitosis run -H "docker:?image=img&docker_path=${AT}docker" -- sh -c 'echo $THROUGH'
    expect 0 "img: docker" ""
    grep -q '^docker run .*img' args
    mitosis run -H "local:/lxc:build?lxc_attach_path=${AT}lxc-attach/$SUDO" -- sh -c 'echo $THROUGH'
    expect 0 "build: lxc-attach sudo" ""
}

namespaces() {
    new_id
    unshare -m -u sh -c "hostname inside; exec sleep $ID" &
    local pid=$!
    within 10 are_sleeping 1
    mitosis run -H "local:/setns:$pid" -- hostname
    expect 0 "$pid: inside" ""
    mitosis tree "setns:$pid"
    grep -Eq "^\`-- setns:$pid +1 .* root@inside " out
    kill "$pid"
    wait "$pid" || :
}

sudo_everywhere() {
    PATH=$BIN:$PATH mitosis run --local 2 --sudo -- sh -c 'echo $THROUGH'
    expect 0 $'local1: sudo\nlocal2: sudo' ""
    rm args
    PATH=$BIN:$PATH mitosis run --via local: -H local:a,local:b/su: '--sudo=ci?login=yes' -- true
    expect 0 "" ""
    equal "$(sort -u args)" "sudo -p [mitosis] password: -u ci -i --"
    # Only what is behind a '=' is the account.
    PATH=$BIN:$PATH mitosis run --local 1 --sudo echo hi
    expect 0 "local1: hi" ""
    mitosis run -H "local:a,local:b/sudo:?sudo_path=${AT}none" -- echo hi
    expect 3 "a: hi"
    grep -q '^mitosis: b: ' err
}

tree() {
    PATH=$BIN:$PATH mitosis tree --sudo=ci "local:/docker:web?docker_path=${AT}docker" "sudo:?sudo_path=${AT}none"
    equal "$status" 3
    grep -Eq "^\|-- local:local +[0-9]+ +local\.[^ ]+ +root@" out
    grep -Eq "^\|   \`-- docker:web +[0-9]+ +docker\.web +root@$(hostname) +[0-9]+ +$(uname -m) +[0-9.]+ ms$" out
    grep -Eq "^\|       \`-- sudo:ci +[0-9]+ +sudo\.ci +root@" out
    grep -Eq "^\`-- sudo:root +sudo\.root: " out
    grep -Eq "^    \`-- sudo:ci +not reached$" out
    # An image's name, and no other option.
    mitosis tree "docker:?image=img&docker_path=${AT}docker"
    equal "$status" 0
    grep -Eq "^\`-- docker:img +1 +docker\.img " out
}

# ---- passwords --------------------------------------------------------------------------------

QUESTION="Password for sudo, su, doas: "
ask=(--keys 'geh eim\r' "$QUESTION")

asked_once() {
    on_terminal "${ask[@]}" "$MITOSIS" run --ask-pass -H "local:a/$ASKING,local:b/$ASKING,$ASKING" -- id -un
    expect 0
    equal "$(head -n 1 out)" "$QUESTION"
    equal "$(tail -n +2 out | sort)" $'a: root\nb: root\nroot: root'
    on_terminal "${ask[@]}" "$MITOSIS" tree --ask-pass "local:a/$ASKING"
    equal "$status" 0
    grep -q 'sudo:root .* root@' out
    # A hop that does not ask is told nothing.
    on_terminal "${ask[@]}" "$MITOSIS" run --ask-pass -H "local:a/$SUDO" -- id -un
    equal "$(cat out)" "$QUESTION"$'\na: root'
}

nowhere_to_be_seen() {
    MITOSIS_LOG=io on_terminal "${ask[@]}" "$MITOSIS" run --ask-pass --json -H "local:a/local:b/$ASKING" -- \
        sh -c 'tr "\0" "\n" </proc/$PPID/cmdline; tr "\0" "\n" </proc/$PPID/environ'
    equal "$status" 0
    grep -q '"host":"b"' out
    equal "$(grep -c 'geh.eim' out || :)" 0
}

wrong_password() {
    on_terminal --keys 'guess\r' "$QUESTION" "$MITOSIS" run --ask-pass -H "local:a/$ASKING" -- id -un
    equal "$status" 3
    equal "$(grep -c '^mitosis: a: .*sudo.root: wrong password' out)" 1
    equal "$(grep -c guess out || :)" 0
    # None at all.
    mitosis run -H "local:a/$ASKING" -- id -un
    equal "$status" 3
    grep -q '^mitosis: a: .* a password is asked for, and none was given' err
}

# Each goes where it belongs.
ssh_and_sudo() {
    local route="gate?ssh_path=${AT}asking-ssh/$ASKING" login=(--keys 'login\r' 'Password for ssh: ')
    on_terminal "${login[@]}" "${ask[@]}" "$MITOSIS" run --ask-pass --ask-ssh-pass -H "$route" -- id -un
    equal "$(cat out)" "Password for ssh: "$'\n'"$QUESTION"$'\ngate: root'
    on_terminal "${login[@]}" "$MITOSIS" run --ask-ssh-pass -H "$route" -- id -un
    equal "$status" 3
    grep -q 'sudo.root: a password is asked for, and none was given' out
    on_terminal --keys 'geh eim\r' 'Password for ssh: ' "$MITOSIS" tree --ask-ssh-pass "${route%%/*}"
    equal "$status" 3
    grep -q 'ssh.gate: wrong password' out
}

# answered KEYS STATUS ERROR: nothing is started, the terminal is as it was before, and nothing of
# what was typed is left for who reads it next.
answered() {
    on_terminal --keys "$1" "$QUESTION" bash -c '
        trap : INT
        stty -a </dev/tty >before
        "$@" && status=0 || status=$?
        stty -a </dev/tty >after
        IFS= read -r -t 0.2 left </dev/tty
        echo "status $status left <$left>"' - "$MITOSIS" run --ask-pass -H "local:/$ASKING" -- touch started
    equal "$(sed 's/\^C//' out)" "$QUESTION
${3:+mitosis: --ask-pass: $3
}status $2 left <>"
    [ ! -e started ]
    grep -qw -- echo before
    cmp before after
}

bad_answers() {
    answered '\r' 2 "empty password"
    answered '\x04' 2 "no password was given"
    answered 'x\x1b[A\r' 2 "control character in password"
    answered 'x\x00y\r' 2 "control character in password"
    answered '\xff\r' 2 "password is not UTF-8"
    answered "$(printf '%01200d' 0)\\r" 2 "a password of more than 1000 bytes"
}

interrupted() {
    answered '\x03' 130 ""
    answered 'geh\x03' 130 ""
    # These keys would stop us, or leave a core file behind.
    answered '\x1a\x1c\r' 2 "control character in password"
}

no_terminal() {
    status=0
    setsid -w "$MITOSIS" run --ask-pass -H "local:/$ASKING" -- touch started >out 2>err </dev/null || status=$?
    expect 2 "" "mitosis: --ask-pass: no terminal to ask for a password on: No such device or address"
    [ ! -e started ]
}

# Standard input is the list of hosts: it is the terminal that is asked.
hosts_from_stdin() {
    on_terminal "${ask[@]}" sh -c "printf '%s\\n' 'local:a/$ASKING' | \"\$@\"" - \
        "$MITOSIS" run --ask-pass -f - -- id -un
    equal "$(cat out)" "$QUESTION"$'\na: root'
}

for test in accounts containers namespaces sudo_everywhere tree asked_once nowhere_to_be_seen \
    wrong_password ssh_and_sudo bad_answers interrupted no_terminal hosts_from_stdin; do
    check $test $test
done
finish
