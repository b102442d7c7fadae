#!/bin/sh
# Installs into a directory, builds a program against what is there, takes it away again.
set -eu
cd "$TOP"
root=$TMPDIR/root
failed=0
case_is()
{
    if "$2"; then
        echo "ok $1"
    else
        echo "not ok $1"
        failed=1
    fi
}

installs()
{
    make install BUILD="${BUILD%/musl}" PREFIX=/usr DESTDIR="$root" >&2 &&
        [ -f "$root/usr/include/mitosis.h" ] && [ -f "$root/usr/lib/libmitosis.a" ] &&
        [ -f "$root/usr/lib/pkgconfig/mitosis.pc" ]
}

has_the_version_of_the_header()
{
    grep -q "MITO_VERSION \"$(pkg_config --modversion)\"" include/mitosis.h
}

pkg_config()
{
    PKG_CONFIG_PATH=$root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
        PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 pkg-config "$@" mitosis
}

compiles_links_and_runs()
{
    cat >"$TMPDIR/program.c" <<'C'
#include <mitosis.h>
#include <string.h>
int main(int argc, char **argv)
{
    mito_start(argc, argv);
    return strcmp(mito_error_name(MITO_E_TIMEOUT), "timeout") != 0;
}
C
    # shellcheck disable=SC2046 # flags
    gcc -Wall -Werror -o "$TMPDIR/program" "$TMPDIR/program.c" $(pkg_config --cflags --libs) &&
        "$TMPDIR/program"
}

installs_a_static_command()
{
    "$root/usr/bin/mitosis" --version >/dev/null &&
        file "$root/usr/bin/mitosis" | grep -q 'statically linked'
}

installs_what_debuggers_need()
{
    make install-debug BUILD="${BUILD%/musl}" PREFIX=/usr DESTDIR="$root" >&2 &&
        file=$root/usr/lib/debug/$(tools/split-debug --name "$root/usr/bin/mitosis") &&
        readelf -SW "$file" | grep -q '\.debug_line' &&
        ! readelf -SW "$root/usr/bin/mitosis" | grep -q '\.debug_line\|\.symtab'
}

# Where it is installed to is where Python looks, also below /usr/local.
installs_where_python_looks()
{
    make -n install BUILD="${BUILD%/musl}" PREFIX=/usr/local >"$TMPDIR/local" &&
        (cd / && /usr/bin/python3 -c 'import sys; print("\n".join(sys.path))') >"$TMPDIR/path" &&
        grep -qx /usr/lib/python3/dist-packages "$TMPDIR/path" &&
        grep -qx "$(sed -n "s|^install -d '\(.*\)/mitosis'$|\1|p" "$TMPDIR/local" | grep python)" "$TMPDIR/path"
}

# Far from the sources: a Python master starts the command, which starts Python.
works_from_python()
{
    cat >"$TMPDIR/master.py" <<'PY'
import sys
import mitogen.utils
import mitosis

@mitogen.utils.run_with_router
def main(router):
    context = mitosis.connect(router, program=sys.argv[1] + '/usr/bin/mitosis')
    assert mitosis.__file__.startswith(sys.argv[1] + '/usr/lib/python3/dist-packages/'), mitosis.__file__
    assert '.' in context.call(mitosis.stubs('main').warm_version)
    python = mitosis.connect(router, via=context, method='python', python_path='/usr/bin/python3')
    assert python.call(sum, [2, 3]) == 5
PY
    (cd / && PYTHONPATH=$root/usr/lib/python3/dist-packages /usr/bin/python3 -B "$TMPDIR/master.py" "$root") &&
        (cd / && PATH=/usr/bin:$PATH "$root/usr/bin/mitosis" run --local 1 --no-prefix --python '6 * 7') |
        grep -qx 42
}

uninstalls_every_file()
{
    make uninstall BUILD="${BUILD%/musl}" PREFIX=/usr DESTDIR="$root" >&2 &&
        [ -d "$root/usr/include" ] && [ -z "$(find "$root" -type f)" ]
}

case_is "make install" installs
case_is "pkg-config --modversion" has_the_version_of_the_header
case_is "a program compiles, links and runs" compiles_links_and_runs
[ ! -d src/cli ] || case_is "the command is static" installs_a_static_command
case_is "make install-debug" installs_what_debuggers_need
case_is "its directory for Python is one of Python's" installs_where_python_looks
case_is "Python imports the package, and is started" works_from_python
case_is "make uninstall" uninstalls_every_file
exit $failed
