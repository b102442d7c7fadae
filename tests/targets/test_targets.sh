#!/bin/bash
# Each kind of machine, run by qemu: the tests of what computes, and a context that the first stage
# starts there. Its children start too; nothing of them stays (tools/run-tests looks for processes).
set -u
cd "$TOP" || exit 1
here=tests/targets
build=$(dirname "$BUILD")
failed=0

# check NAME COMMAND...
check()
{
    local name=$1
    shift
    if "$@" >"$TMPDIR/said" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        failed=1
        sed 's/^/# /' "$TMPDIR/said" | tail -n 40
    fi
}

# What sh finds first on a machine of that kind: uname -m says so.
surroundings_of()
{
    local kind=$1 machine=$1
    case $kind in
    armv7) machine=armv7l ;;
    i386) machine=i686 ;;
    esac
    mkdir "$TMPDIR/$kind"
    printf '#!/bin/sh\necho %s\n' "$machine" >"$TMPDIR/$kind/uname"
    chmod 755 "$TMPDIR/$kind/uname"
}

# Its cases, with the kind in front.
program_for()
{
    local kind=$1
    surroundings_of "$kind"
    MT_SETUP="PATH=$TMPDIR/$kind:\$PATH" $here/emulated "$build/$kind/tests/programs/kinds" \
        tests/e2e/first_stage/ssh "$kind" >"$TMPDIR/said" 2>&1
    local status=$?
    grep -E '^(not )?ok ' "$TMPDIR/said"
    if [ $status -ne 0 ] || [ "$(grep -c '^ok ' "$TMPDIR/said")" -ne 6 ]; then
        echo "not ok $kind: a context there"
        sed 's/^/# /' "$TMPDIR/said" | tail -n 40
        failed=1
    fi
}

# A program of this machine's kind that carries an image for another: a context of that kind, and
# from there one of the first kind again, whose image it has to ask for.
there_and_back()
{
    local there=aarch64
    [ "$own" != "$there" ] || there=x86_64
    "$BUILD/mitosis" image bind -o "$TMPDIR/both" "$BUILD/tests/programs/kinds" \
        "$build/$there/tests/programs/kinds" || return
    printf '#!/bin/sh\nPATH=%s exec %s/tests/e2e/first_stage/ssh "$@"\n' "$PATH" "$TOP" >"$TMPDIR/back"
    chmod 755 "$TMPDIR/back"
    MT_SETUP="PATH=$TMPDIR/$there:\$PATH" $here/emulated "$TMPDIR/both" \
        tests/e2e/first_stage/ssh "$there" "$TMPDIR/back"
}

left_behind()
{
    find /dev/shm /run /tmp /var/tmp -maxdepth 1 -name '.mitosis-*' 2>/dev/null
}
# shellcheck disable=SC2317 # called by check
leaves_no_file()
{
    [ "$(left_behind)" = "$before" ]
}
before=$(left_behind)

own=$(uname -m)
for kind in x86_64 aarch64 armv7 riscv64 i386; do
    if [ "$kind" != "$own" ]; then
        units="buf err frame map signature text value"
        [ "$kind" != armv7 ] || units="$units pickle"
        for unit in $units; do
            check "$kind: test_$unit" $here/emulated "$build/$kind/tests/unit/test_$unit"
        done
    fi
    program_for "$kind"
done
check "there and back" there_and_back
check "no file is left" leaves_no_file
# Where the kernel gives the emulator no open file, it opens the program by the name it was started
# by: /proc/self/fd/N.
export EMULATED_FLAGS=F
rm -r "$TMPDIR/aarch64"
[ "$own" = aarch64 ] || program_for aarch64
exit $failed
