"""The same measurements for Mitogen itself, where it is installed: one "mitogen.KEY VALUE" a line.

    mitogen_bench.py [-s SSH_CONFIG] [-l LINK]

SSH_CONFIG and LINK are as in bench.c.
"""

import getopt
import os
import statistics
import subprocess
import sys
import time

import mitogen
import mitogen.core
import mitogen.master
import mitogen.select

BLOB_SIZE = 1024 * 1024
BLOBS = 16
CALLS = 500
WINDOW = 64
HOPS = 10
QUIET = 0.4
sink = None


def empty():
    pass


def process_id():
    return os.getpid()


@mitogen.core.takes_router
def sink_open(router):
    global sink
    sink = mitogen.core.Receiver(router)
    return sink.to_sender()


def sink_drain(count):
    return sum(len(sink.get().unpickle()) for _ in range(count))


def source(to, count):
    blob = mitogen.core.Blob(b'\0' * BLOB_SIZE)
    for _ in range(count):
        to.send(blob)


def report(key, values):
    print('mitogen.%s %.4f' % (key, statistics.median(values)), flush=True)


def timed(function):
    begin = time.monotonic()
    function()
    return time.monotonic() - begin


def rounds(count, function):
    function()
    return [timed(function) for _ in range(count)]


def measure_call(key, context, calls):
    def one():
        for _ in range(calls):
            context.call(empty)
    report(key, [t / calls * 1e6 for t in rounds(5, one)])


def measure_pipeline(router, context):
    def one():
        waiting = [context.call_async(empty) for _ in range(WINDOW)]
        for at in range(CALLS):
            waiting[at % WINDOW].get().unpickle()
            waiting[at % WINDOW] = context.call_async(empty)
        for receiver in waiting:
            receiver.get().unpickle()
    report('pipeline', [(CALLS + WINDOW) / t for t in rounds(5, one)])


def measure_start(key, connect, count, first_call=False):
    def one():
        begin = time.monotonic()
        context = connect()
        if first_call:
            context.call(empty)
        took = time.monotonic() - begin
        context.shutdown(wait=True)
        return took
    one()
    report(key, [one() * 1e3 for _ in range(count)])


def measure_link(router, link):
    def traffic():
        time.sleep(QUIET)
        received, sent = subprocess.check_output([link + '/bytes']).split()
        return int(sent) / 1024, int(received) / 1024

    def connect():
        return router.ssh(hostname='h1', ssh_path=link + '/ssh', check_host_keys='enforce',
                          python_path=['/usr/bin/python3'])

    measure_start('link', connect, 3, first_call=True)
    before = traffic()
    context = connect()
    context.call(empty)
    after = traffic()
    context.shutdown(wait=True)
    report('link.up', [after[0] - before[0]])
    report('link.down', [after[1] - before[1]])


def measure_blobs(router, context):
    blob = mitogen.core.Blob(b'\0' * BLOB_SIZE)
    sender = context.call(sink_open)
    here = mitogen.core.Receiver(router)

    def down():
        done = context.call_async(sink_drain, BLOBS)
        for _ in range(BLOBS):
            sender.send(blob)
        assert done.get().unpickle() == BLOBS * BLOB_SIZE

    def up():
        done = context.call_async(source, here.to_sender(), BLOBS)
        for _ in range(BLOBS):
            assert len(here.get().unpickle()) == BLOB_SIZE
        done.get().unpickle()
    report('blobs.down', [BLOBS / t for t in rounds(3, down)])
    report('blobs.up', [BLOBS / t for t in rounds(3, up)])


def measure_memory(context):
    total = 0
    with open('/proc/%d/smaps_rollup' % context.call(process_id)) as f:
        for line in f:
            if line.startswith(('Private_Clean:', 'Private_Dirty:')):
                total += int(line.split()[1])
    report('memory', [total])


def measure_chain(router):
    context = None
    for _ in range(HOPS):
        context = router.local(via=context) if context else router.local()
    measure_call('chain', context, 30)


def main():
    options = dict(getopt.getopt(sys.argv[1:], 's:l:')[0])
    broker = mitogen.master.Broker()
    router = mitogen.master.Router(broker)
    try:
        context = router.local()
        measure_memory(context)
        measure_call('call', context, CALLS)
        measure_pipeline(router, context)
        measure_blobs(router, context)
        measure_start('start', router.local, 7)
        measure_chain(router)
        if '-s' in options:
            measure_start('ssh', lambda: router.ssh(
                hostname='good', python_path=['/usr/bin/python3'],
                ssh_args=['-F', options['-s']], check_host_keys='enforce'), 5)
        if '-l' in options:
            measure_link(router, options['-l'])
    finally:
        broker.shutdown()
        broker.join()


if __name__ == '__main__':
    main()
