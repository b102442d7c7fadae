#!/usr/bin/env bash
# mitosis image symbolize: from the record of a crash to functions and lines.
. "$(dirname "$0")/lib.sh"
CC=${MUSL_GCC:-musl-gcc}

# A program whose child crashes in a function, in ./program; its debug file in ./debug, as beside an
# image. $1: more flags
make_program() {
    local id
    cat >program.c <<'END'
#include <mitosis.h>
#include <stdio.h>
static int *volatile nowhere;
static __attribute__((noinline)) void write_nowhere(void)
{
    *nowhere = 1; /* line 6 */
    __asm__ volatile("");
}
MITO_FUNCTION(crash_here)
{
    write_nowhere(); /* line 11 */
    return mito_return(call, "");
}
int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    struct mito_context *child = mito_local(router);
    mito_call(child, &crash_here, "", "");
    fprintf(stderr, "%s: %s\n", mito_error_name(mito_error_code()), mito_error());
    mito_router_free(router);
}
END
    "$CC" -std=gnu17 -pthread -static -O1 -g -Wl,--build-id=sha1 -I"$TOP/include" -o program program.c \
        "$BUILD/libmitosis.a"
    id=$(readelf -n program | sed -n 's/.*Build ID: //p')
    mkdir -p "debug/.build-id/${id:0:2}"
    objcopy --only-keep-debug program "debug/.build-id/${id:0:2}/${id:2}.debug"
    strip program
}

crash() {
    make_program
    ./program 2>log
    grep -q '^crashed: local\..*: crashed: signal 11 (SIGSEGV) at 0x0 (null pointer) in function main.crash_here; build id [0-9a-f]*$' log
    mitosis image symbolize --debug-dir debug log
    [ "$status" -eq 0 ] && [ ! -s err ]
    grep -v '^    ' out | cmp - log
    # Where it happened comes first; who called is among the rest.
    sed -n '/^    /p' out >addresses
    head -n 1 addresses | grep -qx '    +0x[0-9a-f]*: write_nowhere at .*/program.c:6'
    grep -qx '    +0x[0-9a-f]*: mito_run_crash_here at .*/program.c:11' addresses
    # From standard input, from a second directory.
    "$MITOSIS" image symbolize --debug-dir . --debug-dir debug <log >out2
    cmp out out2
    "$MITOSIS" image symbolize --debug-dir debug - <log | cmp - out
}

# The command's own images: what their build keeps for them lies beside it.
own_build() {
    # shellcheck disable=SC2016 # for the shell there, which is a child of a child of the context
    mitosis run --local 1 -- sh -c 'kill -s SEGV "$(cut -d" " -f4 "/proc/$PPID/stat")"; sleep 5'
    grep -q '^local\..*: crash: signal 11 (SIGSEGV); build id [0-9a-f]*: +0x' err
    mv err log
    mitosis image symbolize log
    [ "$status" -eq 0 ] && [ ! -s err ]
    grep -q '^    +0x[0-9a-f]*: .*dispatcher_serve at \./src/child/dispatch\.c:[0-9]*$' out
    grep -q '^    +0x[0-9a-f]*: main at \./src/cli/copy\.c:[0-9]*$' out
}

not_found() {
    echo 'a: error: crash: signal 11 (SIGSEGV); build id abcdef01: +0x1234 +0x5' >log
    mitosis image symbolize --debug-dir . log
    expect 1 "$(cat log)" \
        'mitosis: no .build-id/ab/cdef01.debug in . or the others; see --debug-dir'
    echo 'a: error: crash: signal 11 (SIGSEGV); build id unknown: +0x1234' >log
    mitosis image symbolize log
    expect 1 "$(cat log)" 'mitosis: the image that crashed has no build id'
    mitosis image symbolize nosuch
    expect 1 "" 'mitosis: cannot open nosuch: No such file or directory'
}

# What a hostile child can put into a log is copied, and no more.
hostile() {
    mkdir -p .build-id/..
    printf '%s\n' '; build id ../../../etc/passwd: +0x1' '; build id : +0x1' '; build id abcdef: +0x' \
        '; build id abcdef: $(touch owned)' '; build id' '; build id abcd' '; build id abcdef:' \
        "; build id $(printf 'ab%.0s' {1..500}): +0x1" '; build id ABCDEF: +0x1' >log
    head -c 100000 /dev/urandom >>log
    mitosis image symbolize --debug-dir . log
    [ "$status" -eq 0 ] && [ ! -s err ] && [ ! -e owned ]
    cmp <(head -n 9 out) <(head -n 9 log)
    { printf '; build id abcdef:'; printf ' +0xffffffffffffffffffffffff%.0s' {1..300}; echo; } >log
    mkdir -p .build-id/ab && cp "$MITOSIS" .build-id/ab/cdef.debug
    mitosis image symbolize --debug-dir . log
    [ "$status" -eq 0 ] && [ "$(grep -c '^    +0x' out)" -eq 64 ]
}

usage() {
    mitosis image symbolize --help
    [ "$status" -eq 0 ] && grep -q -- '--debug-dir DIR' out
    mitosis image symbolize --debug-dir
    expect 2 "" 'mitosis: image symbolize: option --debug-dir needs a value'
    mitosis image symbolize --fly
    expect 2 "" 'mitosis: image symbolize: unknown option --fly'
    mitosis image symbolize /dev/null
    expect 0 "" ""
    "$MITOSIS" image symbolize <<<x >/dev/full 2>err && false
    grep -q 'cannot write: No space left on device' err
}

for test in crash own_build not_found hostile usage; do
    check "$test" "$test"
done
finish
