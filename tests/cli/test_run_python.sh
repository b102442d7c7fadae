#!/bin/bash
# mitosis run --python and --script: values, output, exceptions, ends; in contexts of local hosts.
# shellcheck source=lib.sh
# shellcheck disable=SC2154 # $status
. "$(dirname "$0")/lib.sh"

export PATH=/usr/bin:$PATH # Debian's Python, which has Mitogen

# (A test that fails has not come to it.)
end_server() {
    [ ! -e "$WORK/server" ] || kill "$(cat "$WORK/server")" 2>/dev/null || :
}
cleanup+=(end_server)

# Pythons that are contexts of the mitosis with this pid, at any depth.
pythons() {
    local pid
    for pid in $(below "$1"); do
        tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | head -n 1 | grep -q '^/.*(mitosis:' && echo "$pid"
    done
    return 0
}

# ---- expressions ------------------------------------------------------------------------------

expressions() {
    mitosis run --local 2 --group --python 'platform.node()'
    expect 0 - ""
    equal "$(cat out)" $'---------------\nlocal[1-2] (2)\n---------------\n'"$(uname -n)"
    # Names that are bound in it are no modules; a module in a package is imported when it is named.
    mitosis run --local 1 --json --python '[
        [math.floor(os) for os in (1.5, 2.5)], (lambda re: re + 1)(1),
        xml.etree.ElementTree.fromstring("<a/>").tag, os.path.basename("a/b"), 1e100, None, {1: "é\"\n"}]'
    expect 0 - ""
    jq -e '.value == [[1, 2], 2, "a", "b", 1e100, null, {"1": "é\"\n"}] and .status == 0 and
        (.stdout | startswith("[[1, 2], 2, ")) and .context > 1' out >/dev/null
}

# What only the master's interpreter imports is not taken from the current directory.
current_directory() {
    mkdir here
    echo 'raise SystemExit("from the current directory")' | tee here/mitogen.py >here/sysconfig.py
    cd here
    mitosis run --local 1 --python '6 * 7'
    expect 0 "local1: 42" ""
}

# Whoever asks for names without end does not fill the memory of the master.
names() {
    PYTHONPATH=$TOP/python/mitosis python3 -B - <<'PY'
import modules
modules.NAMES_MAX = 100
finder = modules.Finder([])
finder.add_text('ours', b'')
for i in range(1000):
    assert finder.find('x%d' % i) is None
assert max(len(finder.specs), len(finder.known)) <= 100, (len(finder.specs), len(finder.known))
assert finder.find('ours') is not None
PY
}

# Each text is parsed once, however many need it.
parsed_once() {
    mkdir many
    for i in {0..9}; do
        echo "import m0, m1, m2, m3, m4, m5, m6, m7, m8, m9" >many/m$i.py
    done
    PYTHONPATH=$TOP/python/mitosis python3 -B - <<'PY'
import ast, io, modules
parsed, parse = [], ast.parse
ast.parse = lambda *args: parsed.append(args) or parse(*args)
server = modules.Server(['many'])
server.out = io.BytesIO()
server.answer('m0')
assert server.out.getvalue().count(b'found m') == 10
assert len(parsed) == 10, len(parsed)
PY
}

# What JSON has not is text alone.
values() {
    PYTHONPATH=$TOP/src/cli python3 -B - <<'PY'
import functools, math, mitosis_run
for value in None, 1, 'x', [1, [2.5]], {'a': None}:
    assert mitosis_run.plain(value) == [value], value
deep = functools.reduce(lambda a, _: [a], range(50), 0)
for value in math.nan, {1, 2}, deep, b'x', 'x' * 2000000:
    assert mitosis_run.plain(value) == [], value
PY
    mitosis run --local 1 --json --python '10**30'
    jq -e '.status == 0 and (has("value") | not) and (.stdout | length == 32)' out >/dev/null
}

exceptions() {
    mitosis run --local 2 --python '1 / 0'
    equal "$status" 1
    equal "$(cat out)" ""
    grep -qx 'local1:   File "<expression>", line 1, in <module>' err
    grep -qx 'local2: ZeroDivisionError: division by zero' err
    grep -qx 'mitosis: local\[1-2\]: exited with status 1' err
    equal "$(grep -c Traceback err)" 2
    mitosis run --local 1 --python 'nosuch.thing'
    equal "$status" 1
    grep -qx "local1: NameError: name 'nosuch' is not defined" err
    mitosis run --local 1 --python 'a = 1'
    equal "$status" 1
    grep -q '^local1: SyntaxError: ' err
    ! grep -q mitosis_run err
}

