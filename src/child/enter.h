/* Entering the namespaces of another process (setns(2), namespaces(7)) at the start of a child,
 * before it has a second thread. */
#ifndef CHILD_ENTER_H
#define CHILD_ENTER_H

#include <stdbool.h>

struct enter {
    int pid;             /* the process; 0: the first one of the container */
    char kind[16];       /* of container; "": none, and with pid 0 nothing is entered */
    char container[256]; /* as its tool knows it */
    char tool[256];      /* the path of that tool; "": the usual one */
    char username[64];   /* whom to become there; "": whoever that makes us */
};

bool enter_knows(const char *kind);

/* Enters. Returns in a new process, the only one that goes on, where the process namespace is
 * another one. -1 with an error; then the process must end. */
int enter_namespaces(const struct enter *e);

#endif
