#!/bin/sh
# C contexts in a tree whose master is Python.
set -u
export LC_ALL=C.UTF-8
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build/musl}
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$TOP/python:$TOP/tests/interop${PYTHONPATH:+:$PYTHONPATH}
/usr/bin/python3 -c 'import mitogen; print("# Mitogen %d.%d.%d" % mitogen.__version__[:3])'
exec /usr/bin/python3 "$TOP/tests/interop/python_parent.py" "$BUILD/tests/programs"
