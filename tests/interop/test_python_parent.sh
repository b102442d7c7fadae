#!/bin/sh
# C contexts in a tree whose master is Python.
set -u
export LC_ALL=C.UTF-8
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build/musl}
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$TOP/python:$TOP/tests/interop${PYTHONPATH:+:$PYTHONPATH} \
    exec /usr/bin/python3 "$TOP/tests/interop/python_parent.py" "$BUILD/tests/programs"
