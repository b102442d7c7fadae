#!/bin/bash
# ssh over a network that goes silent: nobody waits longer than he said, or for ever.
# shellcheck source=tests/e2e/on_hosts.bash
. "$(dirname "$0")/on_hosts.bash" ssh_delay

clean_up() {
    "$HOSTS/net-down" "$T/net"
}

# ssh, but it looks every second whether the other side is there still: 15 would take long.
printf '#!/bin/sh\nexec ssh -oServerAliveInterval=1 "$@"\n' >"$T/ssh"
chmod 755 "$T/ssh"
"$HOSTS/net-up" "$T/net" 2 20 || exit 1
judged "$HOSTS/net-exec" "$T/net" m "$PROGRAM" cut "$T/net" "$HOSTS" "$T/ssh"
