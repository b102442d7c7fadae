/* Death over ssh: of the client, the context, the server's session, the master. Who waits is told
 * at once, and nothing stays on either side. */
#include "test_ssh.h"

#include <fcntl.h>
#include <signal.h>

enum { AT_ONCE = 1500 }; /* ms: far less than any grace time after which something is killed */

static char *before;

/* --- who is told ------------------------------------------------------------------------------
 */

/* A thread in a blocking call, and a call that is answered through a receiver. The function never
 * ends by itself, and makes no system call. */
struct waiting {
    struct mito_context *context;
    pthread_t thread;
    struct mito_receiver *rx;
    char text[600];
    int code;
    int64_t failed_at;
};

static void *call_for_ever(void *arg)
{
    struct waiting *w = arg;

    if (mito_call(w->context, &tree_spin, "") == 0)
        return NULL;
    w->failed_at = now_ms();
    w->code = mito_error_code();
    snprintf(w->text, sizeof w->text, "%s", mito_error());
    return NULL;
}

static void start_waiting(struct waiting *w, struct mito_context *context)
{
    *w = (struct waiting){.context = context, .rx = mito_receiver_new(tree)};
    assert_non_null(w->rx);
    assert_int_equal(mito_call_async(context, &tree_spin, w->rx, NULL, ""), 0);
    assert_int_equal(pthread_create(&w->thread, NULL, call_for_ever, w), 0);
    sleep_ms(50 * SLOWNESS); /* until it is in the call; earlier or later must be the same */
}

/* Both fail, and the context's name is in the text. `since`: when the reason for it was there. */
static void assert_told(struct waiting *w, int64_t since)
{
    char name[100];

    snprintf(name, sizeof name, "%s", mito_context_name(w->context));
    struct mito_message *m = mito_receive(w->rx, PATIENCE);
    if (m != NULL) {
        assert_int_equal(mito_message_read(m, ""), -1);
        mito_message_free(m);
    }
    assert_error(MITO_E_DEAD, name);
    assert_true(now_ms() - since < AT_ONCE * SLOWNESS);
    mito_receiver_free(w->rx);
    pthread_join(w->thread, NULL);
    assert_int_equal(w->code, MITO_E_DEAD);
    if (strstr(w->text, name) == NULL)
        fail_msg("%s is not in: %s", name, w->text);
    assert_true(w->failed_at - since < AT_ONCE * SLOWNESS);
    /* Who asks later is told the same. */
    assert_int_equal(mito_call_timeout(w->context, PATIENCE, &tree_pid, ""), -1);
    assert_error(MITO_E_DEAD, name);
}

static void assert_all_gone(const pid_t *pids, size_t count, int64_t since)
{
    for (size_t i = 0; i < count; i++) {
        int64_t left = since + GONE_WITHIN * SLOWNESS - now_ms();
        if (!pid_gone(pids[i], left > 0 ? (int)left : 0))
            fail_msg("process %zu (%d) is still there", i, (int)pids[i]);
    }
}

/* --- one of those in between is killed --------------------------------------------------------
 */

struct stations {
    pid_t client, monitor, session, context;
};

static struct stations stations_of(struct mito_context *context)
{
    struct stations s = {.client = child_named(getpid(), "ssh")};

    s.context = tree_pid_of(context);
    s.session = parent_of(s.context);
    s.monitor = parent_of(s.session);
    assert_true(s.client > 0 && s.context > 1 && s.session > 1 && s.monitor > 1);
    assert_int_equal(child_named(s.monitor, "sshd"), s.session);
    return s;
}

static void killed(struct waiting *w, pid_t victim, int signal, const struct stations *s)
{
    int64_t start = now_ms();

    assert_int_equal(kill(victim, signal), 0);
    assert_told(w, start);
    assert_all_gone((pid_t[]){s->client, s->session, s->monitor, s->context}, 4, start);
    assert_nothing_new(before, "*", GONE_WITHIN);
    /* The router goes on. */
    assert_true(tree_pid_of(ssh_up(.hostname = "dash")) > 1);
}

#define KILL_TEST(test_name, victim, signal)                                                       \
    static void test_name(void **state)                                                            \
    {                                                                                              \
        struct mito_context *context = ssh_up(.hostname = "dash");                                 \
        struct stations stations = stations_of(context);                                           \
        struct waiting w;                                                                          \
        (void)state;                                                                               \
        start_waiting(&w, context);                                                                \
        killed(&w, stations.victim, signal, &stations);                                            \
    }

KILL_TEST(client_killed, client, SIGKILL)
KILL_TEST(client_terminated, client, SIGTERM)
KILL_TEST(session_killed, session, SIGKILL)
KILL_TEST(context_killed, context, SIGKILL)

/* --- in a chain -------------------------------------------------------------------------------
 */

