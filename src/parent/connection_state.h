/* What the files that make up a connection share. Not for others.
 *
 *     connection.c  the way to being up: first stage, image, marks
 *     launch.c      the process: configuration, command line, start
 *     asking.c      the terminal of the process, and passwords
 *     linked.c      while it is up, and how it ends
 *     diagnosis.c   why it did not come up, for people
 */
#ifndef PARENT_CONNECTION_STATE_H
#define PARENT_CONNECTION_STATE_H

#include "io/process.h"
#include "parent/connection.h"
#include "io/pty.h"
#include "parent/image.h"
#include "parent/modules.h"
#include "parent/prompt.h"

enum { CONNECT_TIMEOUT = 30000 }; /* ms, unless the options say */

enum state {
    WAITING_FOR_ID,
    WAITING_FOR_MODULE, /* of which the program is made that is to be started */
    WAITING_FOR_SHELL,  /* started; the first stage has not spoken */
    WAITING_FOR_UP,     /* the image is on its way, or was started directly */
    UP,
    FAILED, /* told; its process is still to go */
    GONE,   /* it was up; its process is still to go */
};

struct connection {
    struct activity activity;
    struct mito_router *router;
    const struct method *method;
    void *options;
    uint32_t id;
    char name[100];
    enum state state;
    bool spoke; /* the first stage did */
    struct id_wait id_wait;
    struct id_range ids; /* given to it */
    int kind;            /* of machine, as far as is known */
    struct image_user image;
    enum image_form form;
    bool have_image;     /* image_data may be sent */
    bool begun;          /* something was, or is being, sent */
    bool other_kind;     /* it said that it is one */
    bool wrong_kind;     /* what is being sent is for another kind: the right one follows */
    unsigned char again; /* how often it was asked for once more */
    const uint8_t *image_data;
    size_t image_size;
    struct module_wait module_wait;
    struct process process;
    bool started;
    bool inquired;  /* the process is the method's inquiry, or was */
    int fd, out_fd; /* its output, its input: the same one unless sudo wants it otherwise */
    struct watch *watch, *out_watch;
    struct buf in; /* what came and is not understood yet */
    struct buf noise;
    size_t noise_bytes;
    int err_fd;
    struct watch *err_watch;
    struct buf err; /* the end of what came on stderr and the terminal */
    struct pty tty; /* fd -1: it has none */
    struct watch *tty_watch;
    struct prompt_line tty_line, err_line;
    struct timer ask_timer; /* a question stands: on which of the two */
    bool asked_on_tty;
    bool typed;        /* the password was */
    struct buf header; /* of the image being sent; or all that a program of another kind reads */
    const uint8_t *upload;
    size_t upload_size, uploaded; /* of header and image together */
    bool uploading;
    struct timer timeout, kill_timer;
    struct neighbour *neighbour;
    connection_done *done;
    void *done_arg;
};

/* Tells why it could not be brought up. Its process is ended; this goes when that has. */
void connection_fail(struct connection *c, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void connection_free(struct connection *c);
void connection_kill_now(void *connection); /* a timer's function */

/* diagnosis.c: each fails the connection with the best sentence there is. */
void connection_died(struct connection *c);  /* its process ended before it was up */
void connection_timed_out(void *connection); /* a timer's function */
void connection_got_garbage(struct connection *c);
void connection_refused(struct connection *c); /* it asks for the password again */

/* asking.c. Opens a terminal if the method wants one; -1 with an error. */
int asking_open(struct connection *c);
int asking_watch(struct connection *c); /* once its process runs */
void asking_close(struct connection *c);
/* It wrote that on standard error or output. */
void asking_on_output(struct connection *c, const char *data, size_t length);
/* Reads what is left in the terminal of a process that has ended. */
void asking_drain(struct connection *c);
/* The password is not needed any more. */
void asking_wipe(struct connection *c);

void connection_log_said(struct connection *c); /* c->err, as far as it is lines */
void connection_keep_said(struct connection *c, const char *data, size_t length);

/* launch.c: starts the process and watches it; `module` is what the method's program is made of, if
 * it has one. -1 with an error. */
int connection_launch(struct connection *c, const struct mito_value *module,
                      void (*on_ready)(void *connection, int ready),
                      void (*on_out_ready)(void *connection, int ready),
                      void (*on_stderr)(void *connection, int ready),
                      void (*on_exit)(void *connection));

/* Starts the method's inquiry instead of the process that has ended. -1 with an error. */
int connection_inquire(struct connection *c);

/* linked.c */
extern const struct neighbour_ops connection_ops;
void connection_process_ended(struct connection *c); /* while it is up */

#endif
