"""A Python master with C contexts. Arguments: the directory of the test programs."""
import importlib.resources
import logging
import os
import sys

import judge
import mitogen.core
import mitogen.parent
import mitogen.select
import mitosis
import remote
import services
from judge import disconnected, equal, gone, logged, raises, test

PROGRAM = os.path.join(sys.argv[1], 'inventory')
SYSTEM_PYTHON = '/usr/bin/python3'
inventory = mitosis.stubs('inventory')


def start(router, **kwargs):
    return mitosis.connect(router, program=PROGRAM, **kwargs)


@test
def calls(router):
    c = start(router)
    equal(c.call(inventory.add, 2, 3), 5)
    assert c.call(inventory.pid) != os.getpid()
    for value in [None, True, -1, 2**40, 1.5, u'\u00e4\u20ac', b'', b'\0\xff', (), (1, (2,)), [], [1, u'a'],
                  {}, {u'k': [1, {u'n': None}]}, b'x' * 3000000]:
        equal(c.call(inventory.echo, value), value)
    blob = c.call(inventory.echo, mitogen.core.Blob(b'\1\2'))
    equal((type(blob), bytes(blob)), (mitogen.core.Blob, b'\1\2'))
    equal(c.call(inventory.echo, c), c)


@test
def errors(router):
    c = start(router)
    e = raises(mitogen.core.CallError, 'the disk is full', c.call, inventory.fail)
    equal(mitosis.error_of(e), 'user[1007]')
    e = raises(mitogen.core.CallError, 'nosuch', c.call, inventory.nosuch)
    equal(mitosis.error_of(e), 'no_function')
    e = raises(mitogen.core.CallError, '', c.call, inventory.add, 2, 'three')
    equal(mitosis.error_of(e), 'type')
    raises(TypeError, 'Context.call()', inventory.add, 2, 3)
    equal(c.call(inventory.add, 2, 3), 5)


@test
def a_class_outside_the_table(router):
    c = start(router)
    message = mitogen.core.Message(dst_id=c.context_id, handle=mitogen.core.CALL_FUNCTION)
    message.data = b'\x80\x02(NX\x09\0\0\0inventoryNX\x03\0\0\0addcos\nsystem\n(X\x05\0\0\0touchtRt.'
    receiver = c.send_async(message)
    e = raises(mitogen.core.CallError, 'os', lambda: receiver.get().unpickle())
    equal(mitosis.error_of(e), 'malformed')
    equal(c.call(inventory.add, 2, 3), 5)


@test
def many_at_once(router):
    contexts = [start(router) for _ in range(3)]
    receivers = [c.call_async(inventory.add, i, 1) for i in range(30) for c in contexts]
    equal(sum(m.unpickle() for m in mitogen.select.Select(receivers)), 3 * sum(range(1, 31)))


@test
def senders(router):
    c = start(router)
    receiver = mitogen.core.Receiver(router)
    c.call(inventory.send_to, receiver.to_sender())
    equal([receiver.get().unpickle() for _ in range(3)], [0, 1, 2])


@test
def logs(router):
    c = start(router, name='c-one')
    c.call(inventory.say, u'hello from C')
    logged('hello from C')
    logged('logged: hello from C')


@test
def grandchildren(router):
    c = start(router)
    d = mitosis.connect(router, via=c)
    e = mitosis.connect(router, via=d, method='local')
    equal(d.call(inventory.add, 2, 3), 5)
    equal(e.call(inventory.add, 2, 3), 5)
    equal(len(set(x.call(inventory.pid) for x in (c, d, e))), 3)
    e = raises(mitogen.core.CallError, 'hostname', mitosis.connect, router, via=c, method='ssh')
    equal(mitosis.error_of(e), 'invalid')


@test
def shutdown(router):
    c = start(router)
    d = mitosis.connect(router, via=c)
    pids = [c.call(inventory.pid), d.call(inventory.pid)]
    ends = [disconnected(c), disconnected(d)]
    c.shutdown(wait=True)
    for end in ends:
        assert end.wait(judge.PATIENCE)
    for pid in pids:
        gone(pid)
    raises(mitogen.core.ChannelError, '', d.call, inventory.pid)


