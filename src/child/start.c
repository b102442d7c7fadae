/* mito_start(): am I a child? Then become one. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/format.h"
#include "child/child.h"
#include "child/crash.h"
#include "child/image.h"
#include "core/context.h"
#include "io/fd.h"

struct child this_child;
static int own_argc;
static char **own_argv;
int child_image_fd = -1;
bool child_image_is_set;
char child_image_hashes[IMAGE_HASHES_MAX];

static void die(const char *step)
{
    char text[ERROR_TEXT_MAX + 64];
    size_t n = format_to(text, sizeof text, "mitosis: child: %s: %s\n", step, mito_error());

    fd_write_all(2, text, n < sizeof text ? n : sizeof text - 1);
    _exit(70);
}

/* Makes ps show who started this process, over the memory that holds the arguments: in place, since
 * a POSIX sh cannot choose argv[0]. */
static void show_title(int argc, char **argv, const char *title)
{
    char *end = argv[argc - 1] + strlen(argv[argc - 1]);
    size_t room = (size_t)(end - argv[0]);
    size_t length = strlen(title);

    for (int i = 0; i + 1 < argc; i++) {
        if (argv[i] + strlen(argv[i]) + 1 != argv[i + 1])
            room = strlen(argv[0]); /* not in one piece after all */
    }
    if (length > room)
        length = room;
    memset(argv[0], 0, room);
    memcpy(argv[0], title, length);
    prctl(PR_SET_NAME, "mitosis", 0L, 0L, 0L);
}

/* The image was started from a file with a name (no /proc there to start it without one). */
static void remove_directory(const char *dir)
{
    char path[4096];

    if (format_to(path, sizeof path, "%s/image", dir) < sizeof path)
        unlink(path);
    rmdir(dir);
}

static bool same_socket(int a, int b)
{
    struct stat sa, sb;

    return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && S_ISSOCK(sa.st_mode) &&
           sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* Moves the stream away from descriptors 0 and 1, which become harmless; so does 2 when it is not
 * open: what would be opened as 2 would be replaced later on. */
static int take_stream(int *in_fd, int *out_fd)
{
    *in_fd = fcntl(0, F_DUPFD_CLOEXEC, FD_OUT_OF_THE_WAY);
    if (*in_fd < 0) /* a low limit on descriptors */
        *in_fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
    *out_fd = *in_fd;
    if (*in_fd >= 0 && !same_socket(0, 1))
        *out_fd = fcntl(1, F_DUPFD_CLOEXEC, *in_fd + 1);
    if (*in_fd < 0 || *out_fd < 0)
        return error_errno("fcntl(F_DUPFD_CLOEXEC)");
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || fd_move_up(&null, 3) < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        (fcntl(2, F_GETFD) < 0 && dup2(null, 2) < 0))
        return error_errno("/dev/null");
    close(null);
    if (fd_set_nonblocking(*in_fd) < 0 || fd_set_nonblocking(*out_fd) < 0)
        return -1;
    return 0;
}

static void ignore(int signal)
{
    (void)signal;
}

/* A handler, not SIG_IGN: what user functions start gets the default back. */
static void survive_signals(void)
{
    struct sigaction act = {.sa_handler = ignore, .sa_flags = SA_RESTART}, hup;

    sigaction(SIGPIPE, &act, NULL);
    /* A terminal (sudo's) hangs up at the moment when the stream breaks. That one ends us, in
     * order.
     */
    if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_DFL)
        sigaction(SIGHUP, &act, NULL);
}

static int join_tree(struct child *c, const struct child_config *config, int in_fd, int out_fd)
{
    struct mito_router *r = c->router = router_create(&config->router);

    if (r == NULL)
        return -1;
    router_lock(r);
    int rc = -1;
    if (context_intern(r, r->config.id, config->name) != NULL &&
        dispatcher_start(&c->dispatcher, r) == 0 && death_start(c) == 0) {
        r->parent =
            neighbour_new(r, r->config.parent_ids[0], true, in_fd, out_fd, &child_parent_ops, NULL);
        rc = r->parent != NULL && output_start(c) == 0 ? 0 : -1;
    }
    crash_watch();
    router_unlock(r);
    return rc;
}

_Noreturn static void serve(const struct child_config *config)
{
    int in_fd, out_fd;

    memcpy(child_image_hashes, config->images, sizeof child_image_hashes);
    if (own_argc > 0)
        show_title(own_argc, own_argv, config->title);
    if (enter_namespaces(&config->enter) < 0)
        die("setns");
    survive_signals();
    router_claim_process();
    if (take_stream(&in_fd, &out_fd) < 0)
        die("stream");
    if (fd_write_all(out_fd, CHILD_UP, strlen(CHILD_UP)) < 0 ||
        join_tree(&this_child, config, in_fd, out_fd) < 0)
        die("start");
    dispatcher_serve(&this_child.dispatcher);
    router_lock(this_child.router);
    child_end(&this_child);
    router_unlock(this_child.router);
    for (;;)
        pause(); /* the broker ends the process */
}

