#!/bin/bash
# The checks and the runner themselves: each must find what it is there to find.
set -u
cd "$TOP" || exit 1
failed=0

check()
{
    local name=$1
    shift
    if "$@" >"$TMPDIR/log" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/# /' "$TMPDIR/log"
        failed=1
    fi
}

# A test program of those lines of shell.
script()
{
    { echo '#!/bin/sh' && cat; } >"$TMPDIR/$1"
    chmod +x "$TMPDIR/$1"
}

# runner_says <last line> <argument>...: and its exit status fits.
runner_says()
{
    local line=$1 out status
    shift
    out=$(tools/run-tests "$@" 2>&1)
    status=$?
    echo "$out"
    [ "${out##*$'\n'}" = "$line" ] || return 1
    case $line in
    "0 passed, 0 failed") [ $status -ne 0 ] ;;
    *", 0 failed") [ $status -eq 0 ] ;;
    *) [ $status -ne 0 ] ;;
    esac
}

script two <<'E2'
printf 'ok 1 - a\nok 2 - b\n'
E2
script one_of_each <<'E2'
printf '1..2\nok 1 - a\nnot ok 2 - b\n'; exit 1
E2
script silent <<'E2'
exit 0
E2
script cut_short <<'E2'
printf '1..3\nok 1 - a\n'
E2
script bad_status <<'E2'
echo ok 1; exit 3
E2
script crash <<'E2'
echo ok 1; kill -SEGV $$
E2
script hang <<'E2'
echo ok 1; sleep 100 & sleep 100
E2
script leaves_a_process <<'E2'
echo ok 1; setsid sleep 100 >/dev/null 2>&1 &
E2
script sanitizer <<'E2'
echo ok 1; log=${ASAN_OPTIONS##*log_path=}; echo found something >"$log.1"
E2
script skips <<'E2'
echo ok 1; echo 'not ok 2 # SKIP b'
E2
script own_tmpdir <<'E2'
[ -z "$(ls -A "$TMPDIR")" ] && touch "$TMPDIR/x" && echo "ok $TMPDIR" || echo not ok
E2

d=$TMPDIR
check "run-tests counts cases" runner_says "3 passed, 1 failed" a="$d/two" b="$d/one_of_each"
check "run-tests runs several at a time" \
    runner_says "7 passed, 1 failed" -j 3 a="$d/two" b="$d/one_of_each" c="$d/two" d="$d/two"
check "run-tests takes no tests for a failure" runner_says "0 passed, 0 failed" -f nothing a="$d/two"
check "run-tests picks by glob" runner_says "2 passed, 0 failed" -f 'x/*' x/a="$d/two" b="$d/crash"
check "run-tests: a test without cases" runner_says "0 passed, 1 failed" a="$d/silent"
check "run-tests: fewer cases than planned" runner_says "1 passed, 1 failed" a="$d/cut_short"
check "run-tests: an exit status" runner_says "1 passed, 1 failed" a="$d/bad_status"
check "run-tests: a crash" runner_says "1 passed, 1 failed" a="$d/crash"
check "run-tests: a test that hangs" runner_says "1 passed, 1 failed" -t 1 a="$d/hang"
check "run-tests: a process left behind" runner_says "1 passed, 1 failed" a="$d/leaves_a_process"
check "run-tests: a sanitizer's report" runner_says "1 passed, 1 failed" a="$d/sanitizer"
check "run-tests: a program that is missing" runner_says "0 passed, 1 failed" a="$d/missing"
check "run-tests: checks" runner_says "1 passed, 1 failed" check:a=true check:b=test,1,=,2
check "run-tests: a TMPDIR for each" \
    runner_says "2 passed, 0 failed" a="$d/own_tmpdir" b="$d/own_tmpdir"
if [ "$(id -u)" -eq 0 ]; then
    check "run-tests: root skips nothing" runner_says "1 passed, 1 failed" a="$d/skips"
fi

# A tree whose only file is src/<room>/x.c with that line, next to headers one could include.
includes()
{
    rm -rf "$d/tree"
    mkdir -p "$d/tree/src/"{base,wire,io,core,child,parent,service,cli}
    touch "$d/tree/src/base/buf.h" "$d/tree/src/core/router.h" "$d/tree/src/cli/cli.h"
    echo "$2" >"$d/tree/src/$1/x.c"
    tools/check-includes "$d/tree"
}
excludes()
{
    ! includes "$@"
}
check "check-includes: downwards" includes core '#include "base/buf.h"'
check "check-includes: the own room" includes core '#include "router.h"'
check "check-includes: libc" includes base '#include <sys/socket.h>'
check "check-includes: the command's own" includes cli '#include "cli.h"'
check "check-includes: upwards" excludes base '#include "core/router.h"'
check "check-includes: upwards, spaced" excludes wire '  #  include "core/router.h"'
check "check-includes: around the rule" excludes base '#include "../core/router.h"'
check "check-includes: another library in a child" excludes child '#include <zlib.h>'
check "check-includes: a room from the command" excludes cli '#include "base/buf.h"'

# A library of two files with a static function of the same name in both, made by the Makefile's own
# steps, and a program that uses one of the two.
library()
{
    mkdir -p "$d/lib/include" "$d/lib/src/base" "$d/lib/src/cli" "$d/lib/examples" &&
        cp Makefile "$d/lib/" && cp -r tools "$d/lib/" &&
        echo '#define MITO_VERSION "0"' >"$d/lib/include/mitosis.h" || return
    cat >"$d/lib/src/base/a.c" <<'C'
extern const char *const __start_mito_functions[] __attribute__((weak));
extern const char *const __stop_mito_functions[] __attribute__((weak));
int mito_count(void);
int mito_one(int x);
int other(int x);
__attribute__((noinline)) static int twin(int x)
{
    return x * 3;
}
int mito_count(void)
{
    return (int)(__stop_mito_functions - __start_mito_functions);
}
int mito_one(int x)
{
    return other(twin(x));
}
C
    cat >"$d/lib/src/base/b.c" <<'C'
#include <stdio.h>
int mito_two(int x);
int other(int x);
__attribute__((noinline)) static int twin(int x)
{
    puts("unused-text");
    return x;
}
int mito_two(int x)
{
    return twin(x);
}
int other(int x)
{
    return x + 1;
}
C
    cat >"$d/lib/examples/none.c" <<'C'
int mito_count(void);
int mito_one(int x);
int main(void)
{
    return mito_count() * 100 + mito_one(1) - 4;
}
C
    cat >"$d/lib/examples/two.c" <<'C'
int mito_count(void);
__attribute__((section("mito_functions"), used)) static const char *const first = "x";
__attribute__((section("mito_functions"), used)) static const char *const second = "y";
int main(void)
{
    return mito_count() - 2;
}
C
    make -C "$d/lib" all build/glibc/libmitosis.a build/glibc/examples/none build/glibc/examples/two
}
library_program()
{
    "$d/lib/build/$1/examples/$2"
}
drops_what_is_unused()
{
    ! grep -q unused-text "$d/lib/build/$1/examples/none"
}
finds_a_stray_symbol()
{
    ! tools/check-symbols "$d/lib/build/musl/libmitosis-internal.a"
}
check "the Makefile builds a library" library
check "check-symbols: mito_* alone" tools/check-symbols "$d/lib/build/musl/libmitosis.a" \
    "$d/lib/build/glibc/libmitosis.a"
make -C "$d/lib" build/musl/libmitosis-internal.a >/dev/null 2>&1
check "check-symbols: a stray symbol" finds_a_stray_symbol

header_says()
{
    mkdir -p "$d/header" && printf '%s\n' "$@" >"$d/header/mitosis.h" &&
        tools/check-header "$d/lib/build/musl/libmitosis.a" "$d/header/mitosis.h"
}
header_disagrees()
{
    ! header_says "$@"
}
all_of_it=('int mito_count(void);' 'int mito_one(int x);' 'int mito_two(int x);')
check "check-header: the same" header_says "${all_of_it[@]}"
check "check-header: not defined" header_disagrees "${all_of_it[@]}" 'const char *mito_three(void);'
check "check-header: not declared" header_disagrees "${all_of_it[@]:0:2}"
check "check-header: an empty header" header_disagrees ''
for variant in musl glibc; do
    check "a program without functions, $variant" library_program $variant none
    check "a program with functions, $variant" library_program $variant two
    check "unused code is dropped, $variant" drops_what_is_unused $variant
done
# Sources of all forms, for from-backports.
mkdir -p "$d/apt/parts" "$d/apt/lists" "$d/empty"
cat >"$d/apt/conf" <<APT
Dir::Etc::sourcelist "$d/apt/list";
Dir::Etc::sourceparts "$d/apt/parts";
Dir::State::lists "$d/apt/lists";
APT
all_forms()
{
    cat >"$d/apt/list" <<'APT'
# deb http://comment/debian bookworm main
deb http://a/debian bookworm main contrib
deb	[arch=amd64 signed-by=/k.gpg]  http://b/debian	bookworm main
deb-src http://a/debian bookworm main
deb http://a/debian-security bookworm-security main
deb http://c/debian trixie main
APT
    cat >"$d/apt/parts/x.sources" <<'APT'
# a comment
Types: deb deb-src
URIs: http://d/debian
suites: bookworm-updates
 bookworm
Components: main
Signed-By:
 -----BEGIN
 .

Types: deb
URIs: http://off/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://e/debian-security
Suites: bookworm-security
Components: main
APT
    APT_CONFIG=$d/apt/conf tools/from-backports --sources >"$d/apt/made" && diff - "$d/apt/made" <<'APT'
deb http://a/debian bookworm-backports main contrib
deb	[arch=amd64 signed-by=/k.gpg]  http://b/debian	bookworm-backports main
Types: deb
Suites: bookworm-backports
URIs: http://d/debian
Components: main
Signed-By:
 -----BEGIN
 .

APT
}
# Its sources cannot be read; it says so, and leaves nothing.
out_of_reach()
{
    rm "$d/apt/parts/x.sources"
    echo "deb [trusted=yes] file:$d/nowhere bookworm main" >"$d/apt/list"
    ! APT_CONFIG=$d/apt/conf TMPDIR=$d/empty tools/from-backports mt-nosuch >"$d/apt/said" 2>&1 &&
        grep 'mt-nosuch is not to be had: bookworm-backports cannot be reached' "$d/apt/said" &&
        [ -z "$(ls -A "$d/empty")$(ls -A "$d/apt/lists")" ]
}
check "from-backports: sources of all forms" all_forms
check "from-backports: out of reach" out_of_reach
exit $failed
