"""What Python contexts do, for a master in Python as for one in C."""

import os

import mitogen.core

BLOB_SIZE = 1024 * 1024
sink = None


def empty():
    pass


def process_id():
    return os.getpid()


@mitogen.core.takes_router
def sink_open(router):
    """A sender to the receiver that sink_drain empties."""
    global sink
    if sink is None:
        sink = mitogen.core.Receiver(router)
    return sink.to_sender()


def sink_drain(count):
    return sum(len(sink.get().unpickle()) for _ in range(count))


def source(to, count):
    blob = mitogen.core.Blob(b'\0' * BLOB_SIZE)
    for _ in range(count):
        to.send(blob)
