/* Unix sockets: programs that join the tree, what they may, and how each side notices the end of
 * the other. The clients are this program, started again. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char directory[] = "/tmp/mt-unix-XXXXXX";
static char path[64];

static const struct mito_function mito_no_such = {"main", "no_such_function", NULL, 0};

/* --- functions of the master -------------------------------------------------------------------
 */

MITO_FUNCTION(sum)
{
    int64_t a, b;

    if (mito_args(call, "ii", &a, &b) < 0)
        return -1;
    return mito_return(call, "i", a + b);
}

/* In a child: calls that one's function. */
MITO_FUNCTION(call_up)
{
    MITO_AUTO_CONTEXT context = NULL;
    int64_t result;

    if (mito_args(call, "c", &context) < 0 || mito_call(context, &sum, "ii", 2, 3, "i", &result))
        return -1;
    return mito_return(call, "i", result);
}

/* Sends it a word when told to: at once, or after the caller left. */
MITO_FUNCTION_FLAGS(stay, MITO_CONCURRENT)
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(mito_call_router(call));
    MITO_AUTO_SENDER tx = NULL;

    if (mito_args(call, "t", &tx) < 0 || mito_send(tx, "r", rx) < 0)
        return -1;
    MITO_AUTO_MESSAGE m = mito_receive(rx, PATIENCE);
    return m == NULL ? -1 : 0;
}

/* --- the client --------------------------------------------------------------------------------
 */

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "client: line %d: %s (%s)\n", __LINE__, #condition, mito_error());     \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int64_t pid_of(struct mito_context *context)
{
    int64_t pid = 0;

    return context != NULL && mito_call(context, &tree_pid, "", "i", &pid) == 0 ? pid : -1;
}

static int client_sum(struct mito_router *r, const char *arg)
{
    MITO_AUTO_CONTEXT master = mito_context_parent(r);
    int64_t result = 0;

    (void)arg;
    CHECK(mito_call(master, &sum, "ii", 2, 3, "i", &result) == 0 && result == 5);
    return 0;
}

/* Everything that the master may: its functions, its children, new contexts there and here. */
static int client_authority(struct mito_router *r, const char *arg)
{
    MITO_AUTO_CONTEXT self = mito_context_self(r);
    MITO_AUTO_CONTEXT master = mito_context_parent(r);
    MITO_AUTO_CONTEXT child = mito_context_by_id(r, (uint32_t)atoi(arg));
    int64_t result = 0;

    CHECK(mito_context_id(self) > 0 && mito_context_id(master) == 0);
    CHECK(strncmp(mito_context_name(master), "unix_listener.", 14) == 0);
    CHECK(client_sum(r, NULL) == 0);
    CHECK(pid_of(child) > 0);
    MITO_AUTO_CONTEXT theirs = mito_local(r, .via = master);
    MITO_AUTO_CONTEXT deeper = mito_local(r, .via = child);
    MITO_AUTO_CONTEXT ours = mito_local(r);
    CHECK(pid_of(theirs) > 0 && pid_of(deeper) > 0 && pid_of(ours) > 0);
    /* What it has started itself may no more than other children. */
    CHECK(mito_call(ours, &call_up, "c", master, "i", &result) < 0);
    CHECK(strstr(mito_error(), "refused") != NULL);
    CHECK(mito_call(ours, &call_up, "c", child, "i", &result) < 0);
    CHECK(mito_context_shutdown(deeper, PATIENCE) == 0);
    CHECK(mito_call(ours, &sum, "ii", 1, 1, "i", &result) == 0 && result == 2);
    CHECK(mito_call(deeper, &tree_pid, "", "i", &result) < 0 && mito_error_code() == MITO_E_DEAD);
    CHECK(mito_call(master, &mito_no_such, "", "") < 0 && mito_error_code() == MITO_E_NO_FUNCTION);
    return 0;
}

