#!/bin/bash
# Contexts in containers of all engines that run here, and in chains through them.
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
"$HOSTS/engines-up" "$T/engines" || exit 1
. "$T/engines/env"
judged "$PROGRAM"
