/* Child processes: started without fork handlers or signal handlers, noticed when they end by pidfd
 * where the kernel has it. The program's own SIGCHLD handling is never touched. */
#ifndef IO_PROCESS_H
#define IO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "io/broker.h"

struct spawn {
    const char *path; /* looked up in PATH unless it has a slash */
    char *const *argv;
    int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null */
    const char *tty; /* when set: controlling terminal of the new session (a pty's name) */
    int image_fd;    /* when set: what is started, in place of path; see SPAWN_IMAGE */
};

/* The descriptor that a process started from image_fd has it as, open: where an emulator runs the
 * programs of another kind of machine, it is started first, and then opens /proc/self/fd/3. */
enum { SPAWN_IMAGE = 3 };

/* Starts it, as leader of a session of its own, with default signal handling and nothing blocked.
 * MITO_E_NO_TOOL when there is no such program. Needs no lock. */
int process_spawn(const struct spawn *spawn, pid_t *pid);

struct process {
    struct broker *broker;
    pid_t pid;
    int pidfd;
    struct watch *watch;
    struct timer timer; /* looks again, on kernels without pidfd, once somebody expects its end */
    bool exited;
    int status;      /* as from waitpid(2); -1: somebody else reaped it */
    bool killed;     /* by us */
    bool kill_group; /* on its end, kill what is left of its process group */
    void (*on_exit)(void *arg);
    void *arg;
};

/* All with the lock held. */
int process_watch(struct process *p, struct broker *b, pid_t pid, void (*on_exit)(void *arg),
                  void *arg);
void process_expect_end(struct process *p);       /* its stream broke: it should end soon */
bool process_check(struct process *p);            /* has it ended? reaps it */
void process_kill(struct process *p, int signal); /* the process and its group */
void process_forget(struct process *p);           /* stops watching */
/* "exited with status 3", "was killed by signal 9 (Killed)"; returns out. */
/* Did it end as a program does that has an error: by a signal that is made by what it does, or with
 * another status than 0? */
bool process_failed(const struct process *p);
const char *process_describe(int status, char *out, size_t size);

#endif
