#!/bin/bash
# Brings up the container engines, checks that each is as README.md says, takes them down and checks
# that nothing is left. Prints `ok NAME` or `not ok NAME`, and why; fails if any is not ok.
# shellcheck disable=SC2016 # much of this is for other shells
# shellcheck disable=SC1091,SC2031 # DIR/env is made by the test
# shellcheck source=check.bash
. "$(dirname "$0")/check.bash"

A=$T/a
B=$T/b
clean_up() {
    engines-down "$A"
    engines-down "$B"
}

# What a shell does after its last output.
LAST=

# talks WHO COMMAND...: the command gets `sh -c ...` as its last arguments, and its standard input,
# outputs and exit status are those of the shell inside.
talks() {
    local who=$1 status=0
    shift
    printf 'in\0put\n' | timeout 20 "$@" sh -c "cat; id -un; echo complaint >&2; $LAST exit 7" \
        >"$W/said" 2>"$W/complained" || status=$?
    cat "$W/said" "$W/complained"
    [ "$status" = 7 ]
    printf 'in\0put\n%s\n' "$who" | cmp - "$W/said"
    grep -qx complaint "$W/complained"
}

# fails STATUS TEXT COMMAND...: with that text, a basic regular expression, on one of its outputs.
fails() {
    local expected=$1 text=$2 status=0
    shift 2
    timeout 20 "$@" >"$W/said" 2>"$W/complained" || status=$?
    cat "$W/said" "$W/complained"
    echo "$status, expected $expected: $text"
    [ "$status" = "$expected" ]
    grep -q -- "$text" "$W/said" "$W/complained"
}

# Leaves a process behind in the container, which engines-down has to find by itself.
LONG=4$$
leave() {
    timeout 20 "$@" sh -c "sleep $LONG </dev/null >/dev/null 2>&1 &"
}

left_behind() {
    grep -lsxzF -- "$LONG" /proc/[0-9]*/cmdline || :
}

test_docker() {
    check "docker exec" talks root docker exec -i "$MT_DOCKER_CONTAINER"
    check "docker exec -u" talks app docker exec -i -u app "$MT_DOCKER_CONTAINER"
    check "docker run" talks root docker run -i --rm "$MT_DOCKER_IMAGE"
    check "docker: no such container" fails 1 '^Error: No such container: nosuch$' \
        docker exec -i nosuch sh
    check "docker: stopped" fails 1 '^Error response from daemon: Container [0-9a-f]* is not running$' \
        docker exec -i "$MT_DOCKER_STOPPED" sh
    check "docker: no such user" fails 126 '^unable to find user nosuch: no matching entries' \
        docker exec -i -u nosuch "$MT_DOCKER_CONTAINER" sh
    check "docker: no such program" fails 126 'exec: "nosh": executable file not found' \
        docker exec -i "$MT_DOCKER_CONTAINER" nosh
    leave docker exec -i "$MT_DOCKER_CONTAINER"
}

test_podman() {
    check "podman exec" talks root podman exec -i "$MT_PODMAN_CONTAINER"
    check "podman exec -u" talks app podman exec -i -u app "$MT_PODMAN_CONTAINER"
    check "podman run" talks root podman run -i --rm "$MT_PODMAN_IMAGE"
    check "podman: no such container" fails 125 \
        '^Error: no container with name or ID "nosuch" found: no such container$' \
        podman exec -i nosuch sh
    check "podman: stopped" fails 255 'can only create exec sessions on running containers' \
        podman exec -i "$MT_PODMAN_STOPPED" sh
    check "podman: no such user" fails 255 '^Error: unable to find user nosuch: no matching' \
        podman exec -i -u nosuch "$MT_PODMAN_CONTAINER" sh
    check "podman: no such program" fails 127 'exec: "nosh": executable file not found' \
        podman exec -i "$MT_PODMAN_CONTAINER" nosh
    leave podman exec -i "$MT_PODMAN_CONTAINER"
}

