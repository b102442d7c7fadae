#!/bin/bash
# The documentation says what is so: its C blocks compile without a warning and print what it shows,
# its links lead somewhere, what it names is there, the manual pages are in order.
set -u
cd "$TOP" || exit 1
T=$(mktemp -d "${TMPDIR:-/tmp}/mt-docs.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
FAILED=0

# check NAME COMMAND...
check()
{
    local name=$1
    shift
    if "$@" >"$T/said" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/#   /' "$T/said" | head -n 40
        FAILED=1
    fi
}

# ---- C blocks ---------------------------------------------------------------------------------

flags=(-static -std=gnu17 -D_GNU_SOURCE -pthread -Wall -Wextra -Wshadow -Wconversion
    -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror -Iinclude)

# What stands around blocks that are no whole program; docs/getting-started.md shows it as well.
put_together()
{
    cat <<'END'
#include <errno.h>
#include <inttypes.h>
#include <mitosis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
END
    [ ! -f "$1.top" ] || cat "$1.top"
    cat <<'END'

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    struct mito_context *copy = mito_local(router);

    if (copy == NULL) {
        fprintf(stderr, "%s\n", mito_error());
        return 1;
    }
    /* here */
END
    [ ! -f "$1.main" ] || cat "$1.main"
    cat <<'END'
    mito_router_free(router);
    return 0;
}
END
}

compiles()
{
    if [ -f "$1.program" ]; then
        cp "$1.program" "$1.c"
    else
        put_together "$1" >"$1.c"
    fi
    musl-gcc "${flags[@]}" -o "$1.exe" "$1.c" "$BUILD/libmitosis.a"
}

# Standard output, then standard error, line by line; "..." stands for anything.
prints()
{
    local status=0 line pattern
    timeout 60 "$1.exe" >"$1.stdout" 2>"$1.stderr" </dev/null || status=$?
    cat "$1.stdout" "$1.stderr" >"$1.printed"
    [ ! -f "$1.unordered" ] || LC_ALL=C sort -o "$1.printed" "$1.printed"
    [ ! -f "$1.unordered" ] || LC_ALL=C sort -o "$1.output" "$1.output"
    echo "status $status, printed:"
    cat "$1.printed"
    [ $status -eq 0 ] || return 1
    [ -f "$1.output" ] || : >"$1.output"
    [ "$(wc -l <"$1.output")" -eq "$(wc -l <"$1.printed")" ] || return 1
    while IFS= read -r pattern <&3 && IFS= read -r line <&4; do
        pattern=$(printf '%s' "$pattern" | sed 's/[][\\*?]/\\&/g; s/\.\.\./*/g')
        # shellcheck disable=SC2053 # a pattern
        if [[ $line != $pattern ]]; then
            echo "wanted: $pattern"
            return 1
        fi
    done 3<"$1.output" 4<"$1.printed"
}

for page in README.md docs/getting-started.md; do
    dir=$T/$(basename "$page" .md)
    mkdir "$dir"
    check "$page:blocks-are-marked" sh -c 'awk -v dir="$1" -f tests/docs/blocks.awk "$2" >"$1/names"' \
        - "$dir" "$page"
    while read -r name; do
        check "$page:$name:compiles" compiles "$dir/$name"
        [ -f "$dir/$name.exe" ] || continue
        if [ ! -f "$dir/$name.norun" ]; then
            check "$page:$name:prints" prints "$dir/$name"
        fi
    done <"$dir/names"
done
check README.md:hello-is-the-example diff "$T/README/hello.program" examples/hello.c
check docs/getting-started.md:shows-what-stands-around-blocks \
    diff <(put_together "$T/nothing") <(awk '/^<!-- around -->$/ { getline; on = 1; next }
                                             /^```$/ { on = 0 } on' docs/getting-started.md)

# ---- Names ------------------------------------------------------------------------------------

# Files that are linked to, or named in backquotes.
names_existing_files()
{
    local page=$1 link target bad=0
    while read -r link; do
        case $link in http*) continue ;; esac
        target=$(dirname "$page")/${link%%#*}
        [ -e "$target" ] || { echo "no such file: $link"; bad=1; }
    done < <(grep -o '](\([^)#][^)]*\))' "$page" | sed 's/^](//; s/)$//')
    while read -r link; do
        # shellcheck disable=SC2086 # a pattern
        compgen -G "$link" >/dev/null || { echo "no such file: $link"; bad=1; }
    done < <(grep -o '`\(src\|include\|tests\|examples\|docs\|tools\|bench\)/[^` ]*`' "$page" | tr -d '`')
    return $bad
}

# Functions and constants in backquotes.
names_existing_symbols()
{
    local symbol bad=0
    while read -r symbol; do
        grep -qrw -- "$symbol" include src || { echo "not in the sources: $symbol"; bad=1; }
    done < <(grep -o '`[a-z][a-z0-9_]*()`\|`[A-Z][A-Z0-9]*_[A-Z0-9_]*`' "$1" | tr -d '`()' | sort -u)
    return $bad
}

names_existing_targets()
{
    local target bad=0
    while read -r target; do
        grep -q "^$target:" Makefile || { echo "no such target: $target"; bad=1; }
    done < <(grep -o 'make [a-z-]*`\|^    make [a-z-]*' "$1" | tr -d '`' | awk 'NF > 1 { print $2 }')
    return $bad
}

for page in README.md ARCHITECTURE.md docs/getting-started.md; do
    check "$page" test -s "$page"
    check "$page:files" names_existing_files "$page"
    check "$page:symbols" names_existing_symbols "$page"
    check "$page:targets" names_existing_targets "$page"
done

has_every_error_code()
{
    local code bad=0
    while read -r code; do
        grep -q "^| \`$code\`" docs/getting-started.md || { echo "no row for $code"; bad=1; }
    done < <(sed -n 's/^ *\(MITO_E_[A-Z_]*\), .*/\1/p' include/mitosis.h)
    return $bad
}
check docs/getting-started.md:every-error-code has_every_error_code

# number 64 KiB
number()
{
    case $2 in
    KiB) echo $(($1 * 1024)) ;;
    MiB) echo $(($1 * 1024 * 1024)) ;;
    *) echo "$1" ;;
    esac
}

