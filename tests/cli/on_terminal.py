"""on_terminal.py [--keys BYTES AFTER]... COMMAND...: runs a command on a new pseudo terminal.

What it writes there goes to stdout, as it is. After AFTER was seen in it, the keys (\\x03 is Ctrl-C)
are typed; several one after the other. Ends with the command's exit status, or 99 when it takes more than 30 seconds.
"""
import os
import pty
import select
import signal
import sys
import time

arguments = sys.argv[1:]
typing = []
while arguments[0] == "--keys":
    keys = arguments[1].encode().decode("unicode_escape").encode("latin-1")
    typing.append((keys, arguments[2].encode()))
    arguments = arguments[3:]

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(arguments[0], arguments)

deadline = time.monotonic() + 30
seen = b""
while True:
    left = deadline - time.monotonic()
    if left <= 0 or not select.select([terminal], [], [], left)[0]:
        os.kill(pid, signal.SIGKILL)
        sys.exit(99)
    try:
        data = os.read(terminal, 65536)
    except OSError:  # the last one has closed it
        data = b""
    if not data:
        break
    os.write(1, data)
    seen += data
    if typing and typing[0][1] in seen:
        os.write(terminal, typing.pop(0)[0])
        seen = b""
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(status if status >= 0 else 128 - status)
