#!/bin/bash
# Bad input: one line on stderr, status 2, and nothing is started.
# shellcheck source=lib.sh
# shellcheck disable=SC2016,SC2086,SC2154 # scripts for other shells; lists; $status
. "$(dirname "$0")/lib.sh"

subcommands() {
    refused "no subcommand; see mitosis --help"
    refused "no subcommand; see mitosis --help" ""
    refused "unknown subcommand 'fly'; see mitosis --help" fly
    refused "unknown option '--fly'; see mitosis --help" --fly
    refused 'unknown subcommand '\''a\x0ab\x1b[31m'\''; see mitosis --help' $'a\nb\e[31m'
}

options() {
    refused "unknown option --fly" run --fly -- true
    refused "unknown option -z" run -z -- true
    refused "unknown option --group=x" run --group=x -- true
    refused "option -H needs a value" run -H
    refused "option --timeout needs a value" run --local 1 --timeout
    refused "--timeout: bad number of seconds 'x'" run --local 1 --timeout x true
    refused "--timeout: bad number of seconds '0'" run --local 1 --timeout 0 true
    refused "--parallel: '0' is not in 1 to 4096" run --local 1 --parallel 0 true
    refused "--parallel: '1e3' is not in 1 to 4096" run --local 1 --parallel 1e3 true
    refused "--local: bad number '0'" run --local 0 true
    refused "--local: bad number '-1'" run --local -1 true
    refused "--group, --json and --no-prefix exclude each other" run --local 1 --group --json true
    refused "--via is given twice; it takes a whole route, as in a/b/c" \
        run --via local: --via local: -H local: true
    refused "unknown option --timeout" tree --timeout 5 local:
}

nothing_to_do() {
    refused "no hosts: name them with -H, -f or --local" run -- true
    refused "no hosts: name them with -H, -f or --local" run --via local: -- true
    refused "no hosts: name them with -H, -f or --local" run -H ' , ' true
    refused "no hosts: name them with -H, -f or --local" run -f /dev/null true
    refused "no command to run" run --local 1
    refused "no command to run" run --local 1 --
    refused "no command to run" run --local 1 -- ""
    refused "no routes" tree
}

# Each would start a context first if it was not looked at as a whole before.
hosts() {
    touch never
    refused "bad range '[3-1]'" run -H 'local:,web[3-1]' touch never
    refused "'[' without ']' in 'web[1-3'" run -H 'local:,web[1-3' true
    refused "more than 100000 hosts" run -H 'w[1-1000]x[1-1000]' true
    refused "bad route 'vserver:c1': unknown method 'vserver'" run -H local:,vserver:c1 true
    refused "bad route 'web?speed=1': method ssh has no option 'speed'" run -H 'local:,web?speed=1' true
    refused "bad route 'web?port=x': port: 'x' is not in 1 to 65535" run -H 'local:,web?port=x' true
    refused "bad route '-oProxyCommand=id': hostname '-oProxyCommand=id' starts with '-'" \
        run -H local:,-oProxyCommand=id true
    refused "bad route 'a//b': empty hop" run -H 'local:,a//b' true
    refused "bad route 'a/': empty hop" run --via a/ -H local: true
    refused "--via takes one route, not 'a,b'" run --via a,b -H local: true
}

methods() {
    refused "bad route 'docker:': docker: no container or image given" run -H local:,docker: true
    refused "bad route 'docker:a?image=b': docker: both container and image given" tree 'docker:a?image=b'
    refused "bad route 'setns:web': setns: container and kind go together" run -H setns:web true
    refused "bad route 'sudo:?set_home=1': set_home is no or yes, not '1'" run -H 'sudo:?set_home=1' true
    refused "bad route 'sudo:-s': username '-s' starts with '-'" run -H sudo:-s true
    refused "--sudo: username '-s' starts with '-'" run --local 1 --sudo=-s true
    refused "--sudo: method sudo has no option 'x'" run --local 1 '--sudo=ci?x=1' true
    refused "--sudo: empty username" run --local 1 --sudo= true
    refused "--sudo is given twice" run --local 1 --sudo --sudo=ci true
}

# One in a route would be seen in the list of processes, or stay in a file. It is not shown again.
passwords() {
    refused "bad route 'local:/sudo:?password=...': a password has no place in a route; use --ask-pass" \
        run -H 'local:/sudo:?password=geheim' true
    refused "bad route 'web?password=...': a password has no place in a route; use --ask-ssh-pass" \
        tree 'web?password=geheim&port=22'
    refused "--sudo: a password has no place in a route; use --ask-pass" \
        run --local 1 '--sudo=ci?password=geheim' true
    refused "--ask-pass: there is no hop of sudo, su, doas" run --local 1 --ask-pass true
    refused "--ask-ssh-pass: there is no hop of ssh" tree --ask-ssh-pass --sudo local:
    refused "unknown option --ask-pass=geheim" run --local 1 --sudo --ask-pass=geheim true
}

files() {
    printf 'local:\n# comment\nw[1-\n' >hosts
    refused "hosts:3: '[' without ']' in 'w[1-'" run -f hosts true
    refused "cannot read nowhere: No such file or directory" run -f nowhere true
    refused "/:1: cannot read: Is a directory" run -f / true
    printf 'web\0\n' >hosts
    refused "hosts:1: a NUL byte" run -f hosts true
    printf 'a b\n' | {
        status=0
        "$MITOSIS" run -f - -H 'x[' true >out 2>err || status=$?
        equal "$status" 2
        equal "$(cat err)" "mitosis: '[' without ']' in 'x['"
    }
}

control_characters() {
    refused 'bad route '\''w\x1bb'\'': control character in hostname' run -H $'local:,w\eb' true
    refused 'bad route '\''w\x9bb'\'': hostname is not UTF-8' run -H $'local:,w\x9bb' true
    printf 'w\vb\n' >hosts
    refused 'bad route '\''w\x0bb'\'': control character in hostname' run -f hosts true
}

nothing_is_started() {
    command -v strace >/dev/null || { echo "strace is missing"; return 1; }
    local arguments
    for arguments in "-H local:,web[ true" "--local 2" "-H local:,-x true" "--local 1 --frob true"; do
        # shellcheck disable=SC2086 # several arguments
        strace -f -o trace -e trace=process,network "$MITOSIS" run $arguments >out 2>err || :
        grep -q 'exited with 2' trace
        equal "$(grep -cE '(clone|fork|vfork|socket|socketpair)\(' trace || :)" 0
    done
}

help_and_version() {
    mitosis --version
    expect 0 "mitosis $(sed -n 's/^#define MITO_VERSION "\(.*\)"$/\1/p' "$TOP/include/mitosis.h")
commit $(cat "${BUILD%/*}/commit")
kinds $(uname -m)" ""
    mitosis --help
    expect 0 - ""
    grep -q '^  run ' out
    grep -q '^  tree ' out
    mitosis run --help
    expect 0 - ""
    grep -q '^usage: mitosis run ' out
    mitosis run -h
    expect 0 - ""
    mitosis tree --help
    expect 0 - ""
    grep -q '^usage: mitosis tree ' out
    status=0
    "$MITOSIS" --help >/dev/full 2>err || status=$?
    equal "$status" 1
    equal "$(cat err)" "mitosis: cannot write: No space left on device"
}

manual_page() {
    command -v mandoc >/dev/null || { echo "mandoc is missing"; return 1; }
    mandoc -T lint -W warning "$TOP/docs/man/mitosis.1"
    # Every option of the help is in the manual page.
    "$MITOSIS" run --help | grep -oE -- '--[a-z-]+' | sort -u >options
    mandoc -T ascii "$TOP/docs/man/mitosis.1" | sed 's/.\x08//g' >page
    while read -r option; do
        grep -q -- "$option" page || { echo "$option is missing"; return 1; }
    done <options
    # And every option of every method.
    sed -nE 's/^ +(ROW|LIST)\([a-z]+, ([a-z_]+).*/\2/p' "$TOP/src/cli/method.c" | grep -vx password |
        sort -u >options
    [ "$(wc -l <options)" -gt 30 ]
    while read -r option; do
        grep -qw -- "$option" page || { echo "$option is missing"; return 1; }
    done <options
}

for test in subcommands options nothing_to_do hosts methods passwords files control_characters nothing_is_started \
    help_and_version manual_page; do
    check $test $test
done
finish
