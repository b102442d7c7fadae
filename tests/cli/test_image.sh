#!/bin/bash
# mitosis image: what a program carries, also one that is damaged.
# shellcheck source=lib.sh
# shellcheck disable=SC2154 # $status
. "$(dirname "$0")/lib.sh"

# A static program for this machine, one for another (only its headers), and a dynamic one.
own=$(uname -m)
static=$BUILD/examples/hello
printf 'int main(void)\n{\n    return 7;\n}\n' >"$WORK/seven.c"
gcc -o "$WORK/dynamic" "$WORK/seven.c" || exit 1
musl-gcc -static -Wl,--build-id=0x0123456789abcdef -o "$WORK/seven" "$WORK/seven.c" || exit 1
# other FROM NUMBER: a copy that says it is for the machine of that ELF number.
other() {
    objcopy -S "$1" "$3"
    printf "\\x$(printf %02x "$2")" | dd of="$3" bs=1 seek=18 conv=notrunc status=none
}
other "$WORK/seven" 183 "$WORK/aarch64"

binds() {
    cp "$WORK/dynamic" program
    chmod 750 program
    mitosis image list program
    expect 0
    equal "$(wc -l <out)" 1
    mitosis image bind program "$static" "$WORK/aarch64"
    expect 0 "" ""
    equal "$(stat -c %a program)" 750
    mitosis image list program
    expect 0 - ""
    equal "$(awk '{ print $1, $2 }' out)" "KIND SIZE
$own $(stat -c %s "$static")
aarch64 $(stat -c %s "$WORK/aarch64")"
    equal "$(awk 'NR == 2 { print $4 }' out)" "$(sha256sum <"$static" | cut -d' ' -f1)"
    mitosis image check program
    expect 0 "$own: ok
aarch64: ok" ""
    status=0
    ./program || status=$?
    equal "$status" 7
    # One for the same kind is replaced, without its symbols; the other stays.
    mitosis image bind program "$WORK/seven"
    expect 0 "" ""
    mitosis image list --json program
    equal "$(jq -r '.kind + " " + (.build_id // "none")' out)" "$own 0123456789abcdef
aarch64 0123456789abcdef"
    equal "$(jq -s '.[0].packed_size < .[0].size' out)" true
    equal "$(jq -r .sha256 out | tail -n 1)" "$(sha256sum <"$WORK/aarch64" | cut -d' ' -f1)"
    mitosis image extract program "$own"
    expect 0 "" ""
    objcopy -S "$WORK/seven" bare
    cmp bare "program.$own"
    [ -x "program.$own" ]
}

# What is bound to an image comes along, and not twice; the program itself stays as it was. It is
# bound as well where others are, but not alone.
binds_what_is_bound() {
    cp "$WORK/seven" carrier
    mitosis image list carrier
    equal "$(awk 'NR > 1 { print $1, $3 }' out)" "$own itself"
    mitosis image check carrier
    expect 0 "$own: the program itself" ""
    mitosis image bind carrier "$WORK/aarch64"
    expect 0 "" ""
    mitosis image bind carrier "$WORK/aarch64"
    expect 0 "" ""
    mitosis image bind -o program "$WORK/dynamic" carrier
    expect 0 "" ""
    mitosis image list program
    equal "$(awk 'NR > 1 { print $1 }' out)" "$own
aarch64"
    mitosis image extract -o - program "$own"
    objcopy -S "$WORK/seven" bare
    cmp bare out
    mitosis image list carrier
    equal "$(awk 'NR > 1 { print $1, $3 == "itself" }' out)" "$own 0
aarch64 0"
    equal "$(awk 'NR == 2 { print $4 }' out)" "$(sha256sum <bare | cut -d' ' -f1)"
    mitosis image check carrier
    expect 0 "$own: ok
aarch64: ok" ""
    mitosis image extract -o mine carrier "$own"
    cmp bare mine
}