/* Waits in every way there is; all must end at once. */
static int client_wait(struct mito_router *r, const char *arg)
{
    MITO_AUTO_CONTEXT child = mito_context_by_id(r, (uint32_t)atoi(arg));
    MITO_AUTO_CONTEXT master = mito_context_parent(r);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(r);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(r);
    int64_t result = 0;

    CHECK(mito_call_async(child, &tree_spin, answers, NULL, "") == 0);
    CHECK(mito_call(master, &sum, "ii", 2, 3, "i", &result) == 0);
    fprintf(stdout, "w\n"); /* waits from here on */
    fflush(stdout);
    MITO_AUTO_MESSAGE m = mito_receive(answers, PATIENCE);
    CHECK(m != NULL && mito_message_read(m, "") < 0 && mito_error_code() == MITO_E_DEAD);
    CHECK(mito_receive(rx, PATIENCE) == NULL && mito_error_code() == MITO_E_DEAD);
    CHECK(mito_call(master, &sum, "ii", 2, 3, "i", &result) < 0 &&
          mito_error_code() == MITO_E_DEAD);
    CHECK(strstr(mito_error(), "unix_listener.") != NULL);
    MITO_AUTO_CONTEXT late = mito_local(r);
    CHECK(late == NULL);
    return 0;
}

/* Is in a call for ever; is killed. */
static int client_stay(struct mito_router *r, const char *arg)
{
    MITO_AUTO_CONTEXT master = mito_context_parent(r);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(r);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(r);

    (void)arg;
    CHECK(mito_call_async(master, &stay, answers, NULL, "r", rx) == 0);
    MITO_AUTO_MESSAGE m = mito_receive(rx, PATIENCE);
    CHECK(m != NULL);
    MITO_AUTO_CONTEXT own = mito_local(r);
    printf("%d\n", (int)pid_of(own));
    fflush(stdout);
    pause();
    return 0;
}

static int client(const char *mode, const char *where, const char *arg)
{
    static const struct {
        const char *name;
        int (*run)(struct mito_router *r, const char *arg);
    } modes[] = {{"sum", client_sum},
                 {"authority", client_authority},
                 {"wait", client_wait},
                 {"stay", client_stay}};
    struct mito_router *r = mito_unix_connect(where, NULL);

    CHECK(r != NULL);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(modes[i].name, mode) == 0) {
            int status = modes[i].run(r, arg);
            mito_router_free(r);
            return status;
        }
    }
    return 2;
}

struct running {
    pid_t pid;
    FILE *out;
};

static struct running run(const char *mode, uint32_t id)
{
    char number[16];
    char *argv[] = {(char *)"test_unix", (char *)"client", (char *)mode, path, number, NULL};
    posix_spawn_file_actions_t actions;
    struct running client;
    int out[2];

