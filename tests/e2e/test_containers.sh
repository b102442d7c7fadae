#!/bin/bash
# Contexts in containers of all engines that run here, and in chains through them; Python contexts in
# one, and over ssh and sudo.
# shellcheck source=tests/e2e/on_hosts.bash
. "$(dirname "$0")/on_hosts.bash" containers

clean_up() {
    "$HOSTS/engines-down" "$T/engines"
    "$HOSTS/box-down" "$T/box"
}

more_leftovers() {
    docker ps --all --format '{{.Names}}'
    podman ps --all --format '{{.Names}}'
}

"$HOSTS/box-up" "$T/box" --fast && . "$T/box/env" && export MT_CONFIG MT_PW_admin || exit 1
"$HOSTS/engines-up" "$T/engines" --python || exit 1
. "$T/engines/env"

mkdir "$T/modules"
cat >"$T/modules/served.py" <<'PY'
import inner

def echo(value):
    return value

def user():
    import os
    return os.getuid(), os.path.exists('/home/app'), inner.VALUE

def fail(text):
    raise ValueError(text)
PY
echo 'VALUE = 42' >"$T/modules/inner.py"

both() {
    local status=0
    "$PROGRAM" || status=1
    "$BUILD/tests/programs/pythons" "$T/modules" || status=1
    return $status
}
judged both
