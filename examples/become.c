/* Who am I there? Asks as another user of another machine: over ssh, and from there with sudo. The
 * password is asked for only when sudo asks for one.
 *     become [host [user]]         without a host: this machine; without a user: root */
#include <fcntl.h>
#include <inttypes.h>
#include <mitosis.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

MITO_FUNCTION(whoami)
{
    return mito_return(call, "ii", geteuid(), getpid());
}

static void interrupted(int signal)
{
    (void)signal;
}

/* From the terminal, which shows nothing of it, also when the user gives up with Ctrl-C. */
static int ask_password(const char *whose, char *out, size_t size)
{
    struct sigaction act = {.sa_handler = interrupted}, before; /* read(2) returns: no SA_RESTART */
    struct termios as_it_was, quiet;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);

    if (tty < 0 || tcgetattr(tty, &as_it_was) < 0)
        return -1;
    quiet = as_it_was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ECHONL;
    sigaction(SIGINT, &act, &before);
    tcsetattr(tty, TCSAFLUSH, &quiet);
    dprintf(tty, "Password for %s: ", whose);
    ssize_t length = read(tty, out, size);
    tcsetattr(tty, TCSAFLUSH, &as_it_was);
    sigaction(SIGINT, &before, NULL);
    close(tty);
    if (length <= 0 || out[length - 1] != '\n')
        return -1;
    out[length - 1] = '\0';
    return 0;
}

static struct mito_context *become(struct mito_router *router, struct mito_context *via,
                                   const char *user)
{
    struct mito_context *context = mito_sudo(router, .via = via, .username = user);
    char password[256];

    if (context != NULL || mito_error_code() != MITO_E_NO_PASSWORD)
        return context;
    if (ask_password(via != NULL ? mito_context_name(via) : "sudo", password, sizeof password) == 0)
        context = mito_sudo(router, .via = via, .username = user, .password = password);
    explicit_bzero(password, sizeof password); /* the library has wiped its copies */
    return context;
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    struct mito_context *there = argc > 1 ? mito_ssh(router, .hostname = argv[1]) : NULL;
    struct mito_context *context = NULL;
    int64_t uid, pid;
    int rc = 1;

    if (argc <= 1 || there != NULL)
        context = become(router, there, argc > 2 ? argv[2] : "root");
    if (context != NULL && mito_call(context, &whoami, "", "ii", &uid, &pid) == 0) {
        printf("%s: uid %" PRId64 ", pid %" PRId64 "\n", mito_context_name(context), uid, pid);
        rc = 0;
    } else {
        fprintf(stderr, "become: %s: %s\n", mito_error_name(mito_error_code()), mito_error());
    }
    mito_router_free(router);
    return rc;
}
