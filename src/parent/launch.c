/* Starting the process of a connection. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "child/config.h"
#include "child/image.h"
#include "io/fd.h"
#include "parent/connection_state.h"
#include "parent/first_stage.h"
#include "parent/forking.h"

/* user@host:pid. The user as the environment says: looking the number up in the user database would
 * put 5 KB of code into every image. */
static void default_title(char *out, size_t size)
{
    char host[64] = "localhost", number[16];
    const char *user = getenv("LOGNAME");

    gethostname(host, sizeof host - 1);
    format_to(number, sizeof number, "%u", (unsigned)geteuid());
    if (user == NULL || geteuid() == 0)
        user = geteuid() == 0 ? "root" : number;
    format_to(out, size, "%.30s@%s:%d", user, host, (int)getpid());
}

/* Its parent_ids are to be freed. */
static int fill_config(struct connection *c, struct child_config *config)
{
    struct mito_router *r = c->router;
    const struct common_options *o = c->options;
    uint32_t *parents = malloc((r->config.parent_count + 1) * sizeof *parents);

    if (parents == NULL)
        return error_nomem();
    *config = (struct child_config){.router = r->config};
    parents[0] = r->config.id;
    if (r->config.parent_count > 0)
        memcpy(parents + 1, r->config.parent_ids, r->config.parent_count * sizeof *parents);
    config->router.id = c->id;
    config->router.parent_ids = parents;
    config->router.parent_count = r->config.parent_count + 1;
    config->router.unidirectional |= o->unidirectional;
    config->router.ids = (struct id_range){0, 0};
    if (o->debug && config->router.log_level < MITO_DEBUG)
        config->router.log_level = MITO_DEBUG;
    char who[100];
    default_title(who, sizeof who);
    format_to(config->title, sizeof config->title, "mitosis:%.100s",
              o->remote_name != NULL ? o->remote_name : who);
    format_to(config->name, sizeof config->name, "%.30s", c->name);
    return 0;
}

static int build_config(struct connection *c, struct buf *out, struct buf *title)
{
    struct child_config config;

    if (fill_config(c, &config) < 0)
        return -1;
    config.router.ids = c->ids = ids_spare_block(c->router);
    format_to(config.images, sizeof config.images, "%s", image_hashes(c->router));
    int rc = (c->method->enter != NULL && c->method->enter(c->options, &config.enter) < 0) ||
             child_config_encode(out, &config) < 0 || buf_byte(out, 0) < 0 ||
             buf_str(title, config.title) < 0 || buf_byte(title, 0) < 0;
    free(config.router.parent_ids);
    return rc == 0 ? 0 : -1;
}

/* A program that is no copy of ours. */
static int build_program(struct connection *c, const struct mito_value *module, struct argv *argv)
{
    struct child_config config;

    if (fill_config(c, &config) < 0)
        return -1;
    int rc = c->method->program(c->options, &config, module, argv, &c->header);
    free(config.router.parent_ids);
    return rc;
}

enum { DIRECT_CONFIG = 2 }; /* the argument of a direct method that is its configuration */

static int build_command(struct connection *c, const struct mito_value *module, struct argv *argv,
                         char *path, size_t path_size)
{
    AUTO_BUF config = {0};
    AUTO_BUF title = {0};
    AUTO_BUF line = {0};

    if (c->method->program != NULL) {
        if (build_program(c, module, argv) < 0)
            return -1;
        format_to(path, path_size, "%s", argv->words[0]);
        return 0;
    }
    if (build_config(c, &config, &title) < 0)
        return -1;
    if (c->method->direct) {
        if (child_image_fd < 0 && !c->method->forks)
            return error_set(MITO_E_SYSTEM, "cannot read our own executable (is /proc mounted? was "
                                            "mito_start() called?)");
        path[0] = 0; /* the image is what is started */
        argv_add(argv, (char *)title.data);
        argv_add(argv, CHILD_ARGUMENT);
        argv_add(argv, (char *)config.data);
        return argv_done(argv);
    }
    if (first_stage_command(&line, (char *)config.data, c->kind, c->method->eager) < 0 ||
        c->method->command(c->options, (char *)line.data, argv) < 0)
        return -1;
    format_to(path, path_size, "%s", argv->words[0]);
    return 0;
}