@test
def killed_while_called(router):
    c = start(router)
    d = mitosis.connect(router, via=c)
    pids = [c.call(inventory.pid), d.call(inventory.pid)]
    waiting = [c.call_async(inventory.spin), d.call_async(inventory.spin)]
    os.kill(pids[0], 9)
    for receiver in waiting:
        raises(mitogen.core.ChannelError, '', receiver.get)
    for pid in pids:
        gone(pid)


@test
def from_another_python(router):
    via = router.local(python_path=SYSTEM_PYTHON)
    c = start(router, via=via)
    equal(c.call(inventory.add, 2, 3), 5)
    d = mitosis.connect(router, via=c)
    equal(d.call(inventory.echo, b'x' * 200000), b'x' * 200000)
    c.call(inventory.say, u'through Python')
    logged('logged: through Python')
    pid = d.call(inventory.pid)
    end = disconnected(d)
    via.shutdown(wait=True)
    assert end.wait(judge.PATIENCE)
    gone(pid)


@test
def no_program(router):
    raises(mitogen.core.StreamError, '/nowhere', mitosis.connect, router, program='/nowhere')
    raises(mitogen.core.StreamError, '', mitosis.connect, router, program='/bin/true')
    via = router.local(python_path=SYSTEM_PYTHON)
    raises(mitogen.core.StreamError, '', mitosis.connect, router, program='/bin/true', via=via)


@test
def unidirectional(router):
    router.unidirectional = True
    c, d = start(router), start(router)
    equal(c.call(inventory.add, 2, 3), 5)
    e = raises(mitogen.core.CallError, 'routing mode', c.call, inventory.pid_of, d)
    equal(mitosis.error_of(e), 'dead')


# -- what the router of a C context does ---------------------------------------------------------

def dead(receiver):
    """The one message that comes is a dead one: who says so, and why."""
    message = receiver.get(timeout=judge.PATIENCE, throw_dead=False)
    assert message.is_dead, message
    return message.src_id, message.data.decode()


@test
def no_such_handle(router):
    c = start(router)
    who, why = dead(c.send_async(mitogen.core.Message(handle=4711)))
    equal(who, c.context_id)
    assert 'no handle 4711' in why, why
    raises(mitogen.core.ChannelError, 'no handle 4711',
           c.send_async(mitogen.core.Message(handle=4711)).get)


@test
def no_route_from_the_parent(router):
    """What its parent sends for a context that is gone is answered, and not sent back up."""
    c = start(router)
    receiver = mitogen.core.Receiver(router)
    message = mitogen.core.Message(dst_id=123456, handle=1234, reply_to=receiver.handle,
                                   src_id=mitogen.context_id)
    protocol = router.stream_by_id(c.context_id).protocol
    router.broker.defer(protocol._send, message)
    who, why = dead(receiver)
    equal(who, c.context_id)
    assert '123456 is gone' in why, why


@test
def message_size(router):
    """A C context has the limit of its parent, and so have those below it."""
    router.max_message_size = 64 * 1024
    c = start(router)
    d = mitosis.connect(router, via=c)
    for context in c, d:
        raises(mitogen.core.ChannelError, 'too large', context.call, inventory.echo, b'x' * 70000)
        # (Sent once, remembered, and so short; C writes it out.)
        e = raises(mitogen.core.CallError, 'max_message_size', context.call, inventory.echo,
                   [b'x' * 1000] * 100)
        equal(mitosis.error_of(e), 'too_large')
        equal(context.call(inventory.add, 2, 3), 5)


@test
def ids(router):
    """C contexts ask a Python master for ids: nobody else is given those."""
    c = start(router)
    below = [mitosis.connect(router, via=c) for _ in range(3)]
    block = range(c.context_id + 1, c.context_id + 1001)
    for d in below:
        assert d.context_id in block, d.context_id
    later = start(router)
    assert later.context_id not in block, later.context_id
    equal(len(set(x.context_id for x in below)), 3)


@test
def services_called_by_c(router):
    name = u'services.Counter'
    c = start(router)
    p = router.local(python_path=SYSTEM_PYTHON)
    ask = lambda method: c.call(inventory.service_of, p, name, method)  # noqa: E731
    e = raises(mitogen.core.CallError, 'refused by policy', ask, u'for_all')  # none is active
    equal(mitosis.error_of(e), 'denied')
    equal(p.call_service(services.Counter, 'add_one'), 1)
    equal(ask(u'for_all'), u'for all')
    raises(mitogen.core.CallError, 'is not authorized', ask, u'add_one')
    raises(mitogen.core.CallError, 'not yet activated', c.call, inventory.service_of, p,
           u'services.Other', u'for_all')
    e = raises(mitogen.core.CallError, 'complex', ask, u'odd')
    equal(mitosis.error_of(e), 'malformed')
    equal(p.call_service(services.Counter, 'add_one'), 2)  # still the same one