# With chroot isolation, buildah does not wait until it has passed on what a command wrote.
test_buildah() {
    local LAST='sleep 0.5;'
    check "buildah run" talks root buildah run "$MT_BUILDAH_CONTAINER" --
    check "buildah run --user" talks app buildah run --user app "$MT_BUILDAH_CONTAINER" --
    check "buildah: no such container" fails 125 \
        '^Error: reading build container "nosuch": container not known$' buildah run nosuch -- sh
    check "buildah: no such user" fails 125 'unknown user error looking up user "nosuch"$' \
        buildah run --user nosuch "$MT_BUILDAH_CONTAINER" -- sh
    check "buildah: no such program" fails 1 'exec: "nosh": executable file not found' \
        buildah run "$MT_BUILDAH_CONTAINER" -- nosh
    leave buildah run "$MT_BUILDAH_CONTAINER" --
}

test_lxc() {
    check "lxc-attach" talks root lxc-attach --clear-env -n "$MT_LXC_CONTAINER" --
    check "lxc-info" test -d "/proc/$(lxc-info -n "$MT_LXC_CONTAINER" -p -H)/root/home/app"
    check "lxc: no such container" fails 1 'Failed to get init pid$' \
        lxc-attach --clear-env -n nosuch -- sh
    check "lxc: stopped" fails 1 'Failed to get init pid$' \
        lxc-attach --clear-env -n "$MT_LXC_STOPPED" -- sh
    check "lxc: no such program" fails 127 'No such file or directory - Failed to exec "nosh"$' \
        lxc-attach --clear-env -n "$MT_LXC_CONTAINER" -- nosh
    leave lxc-attach --clear-env -n "$MT_LXC_CONTAINER" --
}

# test_lx CLIENT CONTAINER STOPPED
test_lx() {
    check "$1 exec" talks root "$1" exec --mode=non-interactive "$2" --
    check "$1 exec --user" talks app "$1" exec --mode=non-interactive --user 1000 "$2" --
    check "$1: no such container" fails 1 'Instance not found$' \
        "$1" exec --mode=non-interactive nosuch -- sh
    check "$1: stopped" fails 1 '^Error: Instance is not running$' \
        "$1" exec --mode=non-interactive "$3" -- sh
    check "$1: no such program" fails 127 '^Error: Command not found$' \
        "$1" exec --mode=non-interactive "$2" -- nosh
    leave "$1" exec --mode=non-interactive "$2" --
}

test_lxd() {
    test_lx lxc "$MT_LXD_CONTAINER" "$MT_LXD_STOPPED"
}

test_incus() {
    test_lx incus "$MT_INCUS_CONTAINER" "$MT_INCUS_STOPPED"
}

# More than pipes, queues and windows hold, both ways at once.
kubectl_passes_data() {
    head -c 20000000 /dev/urandom >"$W/data"
    # shellcheck disable=SC2094 # is only read
    timeout 20 kubectl exec -i "$MT_KUBE_POD" -c "$MT_KUBE_CONTAINER" -- cat <"$W/data" |
        cmp - "$W/data"
}

