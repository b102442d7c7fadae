"""The master's source of Python modules, for the contexts below it that run Python.

A C master has this text in it (src/service/python.c), and runs it with the directories to look in
first as arguments. Reads names of modules, one a line; answers each with lines "found NAME LENGTH",
each followed by the payload of a LOAD_MODULE, or "missing NAME". What a module imports is answered
before it, unless it was before: so it is there when it is needed. A line "module NAME LENGTH" is
followed by the text of a module that is in no file. Ends when its standard input does. A name with
the mark FILE in it is that of a package and of a file in it: what follows "found" is then the
payload of a LOAD_RESOURCE, which may say that there is none.

Nothing is imported to find a module: names come from contexts that are not to be trusted. Modules
of the standard library are not served, since the other interpreter has its own.
"""
import sys

if __name__ == '__main__':  # what is where the user happens to be is none of ours
    sys.path[:] = [p for p in sys.path if p]

import ast
import os
import pkgutil
import stat
import struct
import sysconfig
import zlib
from importlib.machinery import PathFinder

# Debian's package is there for the system's interpreter alone.
SYSTEM_PYTHON = '/usr/bin/python3'

START = 'mitosis.python'
FILE = '\x1f'
FILE_MAX = 32 * 1024 * 1024
RELATED_MAX = 256
NAMES_MAX = 20000  # that are remembered, those that are no modules among them

# What python -c runs in the child: becomes an interpreter that reads its program from a pipe, with
# the stream on descriptor 100 and the program's text once more on 101, as mitogen.core expects.
# What is on standard input: the compressed text, and its plain end.
STAGE = '''
import os,sys,zlib
if sys.version_info<(2,6):
 sys.stderr.write('Python %s is too old for Mitogen\\n'%sys.version.split()[0])
 sys.exit(70)
title,packed,plain=sys.argv[1:4]
a,b=os.pipe()
c,d=os.pipe()
if os.fork():
 os.dup2(0,100)
 os.dup2(a,0)
 os.dup2(c,101)
 for fd in a,b,c,d:
  os.close(fd)
 os.environ['ARGV0']=sys.executable
 os.execl(sys.executable,sys.executable+'('+title+')')
fp=os.fdopen(0,'rb')
text=zlib.decompress(fp.read(int(packed)))+fp.read(int(plain))
for fd in b,d:
 fp=os.fdopen(fd,'wb')
 fp.write(text)
 fp.close()
'''


class Finder:
    def __init__(self, directories):
        self.path = [os.path.abspath(d) for d in directories]
        self.path += [os.path.abspath(p) for p in sys.path if p]
        self.stdlib = tuple(sysconfig.get_path(name) + '/' for name in ('stdlib', 'platstdlib'))
        self.specs = {}
        self.known = {}
        self.needs = {}

    def add_text(self, name, source):
        self.known[name] = None, name + '.py', source

    def find_spec(self, name):
        if name not in self.specs:
            remember(self.specs, name, self.look_for(name))
        return self.specs[name]

    def look_for(self, name):
        package, _, last = name.rpartition('.')
        path = self.path
        if not last.isidentifier():
            return None
        if package:
            spec = self.find_spec(package)
            if spec is None or spec.submodule_search_locations is None:
                return None
            path = directories_of(spec)
        try:
            return PathFinder.find_spec(name, path)
        except Exception:
            return None

    def is_stdlib(self, origin):
        return (origin.startswith(self.stdlib) and '/site-packages/' not in origin
                and '/dist-packages/' not in origin)

    def find(self, name):
        """(modules in it or None, path, source), or None when it is not to be served."""
        if name not in self.known:
            try:
                remember(self.known, name, self.read(name))
            except (OSError, UnicodeError, SyntaxError) as e:
                complain('%s cannot be served: %s' % (name, e))
                remember(self.known, name, None)
        return self.known[name]

    def read(self, name):
        spec = self.find_spec(name)
        if spec is None:
            return None
        present = None
        if spec.submodule_search_locations is not None:
            present = sorted(m.name for m in pkgutil.iter_modules(directories_of(spec)))
        if present is not None and (spec.origin is None or not spec.has_location):
            return present, '/'.join(directories_of(spec)[:1]) + '/__init__.py', b''
        if not spec.has_location or not spec.origin.endswith('.py') or self.is_stdlib(spec.origin):
            return None
        with open(spec.origin, 'rb') as fp:
            source = fp.read()
        if name.startswith('mitogen.'):
            source = minimize(source)
        return present, spec.origin, source

    def read_file(self, package, name):
        """What is in a file of a package, or None. A directory that merely could be a package is
        none, and what is not below the package's, links followed, is none of its files."""
        spec = self.find_spec(package)
        if (spec is None or spec.submodule_search_locations is None or not spec.has_location
                or self.find(package) is None
                or any(part in ('', '.', '..') for part in name.split('/'))):
            return None
        top = os.path.realpath(os.path.dirname(spec.origin))
        path = os.path.realpath(os.path.join(top, name))
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(found.st_mode) or not path.startswith(top + '/'):
            return None
        if found.st_size > FILE_MAX:
            raise OSError('larger than %d bytes' % FILE_MAX)
        with open(path, 'rb') as fp:
            return fp.read(FILE_MAX)

    def imports(self, name):
        """What a module imports, by the text of it, which is read once."""
        if name not in self.needs:
            self.needs[name] = list(dict.fromkeys(self.read_imports(name)))
        return self.needs[name]

    def read_imports(self, name):
        present, path, source = self.find(name)
        base = name.split('.') if present is not None else name.split('.')[:-1]
        try:
            tree = ast.parse(source, path)
        except (SyntaxError, ValueError, RecursionError):
            return  # of another Python, or wrong: who imports it will see
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name
            elif isinstance(node, ast.ImportFrom):
                prefix = base[:len(base) - node.level + 1] if node.level else []
                module = '.'.join(prefix + ([node.module] if node.module else []))
                yield module
                for alias in node.names:
                    yield module + '.' + alias.name

    def related(self, name):
        """All that it needs, directly or not, packages before what is in them."""
        found, todo = {}, [name]
        while todo and len(found) < RELATED_MAX:
            for wanted in self.imports(todo.pop(0)):
                parts = wanted.split('.')
                for i in range(1, len(parts) + 1):
                    part = '.'.join(parts[:i])
                    if part in found or part in (name, 'mitogen', 'mitogen.core'):
                        continue
                    if self.find(part) is None:
                        break
                    found[part] = None
                    todo.append(part)
        return list(found)


