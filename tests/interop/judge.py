"""Tests in Python: each prints "ok NAME" or "not ok NAME" and why."""
import logging
import sys
import threading
import time
import traceback

import mitogen.core
import mitogen.master

PATIENCE = 60


class Records(logging.Handler):
    def __init__(self):
        logging.Handler.__init__(self)
        self.lines = []

    def emit(self, record):
        self.lines.append('%s: %s: %s' % (record.name, record.levelname, record.getMessage()))


records = Records()
tests = []


def test(function):
    tests.append(function)
    return function


def eventually(what, condition):
    end = time.time() + PATIENCE
    while not condition():
        if time.time() > end:
            raise AssertionError('not in time: ' + what)
        time.sleep(0.01)


def logged(part):
    eventually('log record with %r' % part, lambda: any(part in line for line in records.lines))


def raises(kind, part, function, *args, **kwargs):
    try:
        result = function(*args, **kwargs)
    except kind as e:
        assert part in str(e), '%r is not in %r' % (part, str(e))
        return e
    raise AssertionError('returned %r' % (result,))


def equal(a, b):
    assert a == b, '%r is not %r' % (a, b)


def gone(pid):
    def check():
        try:
            with open('/proc/%d/status' % pid) as fp:
                return '\nState:\tZ' in fp.read()
        except (OSError, IOError):
            return True
    eventually('end of process %d' % pid, check)


def disconnected(context):
    event = threading.Event()
    mitogen.core.listen(context, 'disconnect', event.set)
    return event


def run():
    root = logging.getLogger()
    root.addHandler(records)
    root.setLevel(logging.INFO)
    failed = False
    for function in tests:
        del records.lines[:]
        broker = mitogen.master.Broker()
        router = mitogen.master.Router(broker)
        try:
            function(router)
            print('ok ' + function.__name__)
        except Exception:
            failed = True
            print('not ok ' + function.__name__)
            print('#  ' + traceback.format_exc(limit=-3, chain=False).replace('\n', '\n#  '))
            print('#  ' + '\n#  '.join(records.lines[-20:]))
        finally:
            broker.shutdown()
            broker.join()
        sys.stdout.flush()
    sys.exit(failed)