kubectl_is_logged() {
    kubectl exec -i "$MT_KUBE_POD" -c other -- echo 'a  b' "c'd" '' >/dev/null
    tail -n 1 "$MT_KUBE_LOG"
    tail -n 1 "$MT_KUBE_LOG" | jq -e --arg pod "$MT_KUBE_POD" '.pod == $pod and .container == "other"
        and .namespace == "default" and .tty == false and .command == ["echo", "a  b", "c'"'"'d", ""]'
}

test_kubectl() {
    check "kubectl exec" talks root kubectl exec -i "$MT_KUBE_POD" -c "$MT_KUBE_CONTAINER" --
    check "kubectl exec: status of a signal" fails 137 'exit code 137' \
        kubectl exec "$MT_KUBE_POD" -c "$MT_KUBE_CONTAINER" -- sh -c 'kill -9 $$'
    check "kubectl exec: much data" kubectl_passes_data
    check "kubectl exec: log" kubectl_is_logged
    check "kubectl: no such pod" fails 1 '^Error from server (NotFound): pods "nosuch" not found$' \
        kubectl exec -i nosuch -- sh
    check "kubectl: no such container" fails 1 \
        "^Error from server (BadRequest): container nosuch is not valid for pod $MT_KUBE_POD\$" \
        kubectl exec -i "$MT_KUBE_POD" -c nosuch -- sh
    check "kubectl: ended" fails 1 'cannot exec into a container in a completed pod' \
        kubectl exec -i "$MT_KUBE_STOPPED" -- sh
    check "kubectl: no such program" fails 1 'exec: "nosh": executable file not found' \
        kubectl exec -i "$MT_KUBE_POD" -c "$MT_KUBE_CONTAINER" -- nosh
    leave kubectl exec -i "$MT_KUBE_POD" -c "$MT_KUBE_CONTAINER" --
}

clean_environment() {
    TERM=vt100 MT_TEST=1 jexec -l -U app "$MT_JEXEC_JAIL" env >"$W/said"
    printf '%s\n' HOME=/home/app PATH=/bin:/usr/bin SHELL=/bin/sh TERM=vt100 USER=app |
        diff - <(sort "$W/said")
    MT_TEST=1 jexec "$MT_JEXEC_JAIL" env | grep -qx MT_TEST=1
}

test_jexec() {
    check "jexec" talks root jexec "$MT_JEXEC_JAIL"
    check "jexec -U" talks app jexec -U app "$MT_JEXEC_JAIL"
    check "jexec -l" clean_environment
    check "jexec: no such jail" fails 1 '^jexec: jail "nosuch" not found$' jexec nosuch sh
    check "jexec: no such user" fails 1 '^jexec: nosuch: no such user$' \
        jexec -U nosuch "$MT_JEXEC_JAIL" sh
    check "jexec: a user of the host only" fails 1 '^jexec: sshd: no such user$' \
        jexec -U sshd "$MT_JEXEC_JAIL" sh
    check "jexec: both users" fails 1 '^usage: jexec' jexec -u root -U app "$MT_JEXEC_JAIL" sh
    check "jexec: no such option" fails 1 '^jexec: illegal option -- x$' jexec -x "$MT_JEXEC_JAIL"
    check "jexec: no such program" fails 1 '^jexec: execvp: nosh: No such file or directory$' \
        jexec "$MT_JEXEC_JAIL" nosh
    leave jexec "$MT_JEXEC_JAIL"
}

test_machinectl() {
    local leader
    leader=$(machinectl show "$MT_MACHINECTL_MACHINE" -p Leader --value)
    check "machinectl: the leader's root" test -d "/proc/$leader/root/home/app"
    check "machinectl: the leader's namespaces" talks root nsenter -t "$leader" \
        --mount --uts --ipc --net --pid --root --
    check "machinectl without --value" fails 0 "^Leader=$leader\$" \
        machinectl show --property=Leader "$MT_MACHINECTL_MACHINE"
    check "machinectl: no such machine" fails 1 \
        "^Could not get path to machine: No machine 'nosuch' known\$" \
        machinectl show nosuch -p Leader --value
    leave nsenter -t "$leader" --mount --pid --root --
}

# Without zombies, which pid 1 takes its time to reap.
cgroup_members() {
    local path
    grep -lsF -- "$1" /proc/[0-9]*/cgroup | while read -r path; do
        grep -sH '^State:.[^ZX]' "${path%/*}/status" || :
    done
}

# test_engines ENGINES...: those that are up
test_engines() {
    local engine name
    for engine; do
        name=ENGINE_$engine
        [ -z "${!name:-}" ] || "test_$engine"
    done
}

# nothing_left DIR: by mark, arguments and root of processes; mounts; cgroups; files.
nothing_left() {
    local name left
    name=$(. "$HERE/lib.sh" && set_dir "$1" && set_namespace && echo "$NS")
    echo "$1/" >"$T/pattern" # not in the arguments of the grep that looks for it
    left=$(
        grep -lsxzF -- "MT_HOSTS_DIR=$1" /proc/[0-9]*/environ
        grep -lsF -f "$T/pattern" /proc/[0-9]*/cmdline
        cgroup_members "$name"
        find /proc/[0-9]*/root -maxdepth 0 -lname "$1*" 2>/dev/null
        grep -F -- "$1/" /proc/[0-9]*/mountinfo 2>/dev/null
        find /sys/fs/cgroup -name "*$name*"
        find /sys/fs/cgroup -mindepth 2 -maxdepth 2 -name lxc.pivot -newer "$T/started"
        find /run /dev/shm /var/lib /var/cache /var/tmp /etc /opt -name "*$name*" 2>/dev/null
    ) || :
    echo "$left"
    [ -z "$left" ]
    [ ! -e "$1" ]
}

# Everything that could take its own things away, and everything that leads to others.
kill_all_daemons() {
    local pid name killed=0
    for pid in $(grep -lsxzF -- "MT_HOSTS_DIR=$A" /proc/[0-9]*/environ | tr -dc '0-9\n') \
        $(grep -lsF -- "$A/" /proc/[0-9]*/cmdline | tr -dc '0-9\n'); do
        name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
        case $name in
            dockerd | containerd* | conmon | lxd | incusd | lxc-start | '[lxc monitor]' | sleep | kube-api)
                kill -KILL "$pid"
                killed=$((killed + 1))
                ;;
        esac
    done
    echo "$killed killed"
    [ "$killed" -ge 8 ]
}

