#!/bin/bash
# ssh over a way of 250 ms, there and back: what each thing costs, in round trips.
# shellcheck source=tests/e2e/on_hosts.bash
. "$(dirname "$0")/on_hosts.bash" ssh_delay

clean_up() {
    "$HOSTS/net-down" "$T/net"
}

"$HOSTS/net-up" "$T/net" 2 250 || exit 1
judged "$HOSTS/net-exec" "$T/net" m "$PROGRAM" times "$T/net" 250