# -- Python below C ------------------------------------------------------------------------------

@test
def python_below_c(router):
    c = start(router)
    p = mitosis.connect(router, via=c, method='python', python_path=SYSTEM_PYTHON)
    pid = p.call(os.getpid)
    assert pid not in (os.getpid(), c.call(inventory.pid))
    equal(p.call(remote.pid), pid)
    equal(c.call(inventory.pid_of, p), pid)
    p.call(remote.log, u'from Python below C')
    logged('from Python below C')
    raises(mitogen.core.CallError, 'ValueError: oops', p.call, remote.fail, u'oops')
    q = p.call_async(os.abort)
    end = disconnected(p)
    raises(mitogen.core.ChannelError, '', q.get)
    assert end.wait(judge.PATIENCE)
    equal(c.call(inventory.add, 2, 3), 5)


@test
def python_below_c_is_a_parent(router):
    c = start(router)
    p = mitosis.connect(router, via=c, method='python', python_path=SYSTEM_PYTHON)
    q = router.local(via=p, python_path=SYSTEM_PYTHON)
    pid = q.call(remote.pid)
    equal(c.call(inventory.pid_of, q), pid)
    d = start(router, via=q)
    equal(d.call(inventory.add, 2, 3), 5)
    end = disconnected(d)
    os.kill(c.call(inventory.pid), 9)
    assert end.wait(judge.PATIENCE)
    gone(pid)


@test
def modules_handed_on(router):
    """What the master forwards is handed on unasked; what one child of a hop has, the next one gets
    from there."""
    c = start(router)
    p, q = [mitosis.connect(router, via=c, method='python', python_path=SYSTEM_PYTHON)
            for _ in range(2)]
    equal((p.call(remote.holds, u'handed'), q.call(remote.holds, u'handed')), (False, False))
    asked, sent = router.responder.get_module_count, router.responder.good_load_module_size
    router.responder.forward_modules(p, [u'handed'])
    judge.eventually('a module that is forwarded', lambda: p.call(remote.holds, u'handed'))
    once = router.responder.good_load_module_size - sent
    assert once > 0
    router.responder.forward_modules(p, [u'handed'])
    equal(p.call(remote.import_it, u'handed'), 11)
    equal(q.call(remote.holds, u'handed'), False)
    equal(q.call(remote.import_it, u'handed'), 11)
    equal(router.responder.get_module_count, asked)
    equal(router.responder.good_load_module_size, sent + once)
    router.responder.forward_modules(mitogen.core.Context(router, 123456), [u'handed'])
    equal(c.call(inventory.add, 2, 3), 5)


def answer_files(router):
    """What newer versions of Mitogen do by themselves. Returns what is asked."""
    asked = []

    def answer(msg):
        question = msg.unpickle()
        asked.append(question)
        try:
            content = importlib.resources.read_binary(*question)
        except FileNotFoundError:
            content = None
        router._async_route(mitogen.core.Message(
            dst_id=msg.src_id, handle=113,
            data=b''.join(mitogen.core.Message.pickled(o).data for o in (question, content))))

    router.add_handler(answer, handle=112)
    return asked


@test
def files_handed_on(router):
    """Files of packages: what one child of a hop has, the next one gets from there."""
    asked = None if hasattr(mitogen.core, 'GET_RESOURCE') else answer_files(router)
    c = start(router)
    p, q = [mitosis.connect(router, via=c, method='python', python_path=SYSTEM_PYTHON)
            for _ in range(2)]
    equal(p.call(remote.resource, u'filed', u'a.txt'), b'of the master\n')
    equal(p.call(remote.resource, u'filed', u'missing.txt'), None)
    equal(q.call(remote.resource, u'filed', u'a.txt'), b'of the master\n')
    equal(q.call(remote.resource, u'filed', u'missing.txt'), None)
    if asked is not None:
        equal(asked, [(u'filed', u'a.txt'), (u'filed', u'missing.txt'), (u'filed', u'missing.txt')])


if __name__ == '__main__':
    logging.getLogger('mitogen').setLevel(logging.INFO)
    judge.run()