# Killed at a bad moment, with engines half up.
killed_on_the_way_up() {
    local pid tries
    setsid engines-up "$B" --engines docker,lxc >/dev/null 2>&1 &
    pid=$!
    for tries in {1..1000}; do # (to the end it takes a second or more)
        [ ! -e "$B/docker" ] && [ ! -e "$B/lxc" ] || break
        sleep 0.01
    done
    sleep 0.1
    kill -KILL "$pid" || return 1
    wait "$pid" || :
    engines-down "$B"
    sleep 0.5
    nothing_left "$B"
}

# Without buildah.
engine_is_missing() {
    mkdir "$T/bin"
    ln -s /usr/bin/* /usr/sbin/* "$T/bin" 2>/dev/null || :
    rm "$T/bin/buildah"
    fails 0 '^buildah: buildah is missing (apt-get' \
        env PATH="$HERE:$T/bin" engines-up "$B" --engines buildah,jexec
    grep -q '^buildah: buildah is missing' "$B/absent"
    grep ENGINE_ "$B/env"
    [ "$(grep -c ENGINE_ "$B/env")" = 1 ]
}

: >"$T/started"
check "engines-up" detached engines-up "$A"
echo "# $((($(microseconds) - START) / 1000)) ms"
check "no engine is absent" diff /dev/null "$A/absent"
[ ! -e "$A/env" ] || . "$A/env"
# One after the other. Much of their time is waiting, so there are two halves.
half one test_engines docker lxc lxd kubectl >"$T/half.out" &
other=$!
(half other test_engines podman buildah incus jexec machinectl) || FAILED=$((FAILED + 1))
wait "$other" || FAILED=$((FAILED + 1))
cat "$T/half.out"
check "second instance" detached engines-up "$B" --engines lxc,machinectl
rm -rf "$B"
check "engines-down without its files" detached engines-down "$B"
check "second instance is gone" nothing_left "$B"
check "first instance works" talks root podman exec -i "${MT_PODMAN_CONTAINER:-}"
check "processes were left in containers" diff <(echo 9) <(left_behind | wc -l)
check "all daemons die" kill_all_daemons
check "engines-down" detached engines-down "$A"
check "engines are gone" nothing_left "$A"
check "processes in containers are gone" test -z "$(left_behind)"
check "engines-down of nothing" detached engines-down "$A"
check "strange files are kept" keeps_strange_files engines-up engines-down
check "killed on the way up" killed_on_the_way_up
check "an engine is missing" engine_is_missing
finish