    snprintf(number, sizeof number, "%u", id);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    assert_int_equal(posix_spawn(&client.pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    client.out = fdopen(out[0], "re");
    return client;
}

static int said(const struct running *client)
{
    char line[32] = "";

    assert_non_null(fgets(line, sizeof line, client->out));
    return atoi(line);
}

static int status_of(struct running client)
{
    int status = -1;

    fclose(client.out);
    assert_int_equal(waitpid(client.pid, &status, 0), client.pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void wait_idle(struct mito_listener *listener)
{
    for (int64_t end = now_ms() + PATIENCE; mito_listener_idle(listener) < 0 && now_ms() < end;)
        sleep_ms(5);
    assert_true(mito_listener_idle(listener) >= 0);
}

static struct mito_listener *listening(void)
{
    struct mito_listener *listener = mito_listen(tree, .path = path);

    if (listener == NULL)
        fail_msg("%s", mito_error());
    return listener;
}

/* --- what clients may --------------------------------------------------------------------------
 */

static void clients_have_authority(void **state)
{
    (void)state;
    struct mito_listener *listener = listening();
    MITO_AUTO_CONTEXT child = tree_local();
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(status_of(run("authority", mito_context_id(child))), 0);
    wait_idle(listener);
    mito_listener_free(listener);
    assert_int_equal(lstat(path, &st), -1);
    assert_int_equal(errno, ENOENT);
}

/* A client stands where the listener stands: the tree's children may talk to it, and it to them. */
static void clients_of_a_unidirectional_tree(void **state)
{
    (void)state;
    tree_reopen(&(struct mito_router_options){.unidirectional = true});
    struct mito_listener *listener = listening();
    MITO_AUTO_CONTEXT child = tree_local();

    assert_int_equal(status_of(run("authority", mito_context_id(child))), 0);
    wait_idle(listener);
    mito_listener_free(listener);
}

static void hundred_in_turn(void **state)
{
    (void)state;
    enum { CLIENTS = UNDER_TSAN || UNDER_ASAN ? 20 : 100 };
    struct mito_listener *listener = listening();
    size_t before = count_descriptors();

    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(status_of(run("sum", 0)), 0);
    wait_idle(listener);
    assert_true(count_descriptors() <= before + 2);
    mito_listener_free(listener);
}

/* --- the end of either -------------------------------------------------------------------------
 */

static void listener_ends(void **state)
{
    (void)state;
    listening();
    MITO_AUTO_CONTEXT child = tree_local();
    struct running client = run("wait", mito_context_id(child));

    said(&client);
    int64_t begun = now_ms();
    mito_context_unref(child);
    child = NULL;
    tree_free();
    assert_int_equal(status_of(client), 0);
    assert_true(now_ms() - begun < 6000 * SLOWNESS);
    assert_int_equal(access(path, F_OK), -1);
}

static void client_dies_in_a_call(void **state)
{
    (void)state;
    struct mito_listener *listener = listening();
    MITO_AUTO_CONTEXT child = tree_local();
    struct running client = run("stay", 0);
    pid_t own = said(&client);

    assert_int_equal(mito_listener_idle(listener), -1);
    kill(client.pid, SIGKILL);
    assert_int_equal(status_of(client), -SIGKILL);
    wait_idle(listener);
    assert_true(pid_gone(own, PATIENCE));
    assert_true(tree_pid_of(child) > 0);
    assert_int_equal(status_of(run("sum", 0)), 0);
    mito_listener_free(listener);
}

/* Its children end with it; who waits for the client itself is told. */
static void who_waits_for_a_client(void **state)
{
    (void)state;
    struct mito_listener *listener = listening();
    struct running client = run("stay", 0);

    said(&client);
    MITO_AUTO_CONTEXT there = mito_context_by_id(tree, 1);
    assert_true(strncmp(mito_context_name(there), "unix_client.", 12) == 0);
    assert_int_equal(mito_call(there, &sum, "ii", 1, 2, ""), -1); /* it serves no calls */
    assert_error(MITO_E_DEAD, "no handle 101");
    MITO_AUTO_SENDER nowhere = mito_sender_new(there, 5000);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    assert_int_equal(kill(client.pid, SIGSTOP), 0);
    for (int64_t end = now_ms() + PATIENCE; pid_state(client.pid) != 'T' && now_ms() < end;)
        sleep_ms(1);
    sleep_ms(20 * SLOWNESS); /* its other threads stop, too */
    assert_int_equal(mito_request(nowhere, rx, NULL, "i", 1), 0);
    assert_int_equal(kill(client.pid, SIGKILL), 0);
    MITO_AUTO_MESSAGE m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, ""), -1);
    assert_error(MITO_E_DEAD, "unix_client.");
    status_of(client);
    mito_listener_free(listener);
}

/* --- the path ----------------------------------------------------------------------------------
 */

static int bound_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void stale_paths(void **state)
{
    (void)state;
    struct stat before, after;
    int fd = bound_socket();

    close(fd); /* nobody listens there now */
    struct mito_listener *listener = listening();
    assert_int_equal(status_of(run("sum", 0)), 0);

    /* Another one is alive: it is left. */
    assert_int_equal(lstat(path, &before), 0);
    assert_null(mito_listen(tree, .path = path));
    assert_error(MITO_E_INVALID, "another program listens there");
    assert_int_equal(lstat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino);

    /* Somebody else has taken the path since: it is not ours to remove. */
    assert_int_equal(unlink(path), 0);
    fd = bound_socket();
    assert_int_equal(listen(fd, 1), 0);
    mito_listener_free(listener);
    assert_int_equal(access(path, F_OK), 0);
    assert_null(mito_listen(tree, .path = path));
    assert_error(MITO_E_INVALID, "another program listens there");
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void wrong_paths(void **state)
{
    (void)state;
    char longer[200];

    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    assert_null(mito_listen(tree, .path = longer));
    assert_error(MITO_E_INVALID, "at most 107");
    assert_null(mito_listen(tree, .path = ""));
    assert_error(MITO_E_INVALID, "empty path");
    assert_null(mito_listen(tree, .path = NULL));
    assert_error(MITO_E_INVALID, "no path");
    assert_null(mito_listen(tree, .path = "/no/such/directory"));
    assert_error(MITO_E_SYSTEM, "/no/such/directory");
    assert_null(mito_listen(tree, .path = directory));
    assert_error(MITO_E_INVALID, "is no socket");
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    assert_null(mito_listen(tree, .path = path));
    assert_error(MITO_E_INVALID, "is no socket");
    assert_int_equal(unlink(path), 0);
    tree_free();
    assert_null(mito_unix_connect(longer, NULL));
    assert_error(MITO_E_INVALID, "at most 107");
    assert_null(mito_unix_connect(NULL, NULL));
    assert_error(MITO_E_INVALID, "no path");
    assert_null(mito_unix_connect(path, NULL));
    assert_error(MITO_E_REFUSED, "nobody listens there");
    fd = bound_socket();
    assert_null(mito_unix_connect(path, NULL));
    assert_error(MITO_E_REFUSED, "nobody listens there");
    close(fd);
    assert_int_equal(unlink(path), 0);
}

/* Neither may connect to the other. */
static void other_users(void **state)
{
    (void)state;
    struct mito_listener *listener = listening();

    if (geteuid() != 0)
        fail_msg("this test needs root");
    assert_int_equal(chmod(directory, 0755), 0);
    for (int open_to_all = 0; open_to_all < 2; open_to_all++) {
        if (open_to_all)
            assert_int_equal(chmod(path, 0666), 0);
        pid_t pid = fork();
        if (pid == 0) {
            struct sockaddr_un address = {.sun_family = AF_UNIX};
            int fd = socket(AF_UNIX, SOCK_STREAM, 0);
            char byte;
            strcpy(address.sun_path, path);
            if (setresuid(65534, 65534, 65534) < 0)
                _exit(2);
            if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
                _exit(errno == EACCES ? 0 : 3);
            _exit(open_to_all && recv(fd, &byte, 1, 0) <= 0 ? 0 : 4);
        }
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    assert_non_null(tree_record(0, "listener", "is another user's (65534)", PATIENCE));
    mito_listener_free(listener);
}

/* --- rubbish -----------------------------------------------------------------------------------
 */

static int plain_connection(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE / 1000};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void is_dropped(int fd)
{
    char bytes[64];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        ;
    assert_true(n == 0 || errno == ECONNRESET);
    close(fd);
}

static void rubbish(void **state)
{
    (void)state;
    static const uint8_t greeting[] = {0, 0, 0x12, 0x34};
    struct mito_listener *listener =
        mito_listen(tree, .path = path, .clients = 2, .handshake_timeout = 300);
    assert_non_null(listener);

    int fd = plain_connection();
    assert_int_equal(send(fd, "GET / HTTP/1.0\r\n", 16, 0), 16);
    is_dropped(fd);
    assert_non_null(tree_record(0, "listener", "are no process id", PATIENCE));
    fd = plain_connection();
    assert_int_equal(send(fd, "\0\0\0", 4, 0), 4);
    is_dropped(fd);
    fd = plain_connection(); /* says half of it, then nothing */
    assert_int_equal(send(fd, greeting, 2, 0), 2);
    is_dropped(fd);
    assert_non_null(tree_record(0, "listener", "did not say in time", PATIENCE));
    fd = plain_connection(); /* says half of it and goes */
    assert_int_equal(send(fd, greeting, 3, 0), 3);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    is_dropped(fd);
    fd = plain_connection(); /* goes before the answer */
    assert_int_equal(send(fd, greeting, 4, 0), 4);
    close(fd);
    fd = plain_connection(); /* is welcome, then says no frames */
    assert_int_equal(send(fd, greeting, 4, 0), 4);
    assert_int_equal(send(fd, "what a fine day this is for frames", 34, 0), 34);
    is_dropped(fd);
    assert_non_null(tree_record(0, "listener", "not a Mitosis stream", PATIENCE));

    /* Too many: the third is turned away, the others are not disturbed. */
    wait_idle(listener);
    struct running first = run("stay", 0), second = run("stay", 0);
    said(&first);
    said(&second);
    is_dropped(plain_connection());
    assert_non_null(tree_record(0, "listener", "2 are connected already", PATIENCE));
    kill(first.pid, SIGKILL);
    kill(second.pid, SIGKILL);
    status_of(first);
    status_of(second);
    wait_idle(listener);
    assert_int_equal(status_of(run("sum", 0)), 0);
    mito_listener_free(listener);
}

/* A client that speaks something that may come, or that never was: it is shown what it said, the
 * others are not disturbed. */
static void other_versions(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *why;
    } rows[] = {
        {"\0\0\0\0", 4, "are no process id"},
        {"\0\x40\0\1", 4, "are no process id"},
        {"\x34\x12\0\0", 4, "are no process id"}, /* the other way round */
        /* a field more: a version */
        {"\0\0\x12\x34\0\0\0\2MI\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\x65\0\0\0\0\0\0\0\0", 34,
         "starts with \"\\x00\\x00\\x00\\x02MI"},
        /* a frame of a kind to come */
        {"\0\0\x12\x34ML\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\x65\0\0\0\0\0\0\0\0", 30,
         "starts with \"ML"},
    };
    struct mito_listener *listener = listening();
    size_t before = 0;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = plain_connection();
        assert_int_equal(send(fd, rows[i].bytes, rows[i].length, 0), rows[i].length);
        is_dropped(fd);
        before = i > 0 && strcmp(rows[i].why, rows[i - 1].why) == 0 ? before + 1 : 1;
        for (int64_t end = now_ms() + PATIENCE;
             tree_count_records(0, NULL, rows[i].why) < before && now_ms() < end;)
            sleep_ms(5);
        assert_true(tree_count_records(0, NULL, rows[i].why) >= before);
    }
    assert_int_equal(status_of(run("sum", 0)), 0);
    mito_listener_free(listener);
}

static void put_number(uint8_t *out, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(x >> (24 - 8 * i));
}

static void send_frame(int fd, const char *magic, const uint8_t id[4], uint32_t handle,
                       const char *payload, uint32_t length)
{
    uint8_t header[26] = {0};

    memcpy(header, magic, 2);
    memcpy(header + 6, id, 4);
    memcpy(header + 10, id, 4);
    put_number(header + 14, handle);
    put_number(header + 22, length);
    assert_int_equal(send(fd, header, sizeof header, 0), sizeof header);
    assert_int_equal(send(fd, payload, length, 0), length);
}

/* Newer versions of Mitogen say in the magic number whether it is a pickle that follows. */
static void other_encodings(void **state)
{
    (void)state;
    struct mito_listener *listener = listening();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = mito_sender_to(rx);
    uint8_t welcome[12];
    const void *bytes;
    size_t length;
    int64_t number;

    int fd = plain_connection();
    assert_int_equal(send(fd, "\0\0\x12\x34", 4, 0), 4);
    assert_int_equal(recv(fd, welcome, sizeof welcome, MSG_WAITALL), sizeof welcome);
    send_frame(fd, "MI", welcome, mito_sender_handle(tx), "\x80\2K\7.", 5);
    send_frame(fd, "MJ", welcome, mito_sender_handle(tx), "\x80\2K\x8.", 5);
    send_frame(fd, "MK", welcome, mito_sender_handle(tx), "\x80\2K\x9.", 5);
    for (int expected = 7; expected <= 8; expected++) {
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        assert_int_equal(mito_message_read(m, "i", &number), 0);
        assert_int_equal(number, expected);
    }
    MITO_AUTO_MESSAGE raw = tree_receive(rx);
    assert_int_equal(mito_message_read(raw, "y", &bytes, &length), 0);
    assert_int_equal(length, 5);
    assert_memory_equal(bytes, "\x80\2K\x9.", 5);
    close(fd);
    wait_idle(listener);
    mito_listener_free(listener);
}

/* Random first bytes, cut anywhere: nothing is taken for a client that is none. */
static void random_handshakes(void **state)
{
    (void)state;
    struct mito_listener *listener = listening();
    unsigned seed = 4711;

    for (int i = 0; i < 300; i++) {
        uint8_t bytes[80];
        size_t length = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t k = 0; k < length; k++)
            bytes[k] = (uint8_t)rand_r(&seed);
        if (length > 1 && i % 3 == 0)
            bytes[0] = bytes[1] = 0;
        int fd = plain_connection();
        (void)send(fd, bytes, length, MSG_NOSIGNAL);
        close(fd);
    }
    assert_int_equal(status_of(run("sum", 0)), 0);
    mito_listener_free(listener);
}

/* A listener that answers a client with rubbish. */
static void rubbish_listeners(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        int code;
    } rows[] = {
        {"", 0, MITO_E_REFUSED},
        {"\0\0\0\1\0\0", 6, MITO_E_REFUSED},
        {"\0\0\0\0\0\0\0\0\0\0\0\1", 12, MITO_E_GARBAGE},
        {"\0\0\0\5\0\0\0\5\0\0\0\1", 12, MITO_E_GARBAGE},
        {"HTTP/1.1 400", 12, MITO_E_GARBAGE},
    };
    tree_free();
    int door = bound_socket();
    assert_int_equal(listen(door, 5), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            char in[4];
            int fd = accept(door, NULL, NULL);
            if (recv(fd, in, 4, MSG_WAITALL) != 4 ||
                send(fd, rows[i].bytes, rows[i].length, 0) != (ssize_t)rows[i].length)
                _exit(1);
            _exit(0);
        }
        assert_null(mito_unix_connect(path, NULL));
        assert_int_equal(mito_error_code(), rows[i].code);
        assert_non_null(strstr(mito_error(), path));
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    close(door);
    assert_int_equal(unlink(path), 0);
}

