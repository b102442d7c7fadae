/* The functions of the command that run in contexts.
 *
 * run_command(argv: list of bytes, output: receiver, window: int) -> (code, signal, bytes)
 *   To `output` it sends first its own receiver ("r"), as a request that is never answered, then
 * what the command writes: (stream, data) as requests ("iy", stream 1 or 2), each to be answered
 * (with nothing) when it has been taken in. At most `window` bytes are unanswered at any time. A
 * message to its receiver, or the receiver's end, ends the command. `code` is its exit status, or
 * `signal` what killed it; `bytes` is how much it has written. describe() -> (user, pid, host,
 * machine) ping() -> None
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "mitosis.h"

enum {
    WINDOW_MAX = 256 << 10, /* bytes of one command that are on their way */
    WINDOW_MIN = 4 << 10,
    STOP_GRACE_MS = 1000, /* between SIGTERM and SIGKILL */
};

/* What describe() answers, of this process. -1: errno of uname(2). The main thread's alone. */
struct self {
    char user[64];
    char host[256];
    char machine[128];
};
int self_describe(struct self *out);

MITO_DECLARE_FUNCTION(run_command);
MITO_DECLARE_FUNCTION(describe);
MITO_DECLARE_FUNCTION(ping);

#endif