/* What the process gets as standard input, output, error. */
struct ends {
    int in, out, err;
};

static void close_ends(struct ends *e)
{
    if (e->out == e->in)
        e->out = -1;
    fd_close(&e->in);
    fd_close(&e->out);
    fd_close(&e->err);
}

/* One socket for both directions; two where there is a terminal, since a sudo that logs output
 * (log_output) keeps a descriptor that is both from reaching its command as input. */
static int open_ends(struct connection *c, struct ends *e)
{
    int pair[2], err[2];

    if (fd_socketpair(pair, true) < 0)
        return -1;
    c->fd = c->out_fd = pair[0];
    e->in = e->out = pair[1];
    if (c->method->terminal == TERMINAL_ALWAYS) {
        if (fd_socketpair(pair, true) < 0)
            return -1;
        c->out_fd = pair[0];
        e->in = pair[1];
    }
    if (fd_pipe(err) < 0)
        return -1;
    c->err_fd = err[0];
    e->err = err[1];
    return 0;
}

int connection_launch(struct connection *c, const struct mito_value *module,
                      void (*on_ready)(void *connection, int ready),
                      void (*on_out_ready)(void *connection, int ready),
                      void (*on_stderr)(void *connection, int ready),
                      void (*on_exit)(void *connection))
{
    struct broker *b = &c->router->broker;
    struct argv argv = {0};
    struct ends e = {-1, -1, -1};
    char path[4096];
    pid_t pid;
    int rc = -1;

    if (build_command(c, module, &argv, path, sizeof path) == 0 && asking_open(c) == 0 &&
        open_ends(c, &e) == 0) {
        struct spawn s = {path,
                          argv.words,
                          e.in,
                          e.out,
                          e.err,
                          c->tty.fd >= 0 ? c->tty.name : NULL,
                          *path == '\0' ? child_image_fd : 0};
        rc = c->method->forks
                 ? forking_start(c->router, argv.words[DIRECT_CONFIG], e.in, e.out, e.err, &pid)
                 : process_spawn(&s, &pid);
    }
    argv_free(&argv);
    close_ends(&e);
    if (rc < 0)
        return -1;
    c->started = true;
    process_watch(&c->process, b, pid, on_exit, c);
    c->watch = c->out_watch = watch_new(b, c->fd, POLLER_IN, on_ready, c);
    if (c->out_fd != c->fd)
        c->out_watch = watch_new(b, c->out_fd, 0, on_out_ready, c);
    c->err_watch = watch_new(b, c->err_fd, POLLER_IN, on_stderr, c);
    return c->watch == NULL || c->out_watch == NULL || c->err_watch == NULL ? -1 : asking_watch(c);
}

/* What it says is read when it has ended (connection.c): it fits into the pipe. */
int connection_inquire(struct connection *c)
{
    enum { INQUIRY_PATIENCE = 3000 };
    struct argv argv = {0};
    int said[2];
    pid_t pid;
    int rc = -1;

    if (c->method->inquiry(c->options, &argv) == 0 && fd_pipe(said) == 0) {
        struct spawn s = {argv.words[0], argv.words, -1, said[1], said[1], NULL, 0};
        rc = process_spawn(&s, &pid);
        c->err_fd = said[0];
        close(said[1]);
    }
    argv_free(&argv);
    if (rc < 0)
        return -1;
    c->inquired = true;
    process_watch(&c->process, &c->router->broker, pid, c->process.on_exit, c);
    process_expect_end(&c->process);
    timer_set(&c->router->broker, &c->kill_timer, clock_ms() + INQUIRY_PATIENCE,
              connection_kill_now, c);
    return 0;
}
