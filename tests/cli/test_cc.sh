#!/bin/bash
# mitosis cc: one program for several kinds of machine, from sources, objects and archives; and what
# it says when that cannot be. Needs what `make targets` builds, for this machine and aarch64.
# shellcheck source=lib.sh
# shellcheck disable=SC2154 # $status
. "$(dirname "$0")/lib.sh"

own=$(uname -m)
export MITOSIS_LIBDIR=${MITOSIS_LIBDIR:-$BUILD/../toolchain} MITOSIS_TARGETS=aarch64
export TMPDIR=$WORK/tmp
mkdir -p "$TMPDIR"
LIMIT=150

cat >"$WORK/main.c" <<'C'
#include <mitosis.h>
#include <stdio.h>
MITO_DECLARE_FUNCTION(answer);
int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    struct mito_context *copy = mito_local(router);
    int64_t n = 0;
    if (copy == NULL || mito_call(copy, &answer, "", "i", &n) < 0)
        puts(mito_error());
    printf("%d\n", (int)n);
    mito_router_free(router);
    return 0;
}
C
cat >"$WORK/answer.c" <<'C'
#include <mitosis.h>
#include "number.h"
MITO_FUNCTION(answer)
{
    return mito_return(call, "i", number());
}
C
echo 'int number(void);' >"$WORK/number.h"
printf '#include "number.h"\nint number(void)\n{\n    return 42;\n}\n' >"$WORK/number.c"
sources="$WORK/main.c $WORK/answer.c $WORK/number.c"

# is_whole PROGRAM: it has both images, they are what they should be, and it works.
is_whole() {
    mitosis image check "$1"
    expect 0 "$own: ok
aarch64: ok" ""
    equal "$("./$1")" 42
}
nothing_left() {
    equal "$(ls -A "$TMPDIR")" ""
}

# shellcheck disable=SC2086 # lists
from_sources() {
    mitosis cc -Os -o one $sources -lm
    expect 0 "" ""
    is_whole one
    mitosis cc -Os -o two $sources -lm
    cmp one two
    equal "$(ls -A)" "err
one
out
two"
    nothing_left
}

# shellcheck disable=SC2086 # lists
from_objects() {
    local archive
    mitosis cc -g -c -MMD -MF deps $sources
    expect 0 "" ""
    mitosis cc -g -MD -c -o main.o "$WORK/main.c"
    equal "$(head -n 1 main.d | cut -c 1-8)" "main.o: "
    readelf -SW main.o | grep -q '\.mitosis\.object\.aarch64 .* E '
    ar rcs libthick.a answer.o number.o
    ar rcsT libthin.a answer.o number.o
    for archive in libthick.a "-L. -lthick" libthin.a "-L . -l thin"; do
        mitosis cc -o program -s main.o $archive
        expect 0 "" ""
        is_whole program
        [ ! -e .build-id ]
    done
    echo "-o 'from file' main.o \"libthick.a\"" >arguments
    mitosis cc @arguments
    expect 0 "" ""
    [ -x "from file" ]
    equal "$(readelf -SW program | grep -c 'mitosis\.object')" 0
    # What is for debuggers lies beside it, by build id.
    mitosis cc -o program main.o libthick.a
    mitosis image list --json program
    equal "$(jq -r '".build-id/" + .build_id[:2] + "/" + .build_id[2:] + ".debug"' out | sort)" \
        "$(find .build-id -type f | sort)"
    nothing_left
}

lacks() {
    mitosis cc --targets="$own" -c -o thin.o "$WORK/number.c"
    expect 0 "" ""
    mitosis cc -c "$WORK/main.c" "$WORK/answer.c"
    mitosis cc -o program main.o answer.o thin.o
    expect 1 "" "mitosis: cc: thin.o has nothing for aarch64 in it: compile it with mitosis cc, and name\
 the same kinds with --targets, or in MITOSIS_TARGETS, when compiling and linking"
    ar rcs libmixed.a answer.o thin.o
    mitosis cc -o program main.o libmixed.a
    expect 1
    grep -q "libmixed.a: thin.o has nothing for aarch64" err
    [ ! -e program ]
    mitosis cc --targets="$own" -o program main.o answer.o thin.o
    expect 0 "" ""
    equal "$(./program)" 42
    printf '!<arch>\nshort' >broken.a
    mitosis cc -o program main.o broken.a
    equal "$status" 1
    nothing_left
}