refuses() {
    cp "$WORK/dynamic" program
    mitosis image bind program "$WORK/dynamic"
    expect 1 "" "mitosis: $WORK/dynamic: not static: it would need its libraries on every machine.\
 Build it with mitosis cc, or against musl with -static"
    other "$WORK/seven" 8 mips
    mitosis image bind program mips
    expect 1 "" "mitosis: mips: an executable for a kind of machine that there are no images for"
    mitosis image bind program nothing
    expect 1 "" "mitosis: cannot read nothing: No such file or directory"
    mitosis image bind program /etc/passwd
    expect 1
    cmp program "$WORK/dynamic"
    mitosis image list nothing
    expect 1
    mitosis image list /etc/passwd
    expect 1 - "mitosis: /etc/passwd: not an ELF executable of a little endian machine"
    mitosis image check program
    expect 0 "" "mitosis: program: no image for its own kind, $own: it is not static, and cannot be one"
    mitosis image extract program riscv64
    expect 1 "" "mitosis: program: no image for riscv64; those bound to it: none"
    mitosis image bind program /etc
    expect 1 "" "mitosis: cannot read /etc: Is a directory"
    equal "$(ls)" "err
mips
out
program"
}

usage() {
    local pair
    for pair in "nothing to do; see mitosis image --help=" "unknown action 'fly'; see mitosis image --help=fly" \
        "list: no file=list"; do
        # shellcheck disable=SC2086 # none or one
        mitosis image ${pair##*=}
        expect 2 "" "mitosis: image${pair:+$([ "${pair#list}" = "$pair" ] && echo :)} ${pair%=*}"
    done
    mitosis image list a b
    expect 2 "" "mitosis: image list: 'b' is too much"
    mitosis image extract a
    expect 2 "" "mitosis: image extract: no kind of machine"
    mitosis image extract "$static" vax
    expect 2 "" "mitosis: unknown kind of machine 'vax'; see mitosis image --help"
    mitosis image bind a
    expect 2 "" "mitosis: image bind: no images to bind"
    mitosis image check --json a
    expect 2 "" "mitosis: image check: unknown option --json"
    mitosis image extract a b -o
    expect 2 "" "mitosis: option -o needs a value"
    mitosis image list --help
    expect 0 - ""
}

# damage OFFSET ERROR: the byte at that offset of the section's content is another one.
section_of() {
    readelf -SW "$1" | awk '/\.mitosis\.images/ { sub(/.*PROGBITS */, ""); print $2 }'
}
damage() {
    cp good program
    local at=$((0x$(section_of good) + $1)) byte
    byte=$(od -An -tu1 -j $at -N 1 program)
    printf "\\x$(printf %02x $((byte ^ 0x41)))" | dd of=program bs=1 seek=$at conv=notrunc status=none
    mitosis image check program
    equal "$status" 1
    grep -q "$2" err
}
finds_damage() {
    mitosis image bind -o good "$WORK/dynamic" "$WORK/aarch64"
    mitosis image check good
    expect 0
    damage 0 "another version"
    damage 8 "number of images"
    damage 12 "kind of machine that is not known\|table of images"
    damage 28 "table of images"
    damage 36 "aarch64: .* bytes\|aarch64: gzip wrote more\|table of images"
    damage 39 "aarch64: .* bytes\|aarch64: gzip wrote more"
    damage 40 "aarch64: its SHA-256 is not"
    damage 71 "aarch64: its SHA-256 is not"
    damage 200 "gzip failed\|aarch64: gzip wrote more"
    # The image is for another machine than its entry says.
    cp good program
    printf 'riscv64' | dd of=program bs=1 seek=$((0x$(section_of good) + 12)) conv=notrunc status=none
    mitosis image check program
    equal "$status" 1
    grep -q "^mitosis: program: riscv64: a program for aarch64$" err
    head -c 5000 good >program
    mitosis image check program
    equal "$status" 1
}

check binds binds
check binds-what-is-bound binds_what_is_bound
check refuses refuses
check usage usage
check finds-damage finds_damage
finish