# Rows of the table of bounds: | what | `CONSTANT` in `file` | value | ... |
has_true_bounds()
{
    local constant file value unit defined count=0 bad=0
    while read -r constant file value unit; do
        count=$((count + 1))
        defined=$(tr '\n' ' ' <"$file" |
            grep -oE "\b$constant\b *=? *[0-9][0-9x* <]*" | head -n 1 | sed "s/$constant *=* *//")
        if [ -z "$defined" ] || [ $((defined)) -ne "$(number "$value" "$unit")" ]; then
            echo "$constant in $file is '$defined', not $value $unit"
            bad=1
        fi
    done < <(sed -n 's/^|[^|]*| `\([A-Z_]*\)` in `\([^`]*\)` | \([0-9]*\) *\([a-zA-Z]*\) |.*/\1 \2 \3 \4/p' \
        ARCHITECTURE.md)
    echo "$count rows"
    [ $count -ge 25 ] && [ $bad -eq 0 ]
}
check ARCHITECTURE.md:bounds has_true_bounds

# `test_name` in `file`
has_true_tests()
{
    local name file count=0 bad=0
    while read -r name file; do
        count=$((count + 1))
        grep -qw "$name" "$file" || { echo "no $name in $file"; bad=1; }
    done < <(grep -o '`test_[a-z_]*` in `[^`]*`' ARCHITECTURE.md | tr -d '`' | sed 's/ in / /')
    echo "$count tests"
    [ $count -ge 10 ] && [ $bad -eq 0 ]
}
check ARCHITECTURE.md:tests has_true_tests

# Tests in backquotes, by their file below tests, and by what they are called there, behind a colon.
# One in C is defined there and listed, any other is the name of a function or of a check.
names_true_tests()
{
    local test file name count=0 bad=0
    while read -r test; do
        count=$((count + 1))
        file=tests/${test%%:*}
        name=${test#*:}
        if [ ! -f "$file" ]; then
            echo "no such file: $file"
            bad=1
        elif [ "$test" = "${test%%:*}" ]; then
            continue
        elif [[ $test == unit/*.c:* || $test == e2e/*.c:* ]]; then
            [ "$(grep -ow -- "$name" "$file" | wc -l)" -ge 2 ] || { echo "no test $name in $file"; bad=1; }
        else
            grep -qF -- "$name" "$file" || { echo "no '$name' in $file"; bad=1; }
        fi
    done < <(grep -oE '`(unit|e2e|interop|programs|cli|fuzz)/[^`]*`' "$1" | tr -d '`')
    echo "$count tests"
    [ $count -ge 150 ] && [ $bad -eq 0 ]
}
check docs/interop.md:tests names_true_tests docs/interop.md

# What is said to be the same has a test.
sameness_has_tests()
{
    awk -F' [|] ' '/^[|]/ && NF >= 4 && $(NF - 1) ~ /^same/ && $NF !~ /`.*`/ { print; bad = 1 }
                   END { exit bad }' "$1"
}
check docs/interop.md:same-is-shown sameness_has_tests docs/interop.md
check docs/interop.md:files names_existing_files docs/interop.md

# ---- Manual pages -----------------------------------------------------------------------------

for page in docs/man/*.[137]; do
    check "$page:lint" mandoc -T lint -W warning "$page"
done

# The example of the overview, as it is written.
example_of_the_manual()
{
    sed -n '/^\.Bd -literal$/,/^\.Ed$/p' docs/man/libmitosis.3 | sed '/^\./d; s/\\e/\\/g' >"$T/sum.c"
    musl-gcc "${flags[@]}" -o "$T/sum" "$T/sum.c" "$BUILD/libmitosis.a" && [ "$("$T/sum")" = 5 ]
}
check docs/man/libmitosis.3:example example_of_the_manual

# Each public function and macro has a place in section 3, and there is none that does not exist.
covers_the_header()
{
    local symbol bad=0
    grep -hoE '^\.(F[nod]|Fa|Nm|Dv|Vt|It Dv) .*' docs/man/*.3 >"$T/macros"
    while read -r symbol; do
        grep -qw -- "$symbol" "$T/macros" || { echo "in no page: $symbol"; bad=1; }
    done < <(
        grep -oE '\bmito_[a-z0-9_]*[a-z0-9]\(' include/mitosis.h | tr -d '(' |
            grep -v '^mito_widen\|^mito_wrong' | sort -u
        grep -oE '^(#define|   ) MITO_[A-Z_]*[A-Z]\b[^_]' include/mitosis.h |
            grep -oE 'MITO_[A-Z_]*[A-Z]' | sort -u
    )
    while read -r symbol; do
        [ -e "docs/man/$symbol.3" ] || grep -qw -- "$symbol" include/mitosis.h ||
            { echo "not in the header, and no page: $symbol"; bad=1; }
    done < <(grep -hv '^\.Dt ' docs/man/*.[37] README.md docs/getting-started.md |
        grep -oE '\b(mito|MITO)_[a-zA-Z0-9_]*[a-zA-Z0-9]\b' | sort -u)
    return $bad
}
check docs/man:covers-the-header covers_the_header

exit $FAILED