enum { LINKS = 4 };

/* Here -> ssh good -> ssh dash -> local, and -> ssh noisy from the first of them. */
struct chain {
    struct mito_context *contexts[LINKS];
    pid_t pids[2 * LINKS]; /* and their clients */
    size_t pid_count;
};

static bool grow(struct chain *c)
{
    struct mito_router *r = tree;

    *c = (struct chain){0};
    c->contexts[0] = mito_ssh(r, .hostname = "good", .ssh_args = ssh_args);
    if (c->contexts[0] == NULL)
        return false;
    c->contexts[1] = mito_ssh(r, .hostname = "dash", .ssh_args = ssh_args, .via = c->contexts[0]);
    if (c->contexts[1] == NULL)
        return false;
    c->contexts[2] = mito_local(r, .via = c->contexts[1]);
    c->contexts[3] = mito_ssh(r, .hostname = "noisy", .ssh_args = ssh_args, .via = c->contexts[0]);
    for (int i = 0; i < LINKS; i++) {
        int64_t pid;
        if (c->contexts[i] == NULL || mito_call(c->contexts[i], &tree_pid, "", "i", &pid) < 0)
            return false;
        c->pids[c->pid_count++] = (pid_t)pid;
    }
    c->pids[c->pid_count++] = child_named(getpid(), "ssh");
    c->pids[c->pid_count++] = child_named(c->pids[0], "ssh");
    return true;
}

static void middle_of_a_chain_killed(void **state)
{
    struct waiting waiting[LINKS];
    struct chain chain;

    (void)state;
    if (!grow(&chain))
        fail_msg("%s", mito_error());
    for (int i = 0; i < LINKS; i++)
        start_waiting(&waiting[i], chain.contexts[i]);
    int64_t start = now_ms();
    assert_int_equal(kill(chain.pids[0], SIGKILL), 0);
    for (int i = 0; i < LINKS; i++)
        assert_told(&waiting[i], start);
    assert_all_gone(chain.pids, chain.pid_count, start);
    assert_nothing_new(before, "*", GONE_WITHIN);
}

/* The rest of the tree goes on. */
static void end_of_a_chain_killed(void **state)
{
    struct waiting waiting[2];
    struct chain chain;

    (void)state;
    if (!grow(&chain))
        fail_msg("%s", mito_error());
    start_waiting(&waiting[0], chain.contexts[1]);
    start_waiting(&waiting[1], chain.contexts[2]);
    int64_t start = now_ms();
    assert_int_equal(kill(chain.pids[1], SIGKILL), 0);
    assert_told(&waiting[0], start);
    assert_told(&waiting[1], start);
    assert_all_gone((pid_t[]){chain.pids[1], chain.pids[2]}, 2, start);
    assert_int_equal(tree_pid_of(chain.contexts[0]), chain.pids[0]);
    assert_int_equal(tree_pid_of(chain.contexts[3]), chain.pids[3]);
}

/* --- the master -------------------------------------------------------------------------------
 */

static void forget(void *arg, const struct mito_log_record *record)
{
    (void)arg;
    (void)record;
}

static const struct mito_router_options quiet = {.log = forget};

static int wait_to_be_killed(void)
{
    fflush(stdout);
    while (pause() < 0)
        ;
    return 0;
}

/* As a program of its own: a chain in which every function spins. Says the pids. */
static int master_with_a_chain(void)
{
    struct chain chain;

    tree = mito_router_new(&quiet);
    if (tree == NULL || !grow(&chain)) {
        printf("failed: %s\n", mito_error());
        return 1;
    }
    for (int i = 0; i < LINKS; i++)
        mito_call_no_reply(chain.contexts[i], &tree_spin, "");
    for (size_t i = 0; i < chain.pid_count; i++)
        printf("%d ", (int)chain.pids[i]);
    puts("");
    return wait_to_be_killed();
}

/* As a program of its own: many contexts that are on their way. */
static int master_that_connects(void)
{
    static const char *const names[] = {"good", "dash", "noisy", "good", "dash", "noisy"};
    struct mito_receiver *rx;

    tree = mito_router_new(&quiet);
    rx = tree != NULL ? mito_receiver_new(tree) : NULL;
    for (size_t i = 0; rx != NULL && i < LENGTH(names); i++)
        mito_ssh_async(tree, rx, NULL, .hostname = names[i], .ssh_args = ssh_args);
    puts("connecting");
    return wait_to_be_killed();
}

static pid_t start_master(const char *kind, char *line, size_t size)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], 1);
        execl("/proc/self/exe", "master", kind, hosts_config, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *out = fdopen(fds[0], "r");
    assert_non_null(out);
    assert_non_null(fgets(line, (int)size, out));
    fclose(out);
    return pid;
}

