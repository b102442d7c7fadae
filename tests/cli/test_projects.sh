#!/bin/bash
# The examples of projects, built with make, CMake and Meson from what is installed, run, and what
# they carry. Needs what `make targets` builds, for this machine and aarch64.
# shellcheck source=lib.sh
# shellcheck disable=SC2154 # $status
. "$(dirname "$0")/lib.sh"

own=$(uname -m)
prefix=$WORK/prefix
LIMIT=170
export MITOSIS_TARGETS=aarch64 CC="mitosis cc"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PATH=$prefix/bin:$PATH

if ! make -C "$TOP" install BUILD="${BUILD%/musl}" PREFIX="$prefix" >"$WORK/log" 2>&1; then
    cat "$WORK/log"
    echo "not ok make install"
    exit 1
fi
cp -r "$TOP/examples" "$WORK/examples"
MITOSIS=$prefix/bin/mitosis

# is_whole PROGRAM: it has the images, and its copy here answers.
is_whole() {
    mitosis image check "$1"
    expect 0 "$own: ok
aarch64: ok" ""
    "$1" >out
    equal "$(sed -n 2p out | awk '{ print $1, $2 }')" "$(uname -n) $own"
}

# built COMMAND...: what it says is shown when it fails.
built() {
    timeout -k 5 $LIMIT env -u MAKEFLAGS -u MAKELEVEL "$@" >log 2>&1 || {
        tail -n 30 log
        return 1
    }
}

with_make() {
    built make -C "$WORK/examples/make" CC="$CC"
    is_whole "$WORK/examples/make/inventory"
    # Again: dependencies say that there is nothing to do.
    built make -C "$WORK/examples/make" CC="$CC"
    grep -q 'up to date' log
}

with_cmake() {
    built cmake -S "$WORK/examples/cmake" -B build
    built cmake --build build
    is_whole build/inventory
}

with_meson() {
    built meson setup build "$WORK/examples/meson"
    built ninja -C build
    is_whole build/inventory
}

# The system's compiler and library; then images from the same sources.
with_gcc() {
    local sources="$WORK/examples/project/main.c $WORK/examples/project/facts.c $WORK/examples/project/table.c"
    # shellcheck disable=SC2046,SC2086 # lists
    gcc -o inventory $sources $(pkg-config --cflags --libs mitosis) -lm
    file inventory | grep -q 'dynamically linked'
    # shellcheck disable=SC2086 # a list
    mitosis cc --bind=inventory $sources -lm
    expect 0 "" ""
    mitosis image check inventory
    expect 0 "$own: ok
aarch64: ok" ""
    ./inventory >out
    equal "$(sed -n 2p out | awk '{ print $1, $2 }')" "$(uname -n) $own"
}

check with-make with_make
check with-cmake with_cmake
check with-meson with_meson
check with-gcc with_gcc
finish
