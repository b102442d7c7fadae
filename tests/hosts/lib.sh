# What the scripts of this directory share. Sourced by bash; not a program.
#
# Everything that one run makes belongs to its DIR, and can be found again from the path of DIR
# alone, also when DIR itself was deleted: processes by what they have open, run or were given in
# their environment, users by their home, namespaces by a name derived from it.

PROGRAM=${0##*/}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

die() {
    printf '%s: %s\n' "$PROGRAM" "$*" >&2
    exit 1
}

usage() {
    printf 'usage: %s\n' "$1" >&2
    exit 2
}

need_root() {
    [ "$(id -u)" = 0 ] || die "must run as root"
}

# need PROGRAM PACKAGE
need() {
    command -v "$1" >/dev/null ||
        die "$1 is missing (apt-get install --no-install-recommends $2)"
}

# Sets DIR to the absolute path of "$1". The path ends up in configuration files, in /etc/passwd
# and in patterns, so what would need quoting in any of them is refused.
set_dir() {
    DIR=$(realpath -m -- "$1") || die "cannot resolve $1"
    case $DIR in
        *[!A-Za-z0-9_./+=,@-]*) die "DIR may have letters, digits and _./+=,@- only: $DIR" ;;
        /*/*) ;;
        *) die "DIR must not be at the top of the file system: $DIR" ;;
    esac
}

# make_dir KIND: DIR is to be ours alone, because it is removed as a whole in the end.
make_dir() {
    if [ -e "$DIR" ] && [ ! -f "$DIR/.mt-$1" ] && [ -n "$(ls -A "$DIR")" ]; then
        die "$DIR is not empty, and not from an earlier $PROGRAM"
    fi
    "$HERE/$1-down" "$DIR" || die "cannot clear away what is left of an earlier run in $DIR"
    mkdir -p "$DIR" || die "cannot make $DIR"
    : >"$DIR/.mt-$1"
}

# remove_dir KIND
remove_dir() {
    [ -e "$DIR" ] || return 0
    [ -f "$DIR/.mt-$1" ] || [ -z "$(ls -A "$DIR")" ] ||
        die "$DIR is not from $1-up: not removed"
    rm -rf --one-file-system -- "$DIR" || die "cannot remove $DIR"
}

# undo_on_failure KIND: from here on, a script that fails or is stopped takes away what it made.
undo_on_failure() {
    # shellcheck disable=SC2064 # now
    trap "undo $1 \$?" EXIT
    trap 'exit 1' HUP INT TERM
}

undo() {
    [ "$2" = 0 ] || "$HERE/$1-down" "$DIR" || :
    exit "$2"
}

# make_key FILE
make_key() {
    rm -f "$1" "$1.pub"
    ssh-keygen -q -t ed25519 -N '' -C mt-hosts -f "$1" </dev/null || die "ssh-keygen failed"
}

# need_ssh: what both kinds of hosts need.
need_ssh() {
    need /usr/sbin/sshd openssh-server
    need ssh openssh-client
    id sshd >/dev/null 2>&1 || die "user sshd is missing (package openssh-server)"
    mkdir -p /run/sshd
}

# server_config FILES ADDRESS PORT: with host key, pid file and log in the directory FILES. The key
# exchange is one that takes half the time of OpenSSH's favourite, on both sides: tests log in often.
server_config() {
    cat <<END
ListenAddress $2
Port $3
HostKey $1/host_key
PidFile $1/sshd.pid
AuthorizedKeysFile $DIR/authorized_keys
KexAlgorithms curve25519-sha256
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
MaxStartups 200:30:400
MaxSessions 200
LogLevel VERBOSE
Subsystem sftp internal-sftp
SetEnv MT_HOSTS_DIR=$DIR
END
}

# root_config FILES: goes last. What this machine's root has in its shell's start files is no part of
# any test, and may take long or wait for others.
root_config() {
    mkdir -p "$1/root" || die "cannot make $1/root"
    printf 'Match User root\n    SetEnv MT_HOSTS_DIR=%s HOME=%s\n' "$DIR" "$1/root"
}

# client_config KEY: the part for all hosts, which goes last.
client_config() {
    cat <<END
Host *
    IdentityFile $1
    IdentitiesOnly yes
    IdentityAgent none
    PreferredAuthentications publickey
    UserKnownHostsFile $DIR/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    ControlMaster no
    ControlPath none
END
}

# wait_sshd PID PIDFILE LOG: sshd writes its pid file when it listens. 0 when it does, 1 when it
# ended before.
wait_sshd() {
    local tries=1000
    until [ -s "$2" ]; do
        is_running "$1" || return 1
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "sshd does not start: $(tail -n 3 "$3")"
        sleep 0.01
    done
}

# A zombie has ended, however late pid 1 reaps it: kill -0 cannot tell.
is_running() {
    local stat
    { read -r -d '' stat <"/proc/$1/stat"; } 2>/dev/null || [ -n "${stat:-}" ] || return 1
    stat=${stat##*) }
    case $stat in
        Z* | X*) return 1 ;;
    esac
}

# The users whose home is below DIR, one name a line.
our_users() {
    awk -F: -v home="$DIR/" 'index($1, "mt-") == 1 && index($6, home) == 1 { print $1 }' /etc/passwd
}

# Sets PIDS to the processes that belong to DIR: every sshd with a file below DIR open (its log),
# every process with MT_HOSTS_DIR=DIR in its environment, of one of our users, running a program
# below DIR, or given as an argument; and all their descendants. Never this script, what started
# it, or what it starts.
find_processes() {
    local -A parent=() ours=() spared=() owned=()
    local path stat pid uid grown
    for path in /proc/[0-9]*/stat; do
        stat=
        { read -r -d '' stat <"$path"; } 2>/dev/null || [ -n "$stat" ] || continue
        pid=${stat%% *}
        stat=${stat##*) }
        case $stat in
            Z* | X*) continue ;;
        esac
        stat=${stat#* }
        parent[$pid]=${stat%% *}
    done
    pid=$$
    while [ "${pid:-0}" -gt 0 ]; do
        spared[$pid]=1
        pid=${parent[$pid]:-0}
    done

    for pid in "$@"; do
        ours[$pid]=1
    done
    while read -r path; do
        pid=${path#/proc/}
        ours[${pid%%/*}]=1
    done < <(
        set +e # each of these fails when a process ends meanwhile, or none is found
        find /proc/[0-9]*/exe -maxdepth 0 -lname "$DIR/*" 2>/dev/null
        grep -lsxzF -- "MT_HOSTS_DIR=$DIR" /proc/[0-9]*/environ
        # shellcheck disable=SC2046 # pids
        find $(find /proc/[0-9]*/exe -maxdepth 0 -lname '*/sshd*' -printf '%h/fd ' 2>/dev/null) \
            /dev/null -lname "$DIR/*" 2>/dev/null
    )
    while IFS=: read -r _ _ uid _; do
        [ "$uid" = 0 ] || owned[$uid]=1
    done < <(awk -F: -v home="$DIR/" \
        'index($1, "mt-") == 1 && index($6, home) == 1' /etc/passwd)
    if [ "${#owned[@]}" -gt 0 ]; then
        while read -r uid path; do
            [ -z "${owned[$uid]:-}" ] || ours[${path#/proc/}]=1
        done < <(stat -c '%u %n' /proc/[0-9]* 2>/dev/null)
    fi

    grown=1
    while [ -n "$grown" ]; do
        grown=
        for pid in "${!parent[@]}"; do
            [ -z "${ours[$pid]:-}${spared[$pid]:-}${spared[${parent[$pid]}]:-}" ] || continue
            if [ -n "${ours[${parent[$pid]}]:-}" ]; then
                ours[$pid]=1
                grown=1
            fi
        done
    done

    PIDS=
    for pid in "${!ours[@]}"; do
        [ -z "${parent[$pid]:-}" ] || [ -n "${spared[$pid]:-}" ] || PIDS="$PIDS $pid"
    done
}

# end_processes COMMAND: ends all that find_processes finds, given the pids that COMMAND prints.
# SIGTERM first, so that sshd takes back its terminals' login records.
end_processes() {
    local signal=TERM round
    for ((round = 0; round < 200; round++)); do
        # shellcheck disable=SC2046 # pids
        find_processes $("$@")
        [ -n "$PIDS" ] || return 0
        # shellcheck disable=SC2086 # pids
        kill -s "$signal" $PIDS 2>/dev/null || :
        sleep 0.02
        [ "$round" -lt 10 ] || signal=KILL
    done
    die "processes do not end:$PIDS"
}

# ---- Networks of namespaces -------------------------------------------------------------------

# Sets NS, which the names of all namespaces of DIR begin with.
set_namespace() {
    NS=$(printf '%s' "$DIR" | cksum)
    NS=$(printf 'mt-%08x' "${NS%% *}")
}

# The namespaces of DIR that there are, one name a line.
our_namespaces() {
    local path
    for path in /run/netns/"$NS"-*; do
        [ ! -e "$path" ] || printf '%s\n' "${path##*/}"
    done
}

# need_host NAME: m or one of h1 ... hN
need_host() {
    if [[ ! $1 =~ ^(m|h[0-9]+)$ ]] || [ ! -e "/run/netns/$NS-$1" ]; then
        die "no host $1 in $DIR"
    fi
}

# ---- Boxes ------------------------------------------------------------------------------------

# The pids of all in a box of DIR, whoever they run as, whatever they did to their environment: a
# box has a mount named after DIR, which outlives DIR.
pids_in_box() {
    local path
    grep -lsF " mt-box:$DIR " /proc/[0-9]*/mountinfo | while read -r path; do
        path=${path#/proc/}
        echo "${path%/mountinfo}"
    done
}
