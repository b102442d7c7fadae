#!/bin/sh
# The same sources, built in another directory, give the same bytes.
set -eu
cd "$TOP"
failed=0
mkdir "$TMPDIR/a place"
cp -R Makefile include python src tools "$TMPDIR/a place/"
cp "${BUILD%/*}/commit" "$TMPDIR/a place/VERSION"
# The toolchains, which are not built again, are in another place as well.
mkdir "$TMPDIR/a place/other"
cp -R "${BUILD%/*}/toolchain" "$TMPDIR/a place/other/"
products='musl/libmitosis.a musl/mitosis-copy musl/mitosis'
for kind in x86_64 aarch64 armv7 riscv64 i386; do
    [ "$kind" = "$(uname -m)" ] || products="$products $kind/mitosis-copy"
done
(
    cd "$TMPDIR/a place"
    # shellcheck disable=SC2046 # a list
    make -j2 BUILD=other $(printf 'other/%s ' $products)
) >"$TMPDIR/log" 2>&1 || tail -n 20 "$TMPDIR/log"
for product in $products; do
    if cmp "${BUILD%/*}/$product" "$TMPDIR/a place/other/$product" >&2; then
        echo "ok $product is the same"
    else
        echo "not ok $product is the same"
        failed=1
    fi
done
exit $failed