void mito_start(int argc, char **argv)
{
    struct child_config config;

    if (argc == 2 && strcmp(argv[1], CHILD_ARGUMENT) == 0)
        _exit(0); /* the first stage asks whether the image can be started */
    own_argc = argc;
    own_argv = argv;
    child_image_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (child_image_fd >= 0)
        fd_move_away(&child_image_fd);
    if (argc < 3 || strcmp(argv[1], CHILD_ARGUMENT) != 0)
        return;
    if (child_config_parse(&config, argv[2]) < 0)
        die("command line");
    if (argc > 3)
        remove_directory(argv[3]);
    fd_close_from(3, child_image_fd);
    serve(&config);
}

/* Where there is no memfd_create(2): a file without a name. Its writer is closed when it is
 * written, as nobody may have a file open for writing that is to be started. It cannot be sealed.
 */
static int image_in_file(const void *image, size_t size)
{
    static const char *const dirs[] = {"/dev/shm", "/run", "/tmp", "/var/tmp"};
    char path[64];

    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        format_to(path, sizeof path, "%s/.mitosis-XXXXXX", dirs[i]);
        AUTO_FD writer = mkostemp(path, O_CLOEXEC);
        if (writer < 0)
            continue;
        AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
        unlink(path);
        if (fd < 0 || fchmod(writer, 0500) < 0 || fd_write_all(writer, image, size) < 0)
            continue;
        return fd_take(&fd);
    }
    return error_errno("no file for the image: neither memfd_create(2) nor one in /dev/shm, /run, "
                       "/tmp, /var/tmp");
}

static int image_in_memory(const void *image, size_t size)
{
    AUTO_FD fd = memfd_create("mitosis", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return image_in_file(image, size);
    if (fd_write_all(fd, image, size) < 0)
        return error_errno("writing the image");
    /* A process in a container that a copy entered (setns) may come to have it open: it must not be
     * able to change what we start next. */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return error_errno("sealing the image");
    return fd_take(&fd);
}

int mito_set_image(const void *image, size_t size)
{
    if (image == NULL)
        return error_null("image");
    AUTO_FD fd = image_in_memory(image, size);
    if (fd < 0)
        return -1;
    if (fd_move_away(&fd) < 0)
        return error_errno("fcntl(F_DUPFD_CLOEXEC)");
    fd_close(&child_image_fd);
    child_image_fd = fd_take(&fd);
    child_image_is_set = true;
    return 0;
}

/* --- forked, not started -----------------------------------------------------------------------
 */

static void *serve_forked(void *arg)
{
    struct child_config config;

    if (child_config_parse(&config, arg) < 0)
        die("configuration");
    serve(&config);
}

/* Functions run on a thread with a stack of their own size: the one that forked may be the broker.
 */
static int start_serving(char *config)
{
    enum { STACK = 8 * 1024 * 1024 };
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_sigmask(SIG_SETMASK, &none, NULL); /* inherited */
    int rc = pthread_create(&thread, &attr, serve_forked, config);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_attr_destroy(&attr);
    return rc;
}

void child_become(const char *config, int in_fd, int out_fd, int err_fd)
{
    char *copy = strdup(config);

    setsid();
    if (dup2(in_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0)
        _exit(70);
    fd_close_on_fork(child_image_fd);
    memset(&this_child, 0, sizeof this_child);
    if (copy == NULL || start_serving(copy) != 0)
        _exit(70);
    for (;;)
        pause();
}

/* --- cutting loose -----------------------------------------------------------------------------
 */

int mito_detach(struct mito_router *r)
{
    struct child *c = &this_child;
    struct frame f = {.handle = HANDLE_DETACHING};
    struct mito_message *m = NULL;
    struct mito_receiver rx;
    struct pending *p = NULL;
    struct error e;

    if (r != c->router || c->detached)
        return error_set(MITO_E_INVALID, "only a child that is attached can detach");
    receiver_init(&rx, r);
    router_lock(r);
    struct mito_context *parent = context_intern(r, r->config.parent_ids[0], NULL);
    if (parent != NULL && (p = pending_new(&rx, parent, NULL, NULL)) != NULL) {
        f.dst_id = parent->id;
        f.reply_to = p->handle.number;
        if (router_send(r, &f, NULL, 0, true) == 0)
            m = receiver_wait(&rx, INT64_MAX);
    }
    receiver_fini(&rx);
    if (m != NULL && r->parent != NULL && !c->ending) {
        c->detached = true;
        r->config.parent_count = 0; /* nobody has authority over us any more */
        error_fill(&e, MITO_E_DEAD, "detached");
        neighbour_gone(r->parent, &e);
        r->ids.next = 0x80000000u; /* our own root now: ids that the old tree does not use */
        r->ids.last = UINT32_MAX;
    }
    router_unlock(r);
    mito_message_free(m);
    return c->detached ? 0 : error_set(MITO_E_DEAD, "the parent is gone");
}
