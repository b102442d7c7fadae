/* Pseudo terminals, for programs that ask for passwords on one. */
#ifndef IO_PTY_H
#define IO_PTY_H

struct pty {
    int fd;        /* our side; non-blocking, close-on-exec */
    int other;     /* the other side, kept open so that ours never reads an end before ... */
    char name[64]; /* ... the process has opened it by this name (struct spawn) */
};

int pty_open(struct pty *pty); /* with echo off, so that nothing typed comes back */
void pty_close(struct pty *pty);

#endif
