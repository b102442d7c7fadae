"""Runs in Python contexts, which get it from the master."""
import logging
import os


def pid():
    return os.getpid()


def version():
    import mitogen
    return u'%d.%d.%d' % mitogen.__version__[:3]


def echo(value):
    return value


def log(text):
    logging.getLogger('remote').warning(text)


def fail(text):
    raise ValueError(text)


def start_c(program, econtext):
    """Starts a C program as a child of this context; its id."""
    import mitogen.parent
    import mitosis
    mitogen.parent.upgrade_router(econtext)
    return mitosis.connect(econtext.router, program=program).context_id


start_c.mitogen_takes_econtext = True


def import_it(name):
    """The value of VALUE in that module."""
    module = __import__(name, fromlist=['VALUE'])
    return module.VALUE


def ask_for(names, econtext):
    """As an importer would not: any bytes, and nobody waits for the answers."""
    import mitogen.core
    for name in names:
        econtext.parent.send(mitogen.core.Message(data=name, handle=mitogen.core.GET_MODULE))


ask_for.mitogen_takes_econtext = True


def ask_for_rubbish(econtext):
    """Names that are none, more than may be waited for at a time."""
    ask_for([b'\xff\xfe%d' % i for i in range(200)] + [b' x%d ' % i for i in range(200)], econtext)


ask_for_rubbish.mitogen_takes_econtext = True


def ask_for_text(econtext):
    """What the interpreter of the master is told the text of a module with, and that text."""
    ask_for([b'module lonely 11', b'VALUE = 666'], econtext)


ask_for_text.mitogen_takes_econtext = True


def source_of(name):
    import inspect
    import sys
    return len(inspect.getsource(sys.modules[name]))


def call_of(context_id, module, function, econtext):
    """Calls a function there, from here; what comes back, or the text of the error."""
    import mitogen.core
    import mitogen.parent
    tuple_ = (None, module, None, function, (), mitogen.core.Kwargs({}))
    context = mitogen.core.Context(econtext.router, context_id)
    message = mitogen.core.Message.pickled(tuple_, handle=mitogen.core.CALL_FUNCTION)
    try:
        return context.send_async(message).get().unpickle()
    except mitogen.core.Error as e:
        return u'%s: %s' % (type(e).__name__, e)


call_of.mitogen_takes_econtext = True


def holds(name, econtext):
    """Has the source of that module come here?"""
    return name in econtext.importer._cache


holds.mitogen_takes_econtext = True


def allocate(econtext):
    """The next id that this context would give to a child."""
    import mitogen.parent
    mitogen.parent.upgrade_router(econtext)
    return econtext.router.allocate_id()


allocate.mitogen_takes_econtext = True


def resource(package, name, econtext):
    """What is in a file of a package, or None, asked for as newer versions of Mitogen do."""
    import io
    import pickle
    import mitogen.core
    if hasattr(mitogen.core, 'GET_RESOURCE'):
        try:
            return econtext.importer.get_resource_reader(package).open_resource(name).read()
        except FileNotFoundError:
            return None
    rx = mitogen.core.Receiver(econtext.router, handle=113, persist=True)
    question = mitogen.core.Message.pickled((package, name), handle=112)
    econtext.router.context_by_id(mitogen.parent_id).send(question)
    answer = io.BytesIO(rx.get(timeout=30).data)
    rx.close()
    asked = pickle.Unpickler(answer).load()
    assert asked == (package, name), asked
    return pickle.Unpickler(answer, encoding='bytes').load()


resource.mitogen_takes_econtext = True