/* Its answer has a field more: that is seen with the first frame, and told who calls. */
static void listener_of_another_version(void **state)
{
    (void)state;
    static const char welcome[] = "\0\0\0\5\0\0\0\0\0\0\0\1\0\0\0\2 and more than a whole header";
    tree_free();
    int door = bound_socket();
    assert_int_equal(listen(door, 5), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char in[4];
        int fd = accept(door, NULL, NULL);
        if (recv(fd, in, 4, MSG_WAITALL) != 4 ||
            send(fd, welcome, sizeof welcome, 0) != (ssize_t)sizeof welcome)
            _exit(1);
        while (recv(fd, in, 4, 0) > 0)
            ;
        _exit(0);
    }
    struct mito_router *r = mito_unix_connect(path, NULL);
    assert_non_null(r);
    sleep_ms(50); /* whether it is seen before somebody calls, or then */
    struct mito_context *master = mito_context_parent(r);
    assert_int_equal(mito_call(master, &sum, "ii", 1, 2, ""), -1);
    assert_error(MITO_E_DEAD, "not a Mitosis stream: starts with \"\\x00\\x00\\x00\\x02 and");
    assert_error(MITO_E_DEAD, "unix_listener.1");
    mito_context_unref(master);
    mito_router_free(r);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(door);
    assert_int_equal(unlink(path), 0);
}

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/socket", directory);
    return 0;
}

/* Nothing but what was there: no socket, no name beside one. */
static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(clients_have_authority),
        TREE_TEST(clients_of_a_unidirectional_tree),
        TREE_TEST(hundred_in_turn),
        TREE_TEST(listener_ends),
        TREE_TEST(client_dies_in_a_call),
        TREE_TEST(who_waits_for_a_client),
        TREE_TEST(stale_paths),
        TREE_TEST(wrong_paths),
        TREE_TEST(other_users),
        TREE_TEST(rubbish),
        TREE_TEST(other_versions),
        TREE_TEST(other_encodings),
        TREE_TEST(random_handshakes),
        TREE_TEST(rubbish_listeners),
        TREE_TEST(listener_of_another_version),
    };

    mito_start(argc, argv);
    if (argc > 3 && strcmp(argv[1], "client") == 0)
        return client(argv[2], argv[3], argc > 4 ? argv[4] : "");
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
