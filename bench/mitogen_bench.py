"""The same measurements for Mitogen itself, where it is installed: one "mitogen.KEY VALUE" a line.

    mitogen_bench.py [-s SSH_CONFIG] [-l LINK]

SSH_CONFIG and LINK are as in bench.c.
"""

import getopt
import statistics
import subprocess
import sys
import time

import mitogen
import mitogen.core
import mitogen.master
import mitogen.select

import functions

BLOBS = 16
CALLS = 500
WINDOW = 64
HOPS = 10
SITTINGS = 5
QUIET = 0.4


def report(key, values):
    print('mitogen.%s %.4f' % (key, statistics.median(values)), flush=True)


def timed(function):
    begin = time.monotonic()
    function()
    return time.monotonic() - begin


def rounds(count, function):
    function()
    return [timed(function) for _ in range(count)]


def call_times(context, calls):
    def one():
        for _ in range(calls):
            context.call(functions.empty)
    return [t / calls * 1e6 for t in rounds(2, one)]


def pipeline_rates(context):
    def one():
        waiting = [context.call_async(functions.empty) for _ in range(WINDOW)]
        for at in range(CALLS):
            waiting[at % WINDOW].get().unpickle()
            waiting[at % WINDOW] = context.call_async(functions.empty)
        for receiver in waiting:
            receiver.get().unpickle()
    return [(CALLS + WINDOW) / t for t in rounds(2, one)]


def measure_local(router):
    """With a new context for each sitting: bench.h says why."""
    starts, calls, rates = [], [], []
    for _ in range(SITTINGS + 1):
        begin = time.monotonic()
        context = router.local()
        starts.append((time.monotonic() - begin) * 1e3)
        calls += call_times(context, CALLS)
        rates += pipeline_rates(context)
        context.shutdown(wait=True)
    report('start', starts[1:])
    report('call', calls)
    report('pipeline', rates)


def measure_start(key, connect, count, first_call=False):
    def one():
        begin = time.monotonic()
        context = connect()
        if first_call:
            context.call(functions.empty)
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
    context.call(functions.empty)
    after = traffic()
    context.shutdown(wait=True)
    report('link.up', [after[0] - before[0]])
    report('link.down', [after[1] - before[1]])


def measure_blobs(router, context):
    blob = mitogen.core.Blob(b'\0' * functions.BLOB_SIZE)
    sender = context.call(functions.sink_open)
    here = mitogen.core.Receiver(router)

    def down():
        done = context.call_async(functions.sink_drain, BLOBS)
        for _ in range(BLOBS):
            sender.send(blob)
        assert done.get().unpickle() == BLOBS * functions.BLOB_SIZE

    def up():
        done = context.call_async(functions.source, here.to_sender(), BLOBS)
        for _ in range(BLOBS):
            assert len(here.get().unpickle()) == functions.BLOB_SIZE
        done.get().unpickle()
    report('blobs.down', [BLOBS / t for t in rounds(3, down)])
    report('blobs.up', [BLOBS / t for t in rounds(3, up)])


def measure_memory(context):
    kib = {}
    with open('/proc/%d/smaps_rollup' % context.call(functions.process_id)) as f:
        for line in f:
            words = line.split()
            if words[-1] == 'kB':
                kib[words[0]] = int(words[1])
    report('memory', [kib['Private_Clean:'] + kib['Private_Dirty:']])
    report('memory.pss', [kib['Pss:']])
    report('memory.rss', [kib['Rss:']])


def measure_chain(router):
    context = None
    for _ in range(HOPS):
        context = router.local(via=context) if context else router.local()
    report('chain', call_times(context, 30))


def main():
    options = dict(getopt.getopt(sys.argv[1:], 's:l:')[0])
    broker = mitogen.master.Broker()
    router = mitogen.master.Router(broker)
    try:
        context = router.local()
        measure_memory(context)
        measure_blobs(router, context)
        measure_local(router)
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
