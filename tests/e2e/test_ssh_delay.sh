#!/bin/bash
# ssh over a way of 250 ms, there and back: what each thing costs, in round trips.
# shellcheck source=tests/e2e/test_ssh_net.bash
. "$(dirname "$0")/test_ssh_net.bash"
over_network 250 times "$T/net" 250
