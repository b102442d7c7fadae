"""What run --python and run --script do on a host: the module mitosis_run of a Python context that
was started for that one run (src/cli/python_run.c has this text in it).

Here as with commands (src/cli/remote.h): to `output` goes first a receiver, as a request that is
never answered, then what is written, as requests (stream, data) that are answered when it has been
taken in. A message to that receiver, or its end, ends the run.
"""
import ast
import builtins
import collections
import io
import json
import linecache
import logging
import os
import signal
import symtable
import sys
import threading
import time
import traceback
import types

import mitogen.core

GRACE = 1.0  # seconds between SIGTERM and SIGKILL
LAST_WORDS = 0.5  # for the answer to be sent, when it was told to stop
CHUNK_MAX = 65536
VALUE_MAX = 1 << 20  # bytes of a result as JSON
DEPTH_MAX = 32
STOPPED = 128 + signal.SIGTERM


def handle_of(router, function, command):
    """What comes from above is taken, and that the command is gone."""
    return router.add_handler(function, policy=mitogen.core.has_parent_authority,
                              respondent=command)


class Stream(threading.Thread):
    """Carries what is written to a descriptor, standard output or error, to the command."""

    def __init__(self, fd, output, window, router):
        super().__init__(daemon=True)
        self.fd, self.output, self.window = fd, output, window
        self.total = self.unanswered = 0
        self.deaf = False
        self.lengths = collections.deque()
        self.changed = threading.Condition()
        self.handle = handle_of(router, self.on_answer, output.context)
        self.reader, writer = os.pipe()
        self.before = os.dup(fd)
        os.dup2(writer, fd)
        os.close(writer)
        self.file = io.open(fd, 'w', 1, 'utf-8', errors='backslashreplace', closefd=False)

    def on_answer(self, msg):
        with self.changed:
            if msg.is_dead or not self.lengths:
                self.deaf = True
            else:
                self.unanswered -= self.lengths.popleft()
            self.changed.notify()

    def room(self):
        with self.changed:
            while self.unanswered >= self.window and not self.deaf:
                self.changed.wait()
            return CHUNK_MAX if self.deaf else min(CHUNK_MAX, self.window - self.unanswered)

    def send(self, data):
        with self.changed:
            self.total += len(data)
            if self.deaf:
                return
            self.unanswered += len(data)
            self.lengths.append(len(data))
        self.output.context.send(mitogen.core.Message.pickled(
            (self.fd, data), handle=self.output.dst_handle, reply_to=self.handle))

    def run(self):
        while True:
            data = os.read(self.reader, self.room())
            if not data:
                break
            self.send(data)
        os.close(self.reader)

    def finish(self):
        """No more is written here; what runs in the background may write on."""
        if not self.file.closed:
            self.file.flush()
        os.dup2(self.before, self.fd)
        os.close(self.before)


