"""What the Python sides share: "ok NAME" and "not ok NAME" lines, stubs for C functions."""

import sys
import traceback

FAILED = []


def check(name, fine, why=''):
    print('%sok %s' % ('' if fine else 'not ', name))
    if not fine:
        print('# %s' % (why,))
        FAILED.append(name)
    sys.stdout.flush()


def raises(name, kind, part, function, *args, **kwargs):
    """`function` must raise `kind`, with `part` in its text."""
    try:
        result = function(*args, **kwargs)
    except kind as e:
        check(name, part in str(e), str(e))
    except Exception:
        check(name, False, traceback.format_exc())
    else:
        check(name, False, 'returned %r' % (result,))


def stub(module, name):
    """Something that context.call() takes for the function of that name."""

    def function():
        raise NotImplementedError

    function.__module__ = module
    function.__name__ = name
    return function
