"""A Mitogen program joins a Mitosis listener: join.py PATH"""

import os
import sys
import time

import mitogen.core
import mitogen.parent
import mitogen.select
import mitogen.unix
from mitogen.core import Blob, CallError, Secret

from checks import FAILED, check, raises, stub

connect = stub('mitosis', 'connect')
add = stub('inventory', 'add')
echo = stub('inventory', 'echo')
pid = stub('inventory', 'pid')
fail = stub('inventory', 'fail')
depth = stub('inventory', 'depth')
kinds = stub('inventory', 'kinds')
pid_there = stub('inventory', 'pid_there')
count_to = stub('inventory', 'count_to')
sum_of = stub('inventory', 'sum_of')
leave = stub('inventory', 'leave')
caller = stub('inventory', 'caller')


def calls(where, context):
    check(where + ': a call', context.call(add, 2, 3) == 5)
    check(where + ': keyword arguments', context.call(depth, depth=7) == 7)
    raises(where + ': an error is a CallError', CallError, 'mitosis.user[1001]: it broke',
           context.call, fail, u'it broke')
    raises(where + ': wrong arguments', CallError, 'mitosis.type: ', context.call, add, 'x', 1)
    raises(where + ': no such function', CallError, 'mitosis.no_function: ', context.call,
           stub('inventory', 'no_such'))
    for value in (None, True, 0, -1, 1 << 62, -(1 << 63), 1 << 200, 0.5, u'', u'\u20ac', b'',
                  b'\x00\xff', (), (1, (2,)), [], [1, [2]], {}, {u'a': [1], 2: None}):
        got = context.call(echo, value)
        check('%s: %r comes back' % (where, value), got == value and type(got) is type(value), got)
    raises(where + ': a value outside the table', CallError, 'mitosis.malformed: ', context.call,
           echo, complex(1, 2))
    blob, secret, data = context.call(kinds, Blob(b'b\x00'), Secret(u's'), b'y')
    check(where + ': Blob, Secret and bytes both ways',
          (type(blob), type(secret), type(data)) == (Blob, Secret, bytes) and
          (blob, secret, data) == (b'b\x00', u's', b'y'))
    big = Blob(os.urandom(4 << 20))
    check(where + ': a big Blob', context.call(echo, big) == big)


def keep_text(texts, function, *args):
    try:
        return function(*args)
    except CallError as e:
        texts.append(str(e))
        raise


def chains(where, context):
    chain = mitogen.parent.CallChain(context, pipelined=True)
    chain.call_no_reply(fail, u'the first')
    texts = []
    for _ in range(2):
        raises(where + ': a pipelined chain fails with its first error', CallError, 'the first',
               keep_text, texts, chain.call, add, 1, 2)
    check(where + ': each time with the same text', texts[0] == texts[1], texts)
    other = mitogen.parent.CallChain(context, pipelined=True)
    check(where + ': another chain is not concerned', other.call(add, 1, 3) == 4)
    check(where + ': others are not concerned', context.call(add, 1, 2) == 3)
    chain.reset()
    check(where + ': it runs again when it was reset', chain.call(add, 1, 2) == 3)


def contexts(master):
    child = master.call(connect, 'local')
    check('opens a local context', type(child) is mitogen.parent.Context and
          child.call(pid) != master.call(pid))
    deeper = child.call(connect, 'local', {'remote_name': u'somebody'})
    check('opens one from there', deeper.call(pid) not in (child.call(pid), master.call(pid)))
    number, same = master.call(pid_there, deeper)
    check('passes and receives a Context', number == deeper.call(pid) and
          same.context_id == deeper.context_id and type(same) is mitogen.parent.Context)
    if os.geteuid() == 0:
        sudo = child.call(connect, 'sudo', username='nobody')
        check('opens one of sudo, by keywords', sudo.call(add, 1, 1) == 2)
    else:
        check('opens one of sudo, by keywords', False, 'this test needs root')
    raises('an option that there is not', CallError, 'no option "hostnam"', master.call, connect,
           'ssh', hostnam='x')
    raises('an option that is missing', CallError, 'mitosis.invalid: ', master.call, connect, 'ssh')
    raises('a connection that fails', CallError, 'mitosis.refused: ', master.call, connect, 'ssh',
           hostname='127.0.0.1', port=1)
    return child, deeper


def messages(router, where, context):
    rx = mitogen.core.Receiver(router)
    context.call_no_reply(count_to, rx.to_sender(), 3)
    check(where + ': C sends to a Python receiver, and closes it', [m.unpickle() for m in rx] == [1, 2, 3])
    rx = mitogen.core.Receiver(router)
    answer = context.call_async(sum_of, rx.to_sender())
    tx = rx.get().unpickle()
    for number in (1, 2, 3):
        tx.send(number)
    tx.close()
    check(where + ': Python sends to a C receiver, and closes it', answer.get().unpickle() == 6)
    rx = mitogen.core.Receiver(router)
    answer = context.call_async(sum_of, rx.to_sender())
    rx.get().unpickle().send(complex(1, 2))
    raises(where + ': a message with a value outside the table', CallError, 'mitosis.malformed: ',
           lambda: answer.get().unpickle())
    select = mitogen.select.Select([context.call_async(add, n, 1) for n in range(10)])
    check(where + ': ten calls at once, in a select',
          sorted(m.unpickle() for m in select) == list(range(1, 11)))


def ends(master, child, deeper):
    started = time.time()
    raises('who waits for a context that dies is told', mitogen.core.ChannelError, '', deeper.call,
           leave)
    check('at once', time.time() - started < 5)
    child.shutdown(wait=True)
    raises('one that was shut down is gone', mitogen.core.ChannelError, '', child.call, pid)
    check('the master is unharmed', master.call(add, 1, 2) == 3)
    raises('a handle that there is not', mitogen.core.ChannelError, '',
           lambda: master.send_await(mitogen.core.Message.pickled(None, handle=12345)))


def master_ends(router, master):
    """Tells who feeds the master to stop that; who waits then is told."""
    rx = mitogen.core.Receiver(router)
    answer = master.call_async(sum_of, rx.to_sender())
    rx.get()
    print('done')
    sys.stdout.flush()
    raises('who waits is told when the C master ends', (mitogen.core.ChannelError, CallError), '',
           lambda: answer.get(timeout=30).unpickle())
    raises('nobody is there any more', mitogen.core.ChannelError, '', master.call, add, 1, 2)


def main():
    router, master = mitogen.unix.connect(sys.argv[1])
    try:
        check('joins a Mitosis listener', mitogen.context_id > 0)
        check('below the master', (master.context_id, mitogen.parent_id) == (0, 0))
        check('what it sends comes from it', master.call(caller) == mitogen.context_id)
        raises('a service of a C program', mitogen.core.ChannelError, 'no handle 110',
               master.call_service, 'inventory.Service', 'method')
        calls('the master', master)
        chains('the master', master)
        child, deeper = contexts(master)
        calls('a child', child)
        chains('a grandchild', deeper)
        messages(router, 'the master', master)
        messages(router, 'a grandchild', deeper)
        ends(master, child, deeper)
        master_ends(router, master)
    finally:
        router.broker.shutdown()
        router.broker.join()
    sys.exit(1 if FAILED else 0)


if __name__ == '__main__':
    main()
