/* Paths of unix sockets: listening on one, connecting to one. */
#ifndef SERVICE_SOCKET_PATH_H
#define SERVICE_SOCKET_PATH_H

#include <sys/types.h>

struct socket_path {
    char text[108];
    dev_t dev; /* the socket that we made there: another one is not ours to remove */
    ino_t ino;
};

/* A listening, non-blocking socket of mode 0600 at that path, where it appears at once and whole. A
 * stale one (nobody listens) is replaced; one that is alive, or is no socket, is left and makes
 * this fail. */
int socket_path_listen(struct socket_path *p, const char *path);
/* Removes the path, if it is still ours. */
void socket_path_remove(const struct socket_path *p);
/* A connected, blocking socket. MITO_E_REFUSED: nobody listens there; MITO_E_PERMISSION. */
int socket_path_connect(const char *path, int timeout);

#endif