class Stop:
    """Ends the run when the command says so, or is gone: all of the process group, this process
    too, after a while."""

    def __init__(self, output, router):
        self.started = self.armed = self.told = False
        self.done = threading.Event()
        if os.getpgrp() != os.getpid():
            os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, self.on_signal)
        handle = handle_of(router, self.on_message, output.context)
        sender = mitogen.core.Sender(router.myself(), handle)
        output.context.send(mitogen.core.Message.pickled(
            sender, handle=output.dst_handle, reply_to=handle))

    def on_message(self, msg):
        if not self.started:
            self.started = True
            threading.Thread(target=self.end, daemon=True).start()

    def end(self):
        os.killpg(os.getpid(), signal.SIGTERM)
        if not self.done.wait(GRACE):
            os.killpg(os.getpid(), signal.SIGKILL)
        time.sleep(LAST_WORDS)
        os.kill(os.getpid(), signal.SIGKILL)

    def on_signal(self, number, frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.told = True
        if self.armed:
            raise SystemExit(STOPPED)

    def arm(self):
        """From now on, and not before, it is an exception in the main thread."""
        self.armed = True
        if self.told:
            raise SystemExit(STOPPED)

    def finish(self):
        """All is done. When it was to stop, what it left in its group is killed."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN if self.started else signal.SIG_DFL)
        if self.started:
            kill_group()
        self.done.set()


def kill_group():
    """All but this process, as it has an answer to give."""
    for entry in os.listdir('/proc'):
        try:
            with open('/proc/%s/stat' % entry) as fp:
                pid, pgrp = int(entry), int(fp.read().rpartition(')')[2].split()[2])
            if pgrp == os.getpid() != pid:
                os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            continue


# -- what is run ---------------------------------------------------------------------------------

def remember(path, source):
    """So that tracebacks can show the lines."""
    lines = source.decode('utf-8', 'replace').splitlines(True)
    linecache.cache[path] = (len(source), None, lines, path)


def free_names(table):
    """Those that the expression does not bind itself."""
    names = set(symbol.get_name() for symbol in table.get_symbols()
                if symbol.is_global() and not symbol.is_assigned())
    return names.union(*map(free_names, table.get_children()))


def import_names(tree, wanted):
    """Imports the modules that an expression names: `a.b.c` stands for module a, and for a.b when
    that is a module which has to be imported by itself. Returns them by their names."""
    modules = {}
    for node in ast.walk(tree):
        names = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id in wanted and not hasattr(builtins, node.id):
            import_chain(modules, node.id, names)
    return modules


def import_chain(modules, first, names):
    if not can_import(first):
        return  # evaluating it says that there is no such name
    modules[first] = at = sys.modules[first]
    full = first
    for name in names:
        full += '.' + name
        if not hasattr(at, name) and not (hasattr(at, '__path__') and can_import(full)):
            return
        at = getattr(at, name, None)
        if not isinstance(at, types.ModuleType):
            return


def can_import(name):
    try:
        __import__(name)
    except ImportError as error:
        if repr(name) not in str(error):  # but what it imports
            raise
        return False
    return name in sys.modules


def evaluate(path, source, args):
    text = source.strip()
    tree = compile(text, path, 'eval', ast.PyCF_ONLY_AST, True)
    names = import_names(tree, free_names(symtable.symtable(text, path, 'eval')))
    names['__name__'] = 'mitosis_expression'
    return eval(compile(tree, path, 'eval', 0, True), names)


def call_main(path, source, args):
    module = types.ModuleType('mitosis_script')
    module.__file__ = path
    sys.modules['mitosis_script'] = module
    sys.argv = [path] + args
    exec(compile(source, path, 'exec', 0, True), module.__dict__)
    if not callable(getattr(module, 'main', None)):
        raise SystemExit('%s: there is no function main in it' % path)
    return module.main(*args)


# -- how it ends ---------------------------------------------------------------------------------

def status_of(code):
    """The exit status for the code of a SystemExit, as the interpreter's own."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xff
    print(code, file=sys.stderr)
    return 1


def describe():
    """The exception, with a traceback that begins where our own functions end."""
    kind, value, tb = sys.exc_info()
    while tb is not None and tb.tb_frame.f_code.co_filename == describe.__code__.co_filename:
        tb = tb.tb_next
    traceback.print_exception(kind, value, tb)


def depth_of(value):
    inside = value.values() if isinstance(value, dict) else \
        value if isinstance(value, list) else ()
    return 1 + max([depth_of(item) for item in inside] or [0])


def plain(value):
    """[the value as JSON has it], or [] when that has no such."""
    try:
        text = json.dumps(value, allow_nan=False)
        if len(text) > VALUE_MAX or depth_of(json.loads(text)) > DEPTH_MAX:
            return []
        return [json.loads(text)]
    except Exception:
        return []


def perform(function, path, source, args):
    """(exit status, [its result])"""
    try:
        value = function(path, source, args)
        if value is not None:
            print(value)
        return 0, plain(value)
    except SystemExit as end:
        return status_of(end.code), []
    except BaseException:
        describe()
        return 1, []


def with_output(streams, function, *args):
    saved = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = [stream.file for stream in streams]
    try:
        return function(*args)
    finally:
        sys.stdout, sys.stderr = saved
        for stream in streams:
            stream.finish()


def end_if_copy(pid, status):
    """Whoever comes back out of a function after fork() is not the one who answers."""
    if os.getpid() != pid:
        os._exit(status)


def wait_for_output(stop, streams):
    """Until all have closed it, also what runs in the background; not once it is to stop."""
    for stream in streams:
        while stream.is_alive() and not stop.started:
            stream.join(0.2)
        stream.join(0.2)


def is_news(record):
    """The end of the command is none: Mitogen reports it as an error."""
    return 'deleting route' not in str(record.msg)


def set_logs_apart():
    """Mitogen's log goes to that of the command; the program's own is as in any other."""
    root, own = logging.getLogger(), logging.getLogger('mitogen')
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        own.addHandler(handler)
    own.propagate = False
    own.addFilter(is_news)
    own.setLevel(root.level)
    root.setLevel(logging.WARNING)


@mitogen.core.takes_econtext
def run(kind, path, source, args, output, window, econtext):
    path, args = os.fsdecode(path), [os.fsdecode(arg) for arg in args]
    remember(path, source)
    # The router's own object for the command is the one whose end is told.
    output.context = econtext.router.context_by_id(output.context.context_id)
    set_logs_apart()
    streams = [Stream(fd, output, window // 2, econtext.router) for fd in (1, 2)]
    stop = Stop(output, econtext.router)
    for stream in streams:
        stream.start()
    function = evaluate if kind == 'expression' else call_main
    status, value, pid = STOPPED, [], os.getpid()
    try:
        stop.arm()
        status, value = with_output(streams, perform, function, path, source, args)
        end_if_copy(pid, status)
        wait_for_output(stop, streams)
        stop.armed = False
    except SystemExit:  # of the signal, when all was done but the waiting
        end_if_copy(pid, STOPPED)
        wait_for_output(stop, streams)
    stop.finish()
    if stop.started:
        return 0, int(signal.SIGTERM), sum(stream.total for stream in streams), []
    return status, 0, sum(stream.total for stream in streams), value
