/* A command and the process that guards it.
 *
 * The guard stands between the context and the command. It starts the command in a session (and so
 * a process group) of its own, reports how it ended, and kills the group when it is told to or when
 * the context is gone. So whichever process dies first, the others follow: the command gets SIGKILL
 * when the guard dies, and the context sees the guard's end and kills the group. */
#ifndef CLI_GUARD_H
#define CLI_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

struct guard {
    pid_t pid;
    pid_t command; /* 0 until the guard has said */
    bool ended;    /* the command has, with this status as from waitpid(2) */
    int status;
    int out, err; /* the command's output: read these, they do not block; -1 once closed */
    int line;     /* to the guard; readable when guard_receive() has something to do */
};

/* Starts argv[0], looked up in PATH, with stdin from /dev/null. When that fails in the end the
 * command says so on its stderr and ends with 126 or 127, as in a shell. -1: errno, and in *step
 * what failed. */
int guard_start(struct guard *g, char *const *argv, const char **step);
/* Takes the guard's reports in. -1: it is gone without having told the command's end. */
int guard_receive(struct guard *g);
/* Ends the command: SIGTERM, and SIGKILL STOP_GRACE_MS later. guard_receive() tells when it has. */
void guard_stop(struct guard *g);
/* Lets go of it. What the command left in the background lives on, unless guard_stop() was called
 * or the command has not ended: then all of its group is killed. Takes a second or two at most. */
void guard_end(struct guard *g);

#endif
