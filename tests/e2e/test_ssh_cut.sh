#!/bin/bash
# ssh over a network that goes silent: nobody waits longer than he said, or for ever.
# shellcheck source=tests/e2e/test_ssh_net.bash
. "$(dirname "$0")/test_ssh_net.bash"

# ssh, but it looks every second whether the other side is there still: 15 would take long.
printf '#!/bin/sh\nexec ssh -oServerAliveInterval=1 "$@"\n' >"$T/ssh"
chmod 755 "$T/ssh"
over_network 20 cut "$T/net" "$HOSTS" "$T/ssh"