compilers_complain() {
    printf 'int f(void)\n{\n    return nothing;\n}\n' >bad.c
    mitosis cc -c bad.c
    expect 1
    equal "$(grep -c nothing err)" 2
    [ ! -e bad.o ]
    # Here alone: said once. There alone: said with the kind, and nothing is left for make.
    printf 'int f(int x)\n{\n    int y;\n    return x;\n}\n' >warned.c
    mitosis cc -Wall -c warned.c
    expect 0
    equal "$(grep -c 'unused variable' err)" 1
    printf '#ifdef __aarch64__\n#error not there\n#endif\nint x;\n' >some.c
    mitosis cc -c some.c
    expect 1
    grep -q '^mitosis: cc: for aarch64:$' err
    grep -q 'not there' err
    [ ! -e some.o ]
    mitosis cc -o program some.c nothing.c
    expect 1
    [ ! -e program ]
    nothing_left
}

answers_questions() {
    local option
    for option in --version -dumpmachine -print-prog-name=ld "-E -dM -x c /dev/null" -Wl,--version; do
        # shellcheck disable=SC2086 # lists
        mitosis cc $option
        expect 0
        [ -s out ]
    done
    mitosis cc -E "$WORK/number.c"
    grep -q 'return 42' out
    mitosis cc -M "$WORK/number.c"
    grep -q 'number.h' out
    mitosis cc -S -o - "$WORK/number.c"
    grep -q 'number' out
    mitosis cc -c -o /dev/null "$WORK/number.c"
    expect 0 "" ""
    mitosis cc -fsyntax-only "$WORK/number.c"
    expect 0 "" ""
    [ -c /dev/null ]
    nothing_left
}

targets() {
    mitosis cc --targets=vax -c "$WORK/number.c"
    expect 2 "" "mitosis: cc: unknown kind of machine 'vax'; see mitosis cc --help"
    mkdir -p kit/"$own"
    printf '#!/bin/sh\nexit 3\n' >kit/"$own"/cc
    chmod 755 kit/"$own"/cc
    MITOSIS_LIBDIR=kit mitosis cc --targets=riscv64 -c "$WORK/number.c"
    expect 2 "" "mitosis: cc: nothing to compile for riscv64 with: there is no kit/riscv64/cc. Install the\
 package gcc-riscv64-linux-gnu, then run 'make targets install' in the sources of Mitosis"
    MITOSIS_LIBDIR=kit MITOSIS_TARGETS='' mitosis cc -c "$WORK/number.c"
    expect 3
    MITOSIS_LIBDIR=nothing mitosis cc --version
    expect 2
    mitosis cc -c "$WORK/number.c" -o
    expect 2 "" "mitosis: cc: option -o needs a value"
}

# A program of the system's C library, whose images are static.
binds() {
    gcc -o program "$WORK/number.c" -x c - <<<'int main(void) { return 0; }'
    mitosis cc --bind=program "$WORK/main.c" "$WORK/answer.c" "$WORK/number.c"
    expect 0 "" ""
    mitosis image check program
    expect 0 "$own: ok
aarch64: ok" ""
    mitosis image extract -o image program "$own"
    equal "$(./image)" 42
    ./program
    mitosis cc --bind=program -E "$WORK/number.c"
    expect 2
    nothing_left
}

interrupted() {
    mkdir -p kit/"$own"
    printf '#!/bin/sh\ntouch started\nexec sleep 60\n' >kit/"$own"/cc
    chmod 755 kit/"$own"/cc
    MITOSIS_LIBDIR=kit MITOSIS_TARGETS=$own "$MITOSIS" cc -c "$WORK/number.c" >out 2>err &
    within 20 test -e started
    kill -TERM $!
    status=0
    wait $! || status=$?
    equal "$status" 143
    nothing_left
}

if [ ! -e "$MITOSIS_LIBDIR/$own/lib/libmitosis.a" ] || [ ! -e "$MITOSIS_LIBDIR/aarch64/lib/libmitosis.a" ]; then
    echo "not ok toolchains: run make targets; nothing for $own and aarch64 in $MITOSIS_LIBDIR"
    exit 1
fi
check from-sources from_sources
check from-objects from_objects
check lacks lacks
check compilers-complain compilers_complain
check answers-questions answers_questions
check targets targets
check binds binds
check interrupted interrupted
finish