# ---- scripts ----------------------------------------------------------------------------------

scripts() {
    mkdir -p src/package
    echo 'from . import inner' >src/package/__init__.py
    echo 'VALUE = 42' >src/package/inner.py
    cat >src/my-script.py <<'PY'
import logging, os, subprocess, sys
import package

def main(*args):
    print(package.inner.VALUE, __name__, sys.argv[0], args == tuple(sys.argv[1:]))
    sys.stdout.buffer.write(b''.join(os.fsencode(a) + b'.' for a in args) + b'\n')
    sys.stdout.flush()
    subprocess.run('echo from a command; echo and its error >&2', shell=True)
    print('said', file=sys.stderr)
    logging.basicConfig(level=logging.INFO)
    logging.info('logged')
    if args and args[0] == 'exit':
        sys.exit(7)
    if args and args[0] == 'raise':
        raise ValueError('two\nlines')
    return {'length': len(args)}
PY
    # (Not where its modules are: the hosts are on this machine, too.)
    mkdir -p elsewhere
    cd elsewhere || return
    mitosis run --local 1 --script ../src/my-script.py a 'b  c' $'\xff' -- --json
    equal "$status" 0
    equal "$(od -c out)" "$(printf '%s\n' '42 mitosis_script ../src/my-script.py True' \
        $'a.b  c.\xff.--.--json.' 'from a command' "{'length': 5}" | sed 's/^/local1: /' | od -c)"
    equal "$(cat err)" $'local1: and its error\nlocal1: said\nlocal1: INFO:root:logged'
    mitosis run --local 1 --json --script ../src/my-script.py exit
    equal "$status" 1
    jq -e '.status == 7 and .stderr == "and its error\nsaid\nINFO:root:logged\n" and (has("value") | not)' out >/dev/null
    mitosis run --local 1 --script ../src/my-script.py raise
    equal "$status" 1
    grep -qx 'local1:   File "../src/my-script.py", line 15, in main' err
    grep -qx "local1:     raise ValueError('two.nlines')" err
    grep -qx 'local1: lines' err
    echo 'x = 1' >nothing.py
    mitosis run --local 1 --script nothing.py
    expect 1 "" $'local1: nothing.py: there is no function main in it\nmitosis: local1: exited with status 1'
}

# A copy that comes back out of main ends there.
forks() {
    cat >forks.py <<'PY'
import os, sys
def main(how):
    pid = os.fork()
    if pid:
        return os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    if how == 'exit':
        sys.exit(5)
PY
    mitosis run --local 1 --timeout 20 --script forks.py exit
    expect 0 "local1: 5" ""
    mitosis run --local 1 --timeout 20 --script forks.py return
    expect 0 "local1: 0" ""
}

much_output() {
    cat >much.py <<'PY'
import os, sys
def main():
    data = bytes(range(256)) * 10000
    for stream in sys.stdout, sys.stderr:
        stream.buffer.write(data)
        stream.flush()
    for i in range(50000):
        print(i)
PY
    mitosis run --local 1 --no-prefix --script much.py
    equal "$status" 0
    cmp err <(python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 10000)')
    cmp out <(cat err; seq 0 49999)
}

# It is waited for while it holds the output. (And None is not printed.)
background() {
    mitosis run --local 1 --json --python 'subprocess.Popen("sleep 0.7; echo late", shell=True) and None'
    jq -e 'has("value") and .value == null and .status == 0 and .stdout == "late\n"' out >/dev/null
}

# ---- ends -------------------------------------------------------------------------------------

# What it has started ends with it, also when that does not want to.
timeouts() {
    new_id
    mitosis run --local 1 --json --timeout 3 --python \
        "[print('before'), subprocess.run(['sh', '-c', 'trap \"\" TERM; sleep $ID; sleep $ID'])]"
    equal "$status" 1
    jq -e '.error == "timed out after 3 s" and .signal == 15 and .stdout == "before\n"' out >/dev/null
    within 5 are_sleeping 0
    mitosis run --local 1 --timeout 1 --python '[signal.signal(signal.SIGTERM, signal.SIG_IGN), time.sleep(100)]'
    expect 1 "" "mitosis: local1: timed out after 1 s"
}

