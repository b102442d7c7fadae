"""A Mitogen master listens, a Mitosis program joins it: listen.py PATH PROGRAM"""

import subprocess
import sys

import mitogen.core
import mitogen.master
import mitogen.service
import mitogen.unix
import mitogen.utils

from checks import FAILED, check


class Calculator(mitogen.service.Service):
    @mitogen.service.expose(policy=mitogen.service.AllowParents())
    @mitogen.service.arg_spec({'a': int, 'b': int})
    def add(self, a, b):
        return a + b

    @mitogen.service.expose(policy=mitogen.service.AllowParents())
    @mitogen.service.arg_spec({'a': int})
    def divide(self, a):
        return a / 0

    @mitogen.service.expose(policy=mitogen.service.AllowParents())
    def odd(self):
        return complex(1, 2)


def receive(rx):
    number, text, tx = rx.get(timeout=30).unpickle()
    check('Python receives what C sends', (number, text) == (1, 'two'))
    for number in (1, 2, 3):
        tx.send(number)
    tx.close()
    try:
        rx.get(timeout=30)
    except mitogen.core.ChannelError:
        check('and that C closes', True)
    else:
        check('and that C closes', False)


def main():
    path, program = sys.argv[1:]
    mitogen.utils.log_to_file(level='ERROR')
    broker = mitogen.master.Broker()
    broker.shutdown_timeout = 0.5  # it waits that long for clients, of whatever kind
    router = mitogen.master.Router(broker)
    listener = mitogen.unix.Listener.build_stream(router, path=path)
    pool = mitogen.service.Pool(router, [Calculator(router)], size=1)
    rx = mitogen.core.Receiver(router)
    child = router.local(python_path=[sys.executable])
    process = subprocess.Popen([program, 'join', path, str(child.context_id), str(rx.handle)],
                               stdout=subprocess.PIPE, universal_newlines=True)
    try:
        for line in process.stdout:
            if line == 'done\n':
                break
            sys.stdout.write(line)
            if line == 'ok sends to a Python receiver\n':
                receive(rx)
    finally:
        pool.stop()
        broker.shutdown()
        broker.join()
    for line in process.stdout:
        sys.stdout.write(line)
    sys.exit(process.wait() != 0 or FAILED != [])


if __name__ == '__main__':
    main()
