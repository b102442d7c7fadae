#!/bin/bash
# Brings up a box, checks that its accounts and tools are as README.md says, takes it down and
# checks that this machine is as before. Prints `ok NAME` or `not ok NAME`, and why; fails if any is
# not ok.
# shellcheck disable=SC2016,SC2028 # much of this is for other shells, or Python's way to write text
# shellcheck source=check.bash
. "$(dirname "$0")/check.bash"

A=$T/box-a
B=$T/box-b
other=
clean_up() {
    [ -z "$other" ] || kill "$other" 2>/dev/null || :
    box-down "$A"
    box-down "$B"
}
cd /

same() {
    printf 'expected: %s\nhere:     %s\n' "$2" "$1"
    [ "$1" = "$2" ]
}

# says EXPECTED OPTIONS-OF-on-tty...: what on-tty tells, but for the time
says() {
    local expected=$1 told
    shift
    told=$(on-tty "$@")
    same "${told% ms=*}" "$expected"
}

# as USER HOW ANSWERS EXPECTED COMMAND...: in the box. Answers are separated by "|"; without a
# terminal they are lines of its input.
as() {
    local user=$1 how=$2 answers=$3 expected=$4 answer options=()
    shift 4
    if [ "$how" = none ]; then
        options=(--stdin "${answers//|/$'\n'}")
    else
        while [ -n "$answers" ]; do
            answer=${answers%%|*}
            answers=${answers#"$answer"}
            answers=${answers#|}
            options+=(--answer "$answer")
        done
    fi
    says "$expected" --how "$how" "${options[@]}" box-exec "$A" --user "$user" "$@"
}

# logs_in HOST ANSWERS EXPECTED [SSH-OPTION]...
logs_in() {
    local host=$1 answers=$2 expected=$3 answer options=()
    shift 3
    while [ -n "$answers" ]; do
        answer=${answers%%|*}
        answers=${answers#"$answer"}
        answers=${answers#|}
        options+=(--answer "$answer")
    done
    says "$expected" --how only "${options[@]}" ssh -F "$A/ssh_config" "$@" "$host" 'id -un'
}

# refuses HOST TEXT COMMAND: ssh's standard error has the text.
refuses() {
    local status=0
    ssh -F "$A/ssh_config" "$1" true 2>"$W/complained" || status=$?
    cat "$W/complained"
    [ "$status" = 255 ]
    grep -q "$2" "$W/complained"
}

test_sudo() {
    local ask='[sudo] password for'
    check "sudo" as admin only admin-pw \
        "tty='$ask admin: \r\n' stdout='root\n' stderr='' status=0" sudo id -un
    check "sudo, three wrong" as admin only 'a|b|c' \
        "tty='$ask admin: \r\nSorry, try again.\r\n$ask admin: \r\nSorry, try again.\r\n$ask admin: \r\n' stdout='' stderr='sudo: 3 incorrect password attempts\n' status=1" \
        sudo id
    check "sudo, wrong, right" as admin only 'a|admin-pw' \
        "tty='$ask admin: \r\nSorry, try again.\r\n$ask admin: \r\n' stdout='root\n' stderr='' status=0" \
        sudo id -un
    check "sudo -n" as admin none '' \
        "tty='' stdout='' stderr='sudo: a password is required\n' status=1" sudo -n id
    check "sudo without a terminal" as admin none '' \
        "tty='' stdout='' stderr='sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper\nsudo: a password is required\n' status=1" \
        sudo id
    check "sudo -S, and the rest is the command's" as admin none 'admin-pw|REST' \
        "tty='' stdout='REST' stderr='$ask admin: ' status=0" sudo -S cat
    check "sudo -u" as admin only admin-pw \
        "tty='$ask admin: \r\n' stdout='target\n' stderr='' status=0" sudo -u target id -un
    check "nopw" as nopw none '' "tty='' stdout='root\n' stderr='' status=0" sudo -n id -un
    check "nosudo" as nosudo only nosudo-pw \
        "tty='$ask nosudo: \r\n' stdout='' stderr='nosudo is not in the sudoers file.\nThis incident has been reported to the administrator.\n' status=1" \
        sudo id
    check "limited" as limited only limited-pw \
        "tty='$ask limited: \r\n' stdout='' stderr=\"Sorry, user limited is not allowed to execute '/usr/bin/id' as root on box.\n\" status=1" \
        sudo id
    check "sudo, unknown user" as nopw none '' \
        "tty='' stdout='' stderr='sudo: unknown user nobodyhere\nsudo: error initializing audit plugin sudoers_audit\n' status=1" \
        sudo -u nobodyhere id
    check "sudo, expired" as expired only expired-pw \
        "tty='$ask expired: \r\n' stdout='' stderr='sudo: account validation failure, is your account locked?\nsudo: a password is required\n' status=1" \
        sudo id
    check "tty without one" as tty none tty-pw \
        "tty='' stdout='' stderr='sudo: sorry, you must have a tty to run sudo\n' status=1" sudo -S id
    check "tty" as tty only tty-pw \
        "tty='$ask tty: \r\n' stdout='root\n' stderr='' status=0" sudo id -un
    check "usepty" as usepty only usepty-pw \
        "tty='$ask usepty: \r\n' stdout='root\n' stderr='' status=0" sudo id -un
    check "feedback" as feedback only feedback-pw \
        "tty='$ask feedback: ***********$(printf '\\x08 \\x08%.0s' {1..11})\r\n' stdout='root\n' stderr='' status=0" \
        sudo id -un
    check "german" as german only german-pw \
        "tty='[sudo] Passwort für german: \r\n' stdout='root\n' stderr='' status=0" sudo id -un
    check "tpw" as tpw only root-pw \
        "tty='$ask root: \r\n' stdout='root\n' stderr='' status=0" sudo id -un
    check "logout" as logout none 'logout-pw|REST' \
        "tty='' stdout='REST' stderr='$ask logout: ' status=0" sudo -S cat
    check "logout logs" test -e "$A/iolog/00/00/01"
    check "odd" as odd only "$MT_PW_odd" \
        "tty='$ask odd: \r\n' stdout='root\n' stderr='' status=0" sudo id -un
    check "twofactor" as twofactor only 'twofactor-pw|123456' \
        "tty='$ask twofactor: \r\nA second step is needed.\r\nVerification code: 123456\r\n' stdout='root\n' stderr='' status=0" \
        sudo id -un
    check "mustchange" as mustchange none 'mustchange-pw' \
        "tty='' stdout='Changing password for mustchange.\n' stderr='$ask mustchange: sudo: Account or password is expired, reset your password and try again\nCurrent password: \nsudo: no password was provided\nsudo: unable to change expired password: Authentication token manipulation error\nsudo: a password is required\n' status=1" \
        sudo -S id
    check "lectured" lectured
}

lectured() {
    box-exec "$A" --user lectured sudo -S id -un <<<lectured-pw >"$W/said" 2>"$W/complained"
    cat "$W/said" "$W/complained"
    grep -qx root "$W/said"
    grep -q 'the usual lecture' "$W/complained"
}

test_su() {
    check "su" as caller all target-pw \
        "tty='Password: \r\ntarget\r\n' stdout='' stderr='' status=0" su target -c 'id -un'
    check "su from a pipe" as caller none 'target-pw|REST' \
        "tty='' stdout='REST' stderr='Password: ' status=0" su target -c cat
    check "su, wrong" as caller all bad \
        "tty='Password: \r\nsu: Authentication failure\r\n' stdout='' stderr='' status=1" su target
    check "su, unknown user" as caller none '' \
        "tty='' stdout='' stderr='su: user nobodyhere does not exist or the user entry does not contain all the required fields\n' status=1" \
        su nobodyhere
    check "locked" as caller none locked-pw \
        "tty='' stdout='' stderr='Password: su: Authentication failure\n' status=1" su locked
    check "expired" as caller none expired-pw \
        "tty='' stdout='' stderr='Password: Your account has expired; please contact your system administrator.\nsu: Authentication failure\n' status=1" \
        su expired
    check "noshell" as caller none noshell-pw \
        "tty='' stdout='This account is currently not available.\n' stderr='Password: ' status=1" \
        su noshell -c id
    check "badpath" as caller none badpath-pw \
        "tty='' stdout='/nonexistent:/bin\n' stderr='Password: ' status=0" \
        su badpath -c 'echo $PATH'
    check "fishy" as caller none fishy-pw \
        "tty='' stdout='fishy\n' stderr='Password: ' status=0" \
        su fishy -c 'test -n "$FISH_VERSION"; and id -un'
    check "cshy" as caller none cshy-pw \
        "tty='' stdout='' stderr='Password: ' status=0" su cshy -c 'test $?tcsh = 1'
    check "slow" slow
}

# Whole seconds: what PAM makes it wait is 2 s, by chance up to half of it more or less.
slow() {
    local start=$SECONDS
    refused box-exec "$A" --user caller su slow -c true <<<bad
    [ $((SECONDS - start)) -ge 1 ]
}

test_doas() {
    check "doas" as caller only caller-pw \
        "tty='\rdoas (caller@box) password: \r\n' stdout='root\n' stderr='' status=0" doas id -un
    check "doas -u" as caller only caller-pw \
        "tty='\rdoas (caller@box) password: \r\n' stdout='target\n' stderr='' status=0" \
        doas -u target id -un
    check "doas, wrong" as caller only bad \
        "tty='\rdoas (caller@box) password: \r\n' stdout='' stderr='doas: Authentication failed\n' status=1" \
        doas id
    check "doas without a terminal" as caller none caller-pw \
        "tty='' stdout='' stderr='doas: Authentication failed\n' status=1" doas id
    check "doas -n" as caller none '' \
        "tty='' stdout='' stderr='doas: Authentication required\n' status=1" doas -n id
    check "doas, not permitted" as nosudo only '' \
        "tty='' stdout='' stderr='doas: Operation not permitted\n' status=1" doas id
    check "doas, unknown user" as caller only '' \
        "tty='' stdout='' stderr='doas: unknown user\n' status=1" doas -u nobodyhere id
    check "doas nopass" as nopw none '' "tty='' stdout='root\n' stderr='' status=0" doas id -un
    check "doas setenv" as fishy none '' "tty='' stdout='yes\n' stderr='' status=0" \
        doas sh -c 'echo $MT_SET'
}

test_ssh() {
    local denied='Permission denied, please try again.\r\n'
    check "pubkey" logs_in pubkey '' "tty='' stdout='pubkey\n' stderr='' status=0"
    check "password" logs_in password 'bad|password-pw' \
        "tty=\"\rpassword@mt-box's password: \r\n\rpassword@mt-box's password: \r\n\" stdout='password\n' stderr='$denied' status=0"
    check "kbdint" logs_in kbdint kbdint-pw \
        "tty='\r(kbdint@mt-box) Password: \r\n' stdout='kbdint\n' stderr='' status=0"
    check "twofactor with ssh" logs_in twofactor 'twofactor-pw|123456' \
        "tty='\r(twofactor@mt-box) Password: \r\n\r(twofactor@mt-box) A second step is needed.\r\nVerification code: 123456\r\n' stdout='twofactor\n' stderr='' status=0"
    check "twostep" logs_in twostep twostep-pw \
        "tty=\"\rtwostep@mt-box's password: \r\n\" stdout='twostep\n' stderr='' status=0"
    check "odd with ssh" logs_in odd "$MT_PW_odd" \
        "tty=\"\rodd@mt-box's password: \r\n\" stdout='odd\n' stderr='' status=0"
    check "toomany" logs_in toomany 'a|b' \
        "tty=\"\rtoomany@mt-box's password: \r\n\rtoomany@mt-box's password: \r\n\" stdout='' stderr='${denied}Received disconnect from 127.0.0.1 port $MT_PORT:2: Too many authentication failures\r\nDisconnected from 127.0.0.1 port $MT_PORT\r\n' status=255"
    check "mustchange without a terminal there" logs_in mustchange mustchange-pw \
        "tty=\"\rmustchange@mt-box's password: \r\n\" stdout='' stderr='You are required to change your password immediately (administrator enforced).\nWARNING: Your password has expired.\nPassword change required but no TTY available.\n' status=1" \
        -o PreferredAuthentications=password
    check "changed" refuses changed 'IDENTIFICATION HAS CHANGED'
    check "unknown" refuses unknown 'No ED25519 host key is known'
    check "password without a terminal" refuses_without_terminal
    check "rdonly" bad_disk rdonly 'Read-only file system'
    check "fulldisk" bad_disk fulldisk 'No space left on device'
    check "restrictedpath" restrictedpath
    check "noisy" noisy
    check "from inside" as caller none '' "tty='' stdout='pubkey\n' stderr='' status=0" \
        ssh -F "$A/ssh_config" pubkey 'id -un'
}

refuses_without_terminal() {
    setsid -w ssh -F "$A/ssh_config" password true 2>&1 | grep -q 'Permission denied (password)'
}

# In none of the places for a file can one be put: the shell cannot make it, or the program cannot
# write it.
bad_disk() {
    ssh -F "$A/ssh_config" "$1" '
        for place in /dev/shm /run /tmp /var/tmp "$HOME" "$XDG_RUNTIME_DIR"; do
            /bin/echo x >"$place/mt-test-$$"
        done' >"$W/said" 2>&1 || :
    cat "$W/said"
    [ "$(grep -c "$2" "$W/said")" = 6 ]
}

restrictedpath() {
    local status=0
    ssh -F "$A/ssh_config" restrictedpath 'echo $PATH; id' >"$W/said" 2>&1 || status=$?
    cat "$W/said"
    [ "$status" = 127 ]
    grep -qx /nonexistent "$W/said"
}

noisy() {
    [[ $(ssh -F "$A/ssh_config" noisy id -un 2>"$W/complained") == *Welcome*$'\n'noisy ]]
    grep -q 'something is old' "$W/complained"
}

standin() {
    local ask="[sudo: authenticate] Password:"
    says "tty='$ask \r\nsudo: Authentication failed, try again.\r\n$ask \r\nyes\r\n' stdout='' stderr='' status=0" \
        --answer bad --answer admin-pw "$HERE/standins/sudo-rs" echo yes
    says "tty='$ask \r\n$ask \r\n$ask \r\n' stdout='' stderr='sudo: Authentication failed, try again.\nsudo: Authentication failed, try again.\nsudo: maximum 3 incorrect authentication attempts\n' status=1" \
        --how only --answer a --answer b --answer c "$HERE/standins/sudo-rs" echo yes
    says "tty='' stdout='REST' stderr='[sudo: MITO] Password: \n' status=0" \
        --how none --stdin $'admin-pw\nREST' "$HERE/standins/sudo-rs" -S -p MITO cat
    says "tty='' stdout='' stderr='sudo: interactive authentication is required\n' status=1" \
        --how none "$HERE/standins/sudo-rs" -n true
}

passes_all_through() {
    local status=0
    same "$(printf 'a\nb' | box-exec "$A" sh -c 'read -r x; cat; exit 0')" b
    box-exec "$A" --user target sh -c 'exit 7' || status=$?
    [ "$status" = 7 ]
    refused box-exec "$A" --user nobodyhere true
    same "$(box-exec "$A" --user target sh -c 'id -u -n; id -G -n; echo $HOME $USER $SHELL')" \
        $'target\ntarget\n'"$A/home/target target /bin/sh"
    same "$(sh -c 'echo $$; exec box-exec "$1" sh -c "echo \$\$"' sh "$A" | uniq | wc -l)" 1
}

# The new password ends what other checks need.
test_change() {
    check "mustchange changes it" logs_in mustchange \
        'mustchange-pw|mustchange-pw|brand-New.7|brand-New.7' \
        "tty='\r(mustchange@mt-box) Password: \r\n\r(mustchange@mt-box) You are required to change your password immediately (administrator enforced).\r\nChanging password for mustchange.\r\nCurrent password: \r\n\r(mustchange@mt-box) New password: \r\n\r(mustchange@mt-box) Retype new password: \r\n' stdout='mustchange\n' stderr='' status=0" \
        -o PreferredAuthentications=keyboard-interactive
}

# ---- What is left -----------------------------------------------------------------------------

# All that decides who may do what. Other tests may add users of their own to this machine.
machine() {
    find /etc/{pam.d,sudoers,sudoers.d,doas.conf,login.defs,hosts,hostname,shells} -type f \
        -exec cksum {} + 2>/dev/null | sort || :
    awk -F: 'index($1, "mt-") != 1' /etc/passwd /etc/group | cksum
    cat /proc/sys/kernel/hostname
    ls /var/lib/sudo/lectured /run/sudo/ts /var/log/sudo.log 2>/dev/null || :
}

nothing_left() {
    local left
    left=$(
        grep -lsF -e " mt-box:$1 " -e "$1/etc" /proc/[0-9]*/mountinfo
        grep -lsxzF -- "MT_HOSTS_DIR=$1" /proc/[0-9]*/environ
        grep -F "$1/" /etc/passwd
    ) || :
    echo "$left"
    [ -z "$left" ]
    [ ! -e "$1" ]
}

# Processes of several users; one that left all behind that could tell where it comes from.
hard_to_find() {
    box-exec "$A" --user nopw sudo sh -c 'exec </dev/null >/dev/null 2>&1
        setsid env -i sleep 100000 &' >/dev/null
    box-exec "$A" --user caller sh -c 'setsid sleep 100000 >/dev/null 2>&1 &'
    timeout 20 ssh -F "$A/ssh_config" pubkey 'sleep 100000' >/dev/null 2>&1 &
    sleep 0.5
    local user
    for user in caller pubkey; do
        [ "$(pgrep -c -x -f 'sleep 100000' -u "$(box-exec "$A" id -u "$user")")" = 1 ]
    done
}

before=$(machine)
check "box-up" detached box-up "$A" --fast
# shellcheck source=/dev/null
. "$A/env"
# What waits for a server and what waits for PAM have nothing in common.
half ssh test_ssh >"$T/ssh.out" &
other=$!
test_sudo
test_su
test_doas
check "sudo-rs" standin
check "input, output, status, pid" passes_all_through
wait "$other" || FAILED=$((FAILED + 1))
other=
cat "$T/ssh.out"
test_change
check "this machine has none of it" same "$(machine)" "$before"
check "second box" detached box-up "$B" --fast
check "second box works" timeout 10 ssh -F "$B/ssh_config" pubkey true
rm -rf "$B"
check "box-down without its files" detached box-down "$B"
check "second box is gone" nothing_left "$B"
check "processes hard to find" hard_to_find
check "box-down" detached box-down "$A"
check "box is gone" nothing_left "$A"
check "box-down of nothing" detached box-down "$A"
check "this machine is as before" same "$(machine)" "$before"
check "strange files are kept" keeps_strange_files box-up box-down
finish