# A signal that comes before anything runs waits for it.
told_early() {
    PYTHONPATH=$TOP/src/cli python3 -B - <<'PY'
import os, signal, mitosis_run
stop = mitosis_run.Stop.__new__(mitosis_run.Stop)
stop.started = stop.armed = stop.told = False
signal.signal(signal.SIGTERM, stop.on_signal)
os.kill(os.getpid(), signal.SIGTERM)
try:
    stop.arm()
except SystemExit as end:
    os._exit(0 if end.code == 128 + signal.SIGTERM else 1)
os._exit(1)
PY
}

interrupted() {
    new_id
    timeout -k 5 "$LIMIT" "$MITOSIS" run --local 2 --python "os.system('sleep $ID')" >out 2>err &
    local pid=$!
    within 30 are_sleeping 2
    kill -INT "$(pgrep -P $pid)"
    status=0
    wait $pid || status=$?
    expect 130 "" "mitosis: local[1-2]: interrupted"
    within 5 are_sleeping 0
}

no_interpreter() {
    mitosis run --local 2 --python 1 --python-path /no/python
    equal "$status" 3
    equal "$(cat out)" ""
    equal "$(grep -c '/no/python: no such program here; install it or give its path' err)" 2
    mitosis run --local 1 --python 'os._exit(3)'
    equal "$status" 3
    grep -q '^mitosis: local1: .*exited with status 3' err
}

# ---- mitosis serve ----------------------------------------------------------------------------

# The hosts stay, their Pythons do not: each run has its own.
served() {
    local pid host
    mkdir modules
    echo 'VALUE = 6' >modules/helper.py
    printf 'import helper, os\ndef main():\n print(helper.VALUE, os.getppid())\n' >script.py
    "$MITOSIS" serve --modules "$PWD/modules" socket >server.out 2>server.err &
    local server=$!
    echo $server >"$WORK/server"
    within 20 test -S socket
    mitosis run --connect socket --local 1 --no-prefix --script script.py
    equal "$status" 0
    host=$(cat out)
    mitosis run --connect socket --local 1 --no-prefix --script script.py
    equal "$(cat out)" "$host"
    equal "${host% *}" 6
    within 5 no_pythons "$server"
    "$MITOSIS" run --connect socket --local 1 --python 'time.sleep(1000)' >out 2>err &
    pid=$!
    within 30 is_busy "$server"
    kill -KILL $pid
    within 10 no_pythons "$server"
    mitosis run --connect socket --local 1 --no-prefix --timeout 1 --python 'time.sleep(1000)'
    equal "$status" 1
    within 5 no_pythons "$server"
    local delay
    for delay in 0.05 0.2; do # what is being opened is ended, too
        "$MITOSIS" run --connect socket --local 2 --python 'time.sleep(1000)' >out 2>err &
        sleep $delay
        kill -TERM $!
        status=0
        wait $! || status=$?
        equal "$status" 143
    done
    sleep 0.5 # one that was left would be there by now
    within 5 no_pythons "$server"
    kill "$server"
    wait "$server"
    rm "$WORK/server"
    equal "$(cat server.err)" ""
}
no_pythons() {
    [ -z "$(pythons "$1")" ]
}
is_busy() { # it has its own handler for SIGTERM then
    local python
    python=$(pythons "$1")
    [ -n "$python" ] && [ $((0x$(sed -n 's/^SigCgt:\t//p' "/proc/$python/status") & 1 << 14)) -ne 0 ]
}

# ---- bad usage --------------------------------------------------------------------------------

usage() {
    refused "--python takes no command and no arguments, such as 'x'" run --local 1 --python 1 -- x
    refused "--python and --script exclude each other" run --local 1 --python 1 --script x.py
    refused "--python is given twice" run --local 1 --python 1 --python 2
    refused "--python: nothing is given" run --local 1 --python ''
    refused "--python-path is for --python and --script" run --local 1 --python-path python3 -- true
    refused "--script: cannot read no.py: No such file or directory" run --local 1 --script no.py
    refused "--modules: no: No such file or directory" serve --modules no socket
    touch file
    refused "--modules: file is no directory" serve --modules file socket
    refused "--script: cannot read .: Is a directory" run --local 1 --script .
    refused "--script: /dev/zero has more than 1048576 bytes" run --local 1 --script /dev/zero
    refused "python_path '-c' starts with '-'" run --local 1 --python 1 --python-path=-c
    refused "bad route 'local:a/python:': python: has no place in a route; see run --python" \
        run -H local:a/python: -- true
}

for test in expressions current_directory names parsed_once values exceptions scripts forks much_output \
    background timeouts told_early interrupted no_interpreter served usage; do
    check $test $test
done
finish
