/* ssh through other contexts, and many at a time. */
#include "test_ssh.h"

static char *before;

enum { MANY = 20 };

/* Its grandchild's title tells who started it: the process of `parent`, as that user. */
static void check_title(pid_t pid, const char *user, pid_t parent)
{
    char *title = output_of("tr '\\0' '\\n' </proc/%d/cmdline | head -n 1", (int)pid);
    char *host = output_of("hostname");
    char expected[300];

    host[strcspn(host, "\n")] = '\0';
    snprintf(expected, sizeof expected, "mitosis:%s@%s:%d\n", user, host, (int)parent);
    assert_string_equal(title, expected);
    free(title);
    free(host);
}

static void check_echo(struct mito_context *context, const char *text)
{
    char *came = NULL;

    if (mito_call_timeout(context, PATIENCE, &tree_echo, "s", text, "s", &came) < 0)
        fail_msg("%s: %s", mito_context_name(context), mito_error());
    assert_string_equal(came, text);
    free(came);
}

/* Here -> local -> ssh dash -> local -> ssh noisy. */
static void chain(void **state)
{
    (void)state;
    struct mito_context *local = tree_local();
    struct mito_context *dash = ssh_up(.hostname = "dash", .via = local);
    struct mito_context *inner = tree_local(.via = dash);
    struct mito_context *noisy = ssh_up(.hostname = "noisy", .via = inner);
    struct mito_context *all[] = {local, dash, inner, noisy};
    pid_t pids[LENGTH(all)];

    for (size_t i = 0; i < LENGTH(all); i++) {
        pids[i] = tree_pid_of(all[i]);
        check_echo(all[i], "text");
    }
    /* Each is where it should be: its parent started it, or the ssh that reached it. */
    assert_int_equal(parent_of(pids[0]), getpid());
    assert_int_equal(parent_of(pids[2]), pids[1]);
    assert_true(child_named(pids[0], "ssh") > 0);
    assert_true(child_named(pids[2], "ssh") > 0);
    assert_int_equal(child_named(getpid(), "ssh"), 0);
    check_title(pids[1], "root", pids[0]);
    char *user = output_of("stat -c %%U /proc/%d", (int)pids[2]);
    user[strcspn(user, "\n")] = '\0';
    check_title(pids[3], user, pids[2]);
    free(user);

    assert_int_equal(tree_count_records(-1, NULL, ""), 0);
    int64_t start = now_ms();
    assert_true(tree_free() < 6000 * SLOWNESS);
    for (size_t i = 0; i < LENGTH(all); i++)
        assert_true(pid_gone(pids[i], GONE_WITHIN));
    assert_true(now_ms() - start < 10000 * SLOWNESS);
    assert_nothing_new(before, "*", GONE_WITHIN);
}

/* What each function does, the function of a child can do. */
MITO_FUNCTION(connect_further)
{
    const char *hostname, *config;
    MITO_AUTO_CONTEXT context = NULL;

    if (mito_args(call, "ss", &hostname, &config) < 0)
        return -1;
    context = mito_ssh(mito_call_router(call), .hostname = hostname,
                       .ssh_args = (const char *const[]){"-F", config, NULL});
    return context == NULL ? -1 : mito_return(call, "c", context);
}

static void a_child_connects_by_itself(void **state)
{
    struct mito_context *far = NULL;

    (void)state;
    struct mito_context *good = ssh_up(.hostname = "good");
    if (mito_call_timeout(good, PATIENCE, &connect_further, "ss", "fish", hosts_config, "c", &far) <
        0)
        fail_msg("%s", mito_error());
    assert_string_equal(mito_context_name(far), "ssh.fish");
    check_echo(far, "through the one that started it");
    assert_true(child_named(tree_pid_of(good), "ssh") > 0);
    mito_context_unref(far);
}

/* The image goes from each to the next: each has another one's children below it. */
static void five_hops(void **state)
{
    static const char *const names[] = {"good", "dash", "ksh", "noisy", "good"};
    struct mito_context *last = NULL;

    (void)state;
    for (size_t i = 0; i < LENGTH(names); i++) {
        last = ssh_up(.hostname = names[i], .via = last);
        check_echo(last, names[i]);
    }
}

/* --- many ------------------------------------------------------------------------------------- */

/* All answers come in one receiver; `via` may be NULL. */
static void start_many(struct mito_context *via, struct mito_context **contexts)
{
    static const char *const names[] = {"good", "dash", "noisy", "fish"};
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_non_null(rx);
    for (uintptr_t i = 0; i < MANY; i++) {
        if (mito_ssh_async(tree, rx, (void *)i, .hostname = names[i % LENGTH(names)],
                           .ssh_args = ssh_args, .via = via, .connect_timeout = 60000) < 0)
            fail_msg("%s", mito_error());
    }
    for (int i = 0; i < MANY; i++) {
        MITO_AUTO_MESSAGE m = mito_receive(rx, 60000);
        assert_non_null(m);
        uintptr_t tag = (uintptr_t)mito_message_tag(m);
        assert_true(tag < MANY);
        assert_null(contexts[tag]);
        if (mito_message_read(m, "c", &contexts[tag]) < 0)
            fail_msg("%zu: %s", (size_t)tag, mito_error());
        assert_string_equal(mito_context_name(contexts[tag]) + 4, names[tag % LENGTH(names)]);
    }
    assert_null(mito_receive(rx, 0));
}

static void many(struct mito_context *via)
{
    struct mito_context *contexts[MANY] = {NULL};
    pid_t pids[MANY];

    start_many(via, contexts);
    for (size_t i = 0; i < MANY; i++) {
        pids[i] = tree_pid_of(contexts[i]);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(pids[i], pids[j]);
            assert_int_not_equal(mito_context_id(contexts[i]), mito_context_id(contexts[j]));
        }
        mito_context_unref(contexts[i]);
    }
    tree_free();
    for (size_t i = 0; i < MANY; i++)
        assert_true(pid_gone(pids[i], GONE_WITHIN * SLOWNESS));
    assert_nothing_new(before, "*", GONE_WITHIN);
}

static void many_at_once(void **state)
{
    (void)state;
    many(NULL);
}

static void many_at_once_from_another(void **state)
{
    (void)state;
    many(ssh_up(.hostname = "dash"));
}

/* --- all of it --------------------------------------------------------------------------------
 */

static int up(void **state)
{
    (void)state;
    if (hosts_up("good,dash,noisy,fish,ksh"))
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
        TREE_TEST(chain),        TREE_TEST(a_child_connects_by_itself), TREE_TEST(five_hops),
        TREE_TEST(many_at_once), TREE_TEST(many_at_once_from_another),
    };

    mito_start(argc, argv);
    return cmocka_run_group_tests(tests, up, down);
}
