#!/bin/bash
# Mitosis and the real Mitogen in one tree, joined by a unix socket, either way round.
set -u
cd "$(dirname "$0")" || exit 2
BUILD=${BUILD:-../../build/musl}
PYTHON=${PYTHON:-/usr/bin/python3}
T=$(mktemp -d "${TMPDIR:-/tmp}/mt-interop.XXXXXX") || exit 2
trap 'rm -rf "$T"' EXIT
FAILED=0
export PYTHONDONTWRITEBYTECODE=1

# Lines of both, in the order in which they come; a program that ends too early is a failure.
verdict()
{
    local name=$1 status=$2
    if [ "$status" -eq 0 ]; then
        echo "ok $name ends well"
    else
        echo "not ok $name ends well"
        echo "# exit status $status"
        FAILED=1
    fi
}

version=$($PYTHON -c 'import mitogen; print("%d.%d.%d" % mitogen.__version__[:3])') || {
    echo "not ok python3-mitogen is there"
    exit 1
}
echo "# Mitogen $version"

# --- Python joins C ----------------------------------------------------------------------------

mkfifo "$T/feed" "$T/ready"
"$BUILD/tests/programs/interop" listen "$T/socket" <"$T/feed" >"$T/ready" 2>"$T/log" &
listener=$!
exec 7>"$T/feed" 8<"$T/ready"
read -r -t 30 ready <&8
[ "${ready:-}" = ready ] || echo "not ok the C master listens"
while IFS= read -r line; do
    if [ "$line" = done ]; then
        exec 7>&-
    else
        printf '%s\n' "$line"
    fi
done < <(exec 7>&- 8<&-; timeout 100 "$PYTHON" join.py "$T/socket" 2>"$T/python"; echo $? >"$T/status")
exec 7>&-
verdict "the Python client" "$(cat "$T/status")"
wait "$listener"
verdict "the C master" $?
if [ -e "$T/socket" ]; then
    echo "not ok the socket is gone"
    FAILED=1
fi
sed 's/^/# C: /' "$T/log"
sed 's/^/# Python: /' "$T/python" | tail -n 20

# --- C joins Python ----------------------------------------------------------------------------

timeout 100 "$PYTHON" listen.py "$T/socket" "$BUILD/tests/programs/interop" 2>"$T/python"
verdict "the Python master" $?
sed 's/^/# Python: /' "$T/python" | tail -n 20
exit $FAILED