def remember(names, name, what):
    """Contexts may ask for ever more names: those that are none are forgotten from time to time."""
    if len(names) >= NAMES_MAX:
        for other in [n for n in names if names[n] is None]:
            del names[other]
    names[name] = what


def directories_of(spec):
    # (A namespace package works its list out by looking at its parent, which is not imported.)
    locations = spec.submodule_search_locations
    return list(getattr(locations, '_path', locations))


def minimize(source):
    import mitogen.minify
    return mitogen.minify.minimize_source(source.decode()).encode()


def named(form, *args):
    # The name as it was asked for, whatever its bytes: by that one the answer is known.
    return (form % args).encode('utf-8', 'surrogateescape')


def complain(text):
    sys.stderr.write(text + '\n')
    sys.stderr.flush()


# Pickles by hand: Python 3 writes bytes in a roundabout way that takes half as much again.
def p_text(text, errors='surrogatepass'):
    data = text.encode('utf-8', errors)
    return b'X' + struct.pack('<I', len(data)) + data


def p_list(texts):
    return b'](' + b''.join(p_text(t) for t in texts) + b'e'


def p_bytes(data):
    return b'T' + struct.pack('<i', len(data)) + data


def load_module(name, present, path, source, related):
    return b''.join([b'\x80\x02(', p_text(name), b'N' if present is None else p_list(present),
                     p_text(path), p_bytes(zlib.compress(source, 9)), p_list(related), b't.'])


def load_file(package, name, content):
    import mitogen.core
    # As they were asked for, whatever their bytes.
    names = p_text(package, 'surrogateescape') + p_text(name, 'surrogateescape')
    content = b'N' if content is None else p_bytes(content)
    if hasattr(mitogen.core, 'GET_RESOURCE') and not hasattr(mitogen.core.Message, 'unpickle_iter'):
        return b'\x80\x02' + names + content + b'\x87.'  # up to 0.3.40
    return b'\x80\x02' + names + b'\x86.\x80\x02' + content + b'.'


def start_module():
    """What a Python context is started with: ([version, program], source of mitogen.core)."""
    import inspect
    import mitogen.core
    source = minimize(inspect.getsource(mitogen.core).encode())
    return [repr(mitogen.__version__), STAGE.strip() + '\n'], source


class Server:
    def __init__(self, directories):
        self.finder = Finder(directories)
        self.answered = set()
        self.out = sys.stdout.buffer

    def found(self, name, payload):
        self.out.write(named('found %s %d\n', name, len(payload)) + payload)

    def give(self, name, related):
        self.answered.add(name)
        self.found(name, load_module(name, *self.finder.find(name), related))

    def answer_file(self, key):
        package, _, name = key.partition(FILE)
        try:
            # As the one who asks has it: what was no UTF-8 is something else there than here.
            there = name.encode('utf-8', 'surrogateescape').decode('utf-8', 'surrogatepass')
            content = self.finder.read_file(package, there)
        except (OSError, ValueError) as e:
            complain('%s of %s cannot be served: %s' % (name, package, e))
            content = None
        self.found(key, load_file(package, name, content))

    def answer(self, name):
        if FILE in name:
            self.answer_file(name)
        elif name == START:
            head, source = start_module()
            self.found(name, load_module(name, head, '', source, []))
        elif name == 'mitogen' or self.finder.find(name) is None:
            self.out.write(named('missing %s\n', name))
        else:
            related = self.finder.related(name)
            for other in related:
                if other not in self.answered:
                    self.give(other, self.finder.related(other))
            self.give(name, related)

    def serve(self):
        for line in sys.stdin.buffer:
            name = line.decode('utf-8', 'surrogateescape').rstrip('\n')
            if name.startswith('module '):
                _, name, length = name.split(' ')
                self.finder.add_text(name, sys.stdin.buffer.read(int(length)))
                continue
            try:
                self.answer(name)
            except Exception as e:
                complain('%s cannot be served: %s: %s' % (name, type(e).__name__, e))
                self.out.write(named('missing %s\n', name))
            self.out.flush()


def main():
    try:
        import mitogen  # noqa: F401
    except ImportError:
        if sys.executable != SYSTEM_PYTHON and os.path.exists(SYSTEM_PYTHON):
            with open('/proc/self/cmdline', 'rb') as fp:  # (for this text, after -c)
                os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON] + fp.read().split(b'\0')[1:-1])
        complain('no Mitogen for %s: install the package python3-mitogen' % sys.executable)
    Server(sys.argv[1:]).serve()


if __name__ == '__main__':
    main()
