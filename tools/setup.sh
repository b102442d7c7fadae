#!/bin/sh
# Installs what is missing for a purpose; does nothing when all is there.
#   setup.sh build|targets|test|bench|dev
# Without apt-get it names what is missing and fails only if one of the commands is not there.
set -eu

# package:command that shows that it is there ("-": none). Of packages with | between them any will
# do, and the first is installed: those that cannot be there side by side.
build="gcc:gcc make:make musl-tools:musl-gcc binutils:objcopy gzip:gzip"
targets="gcc:x86_64-linux-gnu-gcc gcc-aarch64-linux-gnu:aarch64-linux-gnu-gcc
    gcc-arm-linux-gnueabihf:arm-linux-gnueabihf-gcc gcc-i686-linux-gnu:i686-linux-gnu-gcc
    gcc-riscv64-linux-gnu:riscv64-linux-gnu-gcc xz-utils:xz linux-libc-dev:- linux-libc-dev-arm64-cross:-
    linux-libc-dev-armhf-cross:- linux-libc-dev-i386-cross:- linux-libc-dev-riscv64-cross:-
    qemu-user-static:qemu-aarch64-static cmake:cmake meson:meson ninja-build:ninja
    pkgconf:pkg-config"
test="libc6-dev:- clang:clang libclang-rt-dev:- llvm:llvm-symbolizer libcmocka-dev:- clang-format:clang-format
    pkgconf:pkg-config python3:python3 python3-mitogen:- openssh-server:/usr/sbin/sshd
    openssh-client:ssh iproute2:ip iptables:iptables procps:ps util-linux:setsid
    busybox-static:busybox dash:dash ksh:ksh mksh:mksh fish:fish tcsh:tcsh zsh:zsh file:file
    mandoc:mandoc jq:jq strace:strace sudo:sudo opendoas:doas libpam0g-dev:- passwd:usermod
    login:login docker.io:dockerd runc:runc podman:podman buildah:buildah lxc:lxc-start lxd:lxd
    kubernetes-client|kubectl:kubectl bsdutils:script"
# What tests need, too, and Debian 12 has in its backports only.
newer="incus-base:/usr/libexec/incus/incusd incus-client:incus"
bench="libc6-dev:- python3:python3 python3-mitogen:- openssh-server:/usr/sbin/sshd openssh-client:ssh
    iproute2:ip util-linux:nsenter hostname:hostname passwd:useradd jq:jq"
dev="gdb:gdb valgrind:valgrind clang-tidy:clang-tidy shellcheck:shellcheck"

case ${1:-build} in
build) wanted=$build newer= ;;
targets) wanted="$build $targets" newer= ;;
test) wanted="$build $test" ;;
bench) wanted="$build $bench" newer= ;;
dev) wanted="$build $targets $test $bench $dev" ;;
*)
    echo "usage: $0 [build|targets|test|bench|dev]" >&2
    exit 2
    ;;
esac

have_command()
{
    [ "$1" != - ] && command -v "$1" >/dev/null 2>&1
}

have_package()
{
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

have_one_of()
{
    # shellcheck disable=SC2046 # a list
    for name in $(echo "$1" | tr '|' ' '); do
        ! have_package "$name" || return 0
    done
    return 1
}

# What no package brings: musl for the other kinds of machine. One that cannot be had is named here,
# and missed by what needs it.
toolchains()
{
    case $wanted in
    *"$targets"*)
        "$(dirname -- "$0")/toolchain" "${BUILD:-build}/toolchain" \
            x86_64 aarch64 armv7 riscv64 i386 || [ $? -eq 3 ]
        ;;
    esac
}

# The packages of items that are not there.
missing_of()
{
    for item; do
        package=${item%%:*}
        have_one_of "$package" || echo "${package%%|*}"
    done
}

# shellcheck disable=SC2086,SC2046 # lists
if command -v apt-get >/dev/null 2>&1; then
    missing=$(missing_of $wanted)
    newer_missing=$(missing_of $newer)
    if [ -z "$missing$newer_missing" ]; then
        toolchains
        exit 0
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        if ! have_command sudo; then
            echo Missing, and neither root nor sudo to install it: $missing $newer_missing >&2
            exit 1
        fi
    fi
    echo Installing: $missing $newer_missing
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -q </dev/null
    backports=
    for package in $newer_missing; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            missing="$missing $package"
        else
            backports="$backports $package"
        fi
    done
    # sudo drops the environment
    [ -z "$missing" ] || $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends $missing </dev/null
    [ -z "$backports" ] || $as_root "${0%/*}/from-backports" $backports ||
        echo "NOT INSTALLED:$backports. Tests that need it will fail." >&2
    toolchains
    exit 0
fi

libraries='' missing=''
for item in $wanted $newer; do
    package=${item%%:*} command=${item#*:}
    if [ "$command" = - ]; then
        libraries="$libraries $package"
    else
        have_command "$command" || missing="$missing $command"
    fi
done
[ -z "$libraries" ] || echo "No apt-get here. Needed (names of Debian packages):$libraries"
if [ -n "$missing" ]; then
    echo "No apt-get here, and these commands are missing:$missing" >&2
    exit 1
fi
