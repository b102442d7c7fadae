#!/bin/sh
# The same sources, built in another directory, give the same bytes.
set -eu
cd "$TOP"
failed=0
mkdir "$TMPDIR/a place"
cp -R Makefile include python src tools "$TMPDIR/a place/"
cp "${BUILD%/*}/commit" "$TMPDIR/a place/VERSION"
products='libmitosis.a mitosis-copy mitosis'
(
    cd "$TMPDIR/a place"
    # shellcheck disable=SC2046 # a list
    make -j2 BUILD=other $(printf 'other/musl/%s ' $products)
) >"$TMPDIR/log" 2>&1 || tail -n 20 "$TMPDIR/log"
for product in $products; do
    if cmp "$BUILD/$product" "$TMPDIR/a place/other/musl/$product" >&2; then
        echo "ok $product is the same"
    else
        echo "not ok $product is the same"
        failed=1
    fi
done
exit $failed
