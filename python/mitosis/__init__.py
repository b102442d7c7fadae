"""C programs made with Mitosis, in a tree of Mitogen.

    import mitogen.utils, mitosis
    inventory = mitosis.stubs('inventory')

    def main(router):
        context = mitosis.connect(router, program='/usr/local/bin/inventory')
        print(context.call(inventory.disk_usage, '/var'))

A C context is a context like any other: calls, errors (mitogen.core.CallError, see error_of()),
disconnects, logs and further contexts below it work as they do with Python.
"""
import logging
import os
import tempfile
import types
import zlib

import mitogen.core
import mitogen.parent

from mitosis import modules

__all__ = ['connect', 'error_of', 'stubs']


# -- functions ---------------------------------------------------------------------------------

class Function(object):
    """Stands for one function of a C program: has the names by which it is called."""

    def __init__(self, module, name):
        self.__module__ = module
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args, **kwargs):
        raise TypeError('%s.%s is a function of a C program: use Context.call()'
                        % (self.__module__, self.__name__))

    def __repr__(self):
        return '<function %s.%s of a C program>' % (self.__module__, self.__name__)


class Stubs(types.ModuleType):
    """Stands for a module of a C program: every name in it is a function that can be passed to
    Context.call() and its like. It cannot be run here."""

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        function = Function(self.__name__, name)
        setattr(self, name, function)
        return function


def stubs(module):
    """The functions of a C program that were defined with MITO_MODULE `module`, "main" by default
    there."""
    return Stubs(str(module))


def error_of(exception):
    """The name of the code of an error that a C context answered with: "timeout", "no_function",
    "user[1001]" ...; None when the exception is none of those."""
    text = str(exception.args[0]) if exception.args else ''
    head, colon, _ = text.partition(': ')
    if not colon or not head.startswith('mitosis.'):
        return None
    return head[len('mitosis.'):]


# -- starting a C program ----------------------------------------------------------------------

LEVELS = ((40, 0), (30, 1), (20, 2), (10, 3))  # Python's, and ours
QUEUE_LIMIT = 64 * 1024 * 1024
SAFE = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-'


def _encode(text):
    data = bytearray(text.encode('utf-8'))
    return ''.join(chr(b) if chr(b) in SAFE else '%%%02X' % b for b in data)


def _log_level():
    level = logging.getLogger('mitogen').getEffectiveLevel()
    for theirs, ours in LEVELS:
        if level >= theirs:
            return ours
    return 4


class BootstrapProtocol(mitogen.parent.BootstrapProtocol):
    """A C program says one thing before frames follow."""
    EC2_MARKER = b'MITO_002'

    @classmethod
    def _patterns(cls):
        import re
        return [(re.compile(cls.EC2_MARKER), cls._on_ec2_received)]


BootstrapProtocol.PATTERNS = BootstrapProtocol._patterns()


class Options(mitogen.parent.Options):
    def __init__(self, program=None, image=None, **kwargs):
        super(Options, self).__init__(**kwargs)
        self.program = program
        self.image = image


class Connection(mitogen.parent.Connection):
    """Starts the program on this machine."""
    options_class = Options
    stream_protocol_class = BootstrapProtocol
    name_prefix = u'mitosis'
    create_child_args = {'stderr_pipe': True}
    eof_error_hint = 'Is it a program made with Mitosis, for this kind of machine?'

    _image_fd = None

    def get_boot_command(self):
        program = self.options.program
        if self.options.image is not None:
            self._image_fd = _image_in_memory(self.options.image)
            program = '/proc/%d/fd/%d' % (os.getpid(), self._image_fd)
        return [program, 'mitosis-child', self.get_config()]

    def start_child(self):
        try:
            return super(Connection, self).start_child()
        finally:
            if self._image_fd is not None:
                os.close(self._image_fd)

    def get_config(self):
        parents = [mitogen.context_id] + list(mitogen.parent_ids)
        pairs = [
            ('id', self.context.context_id),
            ('max', self.options.max_message_size),
            ('queue', QUEUE_LIMIT),
            ('level', 3 if self.options.debug else _log_level()),
            ('uni', int(self.options.unidirectional)),
            ('first', 0),
            ('last', 0),
            ('parents', ':'.join(str(i) for i in parents)),
            ('title', _encode('mitosis:%s' % (self.options.remote_name or '')[:100])),
            ('name', _encode((self.options.name or 'mitosis')[:30])),
        ]
        return ','.join('%s=%s' % pair for pair in pairs)


def _image_in_memory(image):
    """A descriptor of an executable that has no name; for reading, or it could not be run."""
    if hasattr(os, 'memfd_create'):
        fd = os.memfd_create('mitosis')
        fp = os.fdopen(fd, 'wb')
    else:
        fp = tempfile.TemporaryFile()
    try:
        fp.write(image)
        fp.flush()
        os.fchmod(fp.fileno(), 0o700)
        return os.open('/proc/self/fd/%d' % fp.fileno(), os.O_RDONLY)
    finally:
        fp.close()


def _serve_python(router):
    """C contexts below may start Python contexts: they ask for what those are made of."""
    responder = getattr(router, 'responder', None)
    cache = getattr(responder, '_cache', None)
    if mitogen.context_id == 0 and cache is not None and modules.START not in cache:
        head, source = modules.start_module()
        cache[modules.START] = (mitogen.core.to_text(modules.START), head, u'',
                                mitogen.core.Blob(zlib.compress(source, 9)), [])


def _connect_here(router, **kwargs):
    kwargs.setdefault('debug', router.debug)
    kwargs.setdefault('unidirectional', router.unidirectional)
    return router._connect(Connection, **kwargs)


@mitogen.core.takes_econtext
def _connect_there(image, kwargs, econtext):
    """Runs in the context that the program is started from."""
    mitogen.parent.upgrade_router(econtext)
    try:
        context = _connect_here(econtext.router, image=bytes(image), **kwargs)
    except mitogen.core.StreamError as e:
        return None, str(e)
    return context.context_id, context.name


def connect(router, program=None, via=None, method=None, **kwargs):
    """Starts a C program as a context, and returns its Context; StreamError when that fails.

    program: its path, here. It runs here or, with via, where that Python context is; nothing need
    be installed there, and no file is left.

    With via=CONTEXT, a C context: that one starts a copy of itself, by `method` ("local", "ssh",
    "sudo", "docker" ..., whose options are keyword arguments, named as in mitosis.h), or with
    method "python" a Python context.

    Further keyword arguments: name, remote_name, connect_timeout (seconds), debug, unidirectional;
    to C contexts, in C's units.
    """
    _serve_python(router)
    if via is not None and program is None:
        return via.call(stubs('mitosis').connect, method or 'local', dict(kwargs))
    if method not in (None, 'local'):
        raise ValueError('method= needs via=, a C context that connects')
    if via is None:
        return _connect_here(router, program=program, **kwargs)
    with open(program, 'rb') as fp:
        image = fp.read()
    id_, text = via.call(_connect_there, mitogen.core.Blob(image), mitogen.core.Kwargs(kwargs))
    if id_ is None:
        raise mitogen.core.StreamError('on %s: %s', via.name, text)
    context = router.context_by_id(id_, via_id=via.context_id, name='%s.%s' % (via.name, text))
    context.via = via
    return context