static void master_killed(void **state)
{
    pid_t pids[2 * LINKS];
    char line[200];
    size_t count = 0;

    (void)state;
    pid_t master = start_master("--chain", line, sizeof line);
    for (char *at = line, *end; count < LENGTH(pids); at = end) {
        pids[count] = (pid_t)strtol(at, &end, 10);
        if (at == end)
            break;
        count++;
    }
    if (count != LINKS + 2)
        fail_msg("%s", line);
    int64_t start = now_ms();
    assert_int_equal(kill(master, SIGKILL), 0);
    assert_int_equal(waitpid(master, NULL, 0), master);
    assert_all_gone(pids, count, start);
    assert_nothing_new(before, "*", GONE_WITHIN);
}

/* Whatever step its connections are at. */
static void master_killed_while_it_connects(void **state)
{
    static const int after[] = {5, 60, 120, 180, 240, 300, 400, 600};
    char line[200];

    (void)state;
    for (size_t i = 0; i < LENGTH(after); i++) {
        pid_t master = start_master("--connect", line, sizeof line);
        sleep_ms(after[i]);
        assert_int_equal(kill(master, SIGKILL), 0);
        assert_int_equal(waitpid(master, NULL, 0), master);
        assert_nothing_new(before, "*", GONE_WITHIN * SLOWNESS);
    }
}

/* --- the end on purpose -----------------------------------------------------------------------
 */

static void shut_down(void **state)
{
    struct waiting w;

    (void)state;
    struct mito_context *context = ssh_up(.hostname = "dash");
    struct stations s = stations_of(context);
    int64_t start = now_ms();
    start_waiting(&w, context);
    assert_int_equal(mito_context_shutdown(context, PATIENCE), 0);
    assert_told(&w, start);
    assert_all_gone((pid_t[]){s.client, s.session, s.monitor, s.context}, 4, start);
    assert_int_equal(mito_context_shutdown(context, PATIENCE), 0);
}

/* Functions that never end, connections that are not up yet: freeing the router takes no longer
 * than it says, and then nothing is left, here or there. */
static void router_freed(void **state)
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct chain chain;

    (void)state;
    if (!grow(&chain))
        fail_msg("%s", mito_error());
    for (int i = 0; i < LINKS; i++)
        assert_int_equal(mito_call_no_reply(chain.contexts[i], &tree_spin, ""), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(mito_ssh_async(tree, rx, NULL, .hostname = "dash", .ssh_args = ssh_args),
                         0);
    mito_receiver_free(rx);
    rx = NULL;
    int64_t start = now_ms();
    assert_true(tree_free() < 6000 * SLOWNESS);
    assert_all_gone(chain.pids, chain.pid_count, start);
    assert_nothing_new(before, "*", GONE_WITHIN);
}

/* Cuts itself loose, and lives until the file is gone. */
MITO_FUNCTION(detach_until)
{
    const char *path;

    if (mito_args(call, "s", &path) < 0 || mito_detach(mito_call_router(call)) < 0)
        return -1;
    while (access(path, F_OK) == 0)
        sleep_ms(20);
    return 0;
}

static void detached(void **state)
{
    char path[300];

    (void)state;
    snprintf(path, sizeof path, "%s/detached", scripts_dir);
    free(output_of("touch '%s'", path));
    struct mito_context *context = ssh_up(.hostname = "good");
    pid_t pid = tree_pid_of(context);
    assert_int_equal(mito_call_timeout(context, PATIENCE, &detach_until, "s", path), -1);
    assert_error(MITO_E_DEAD, "ssh.good");
    tree_free();
    assert_no_child("ssh");
    assert_false(pid_gone(pid, 1000)); /* as it wanted */
    assert_int_equal(unlink(path), 0);
    assert_true(pid_gone(pid, GONE_WITHIN * SLOWNESS));
}

/* --- all of it --------------------------------------------------------------------------------
 */

static int up(void **state)
{
    (void)state;
    if (hosts_up("good,dash,noisy"))
        return -1;
    before = leftovers("*");
    return 0;
}

static int down(void **state)
{
    free(before);
    return hosts_down(state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(client_killed),
        TREE_TEST(client_terminated),
        TREE_TEST(session_killed),
        TREE_TEST(context_killed),
        TREE_TEST(middle_of_a_chain_killed),
        TREE_TEST(end_of_a_chain_killed),
        TREE_TEST(master_killed),
        TREE_TEST(master_killed_while_it_connects),
        TREE_TEST(shut_down),
        TREE_TEST(router_freed),
        TREE_TEST(detached),
    };

    mito_start(argc, argv);
    if (argc > 2) {
        snprintf(hosts_config, sizeof hosts_config, "%s", argv[2]);
        return strcmp(argv[1], "--chain") == 0 ? master_with_a_chain() : master_that_connects();
    }
    return cmocka_run_group_tests(tests, up, down);
}
