"""The same measurements for Mitogen itself, where it is installed.

    mitogen_bench.py [-s SSH_CONFIG] [-l LINK]
    mitogen_bench.py -r

The first form prints one "mitogen.KEY VALUE" a line; SSH_CONFIG and LINK are as in bench.c. The other
one does what sides.c asks for, a round for each line of its input.
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

BLOBS = 8
CALLS = 500
WINDOW = 64
HOPS = 10
QUIET = 0.4


class Rounds:
    """Each method does one round and returns what it measured, in the unit of sides.c."""

    def __init__(self, router):
        self.router = router
        self.here = mitogen.core.Receiver(router)
        self.blob = mitogen.core.Blob(b'\0' * functions.BLOB_SIZE)
        self.context = None

    def start(self):
        if self.context:
            self.context.shutdown(wait=True)
        begin = time.monotonic()
        self.context = self.router.local()
        took = time.monotonic() - begin
        self.sink = self.context.call(functions.sink_open)
        return took * 1e3

    def call(self):
        return call_time(self.context, CALLS)

    def pipeline(self):
        begin = time.monotonic()
        waiting = [self.context.call_async(functions.empty) for _ in range(WINDOW)]
        for at in range(CALLS):
            waiting[at % WINDOW].get().unpickle()
            waiting[at % WINDOW] = self.context.call_async(functions.empty)
        for receiver in waiting:
            receiver.get().unpickle()
        return (CALLS + WINDOW) / (time.monotonic() - begin)

    def blobs_down(self):
        begin = time.monotonic()
        done = self.context.call_async(functions.sink_drain, BLOBS)
        for _ in range(BLOBS):
            self.sink.send(self.blob)
        assert done.get().unpickle() == BLOBS * functions.BLOB_SIZE
        return BLOBS / (time.monotonic() - begin)

    def blobs_up(self):
        begin = time.monotonic()
        done = self.context.call_async(functions.source, self.here.to_sender(), BLOBS)
        for _ in range(BLOBS):
            assert len(self.here.get().unpickle()) == functions.BLOB_SIZE
        done.get().unpickle()
        return BLOBS / (time.monotonic() - begin)

    def memory_pss(self):
        return memory(self.context)['Pss:']

    def memory_rss(self):
        return memory(self.context)['Rss:']

    def serve(self):
        for line in sys.stdin:
            print(getattr(self, line.strip().replace('.', '_'))(), flush=True)


def memory(context):
    """The fields of smaps_rollup that are sizes, in KiB."""
    kib = {}
    with open('/proc/%d/smaps_rollup' % context.call(functions.process_id)) as f:
        for line in f:
            words = line.split()
            if words[-1] == 'kB':
                kib[words[0]] = int(words[1])
    return kib


def call_time(context, calls):
    begin = time.monotonic()
    for _ in range(calls):
        context.call(functions.empty)
    return (time.monotonic() - begin) / calls * 1e6


def report(key, values):
    print('mitogen.%s %.4f' % (key, statistics.median(values)), flush=True)


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


def measure_memory(router):
    context = router.local()
    kib = memory(context)
    report('memory', [kib['Private_Clean:'] + kib['Private_Dirty:']])
    context.shutdown(wait=True)


def measure_chain(router):
    context = None
    for _ in range(HOPS):
        context = router.local(via=context) if context else router.local()
    report('chain', [call_time(context, 30) for _ in range(5)][1:])


def measure_all(router, ssh_config, link):
    measure_memory(router)
    measure_chain(router)
    if ssh_config:
        measure_start('ssh', lambda: router.ssh(
            hostname='good', python_path=['/usr/bin/python3'],
            ssh_args=['-F', ssh_config], check_host_keys='enforce'), 5)
    if link:
        measure_link(router, link)


def main():
    options = dict(getopt.getopt(sys.argv[1:], 's:l:r')[0])
    broker = mitogen.master.Broker()
    router = mitogen.master.Router(broker)
    try:
        if '-r' in options:
            Rounds(router).serve()
        else:
            measure_all(router, options.get('-s'), options.get('-l'))
    finally:
        broker.shutdown()
        broker.join()


if __name__ == '__main__':
    main()
