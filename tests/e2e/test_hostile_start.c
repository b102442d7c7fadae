/* What comes instead of a child, or before it is one: noise without end, half a word, nothing at
 * all. The connection fails in time, with an error that harms no terminal, and leaves nothing. */
#include "hostile/scene.h"

#include <sys/socket.h>

/* --- the hostile side --------------------------------------------------------------------------
 */

static void repeat(const char *text)
{
    for (;;)
        peer_say(text);
}

static void noise(void)
{
    repeat("\001\002 \033[2J never ending, and never a line \377\376");
}

static void lines(void)
{
    repeat("Please wait ...\r\n");
}

static void marks(void)
{
    repeat("MITO_XYZZY\n");
}

static void raw_marks(void)
{
    peer_say("MITO_000 x86_64\n");
    repeat("MITO_RAW\n");
}

static void endless_mark(void)
{
    peer_say("MITO_");
    repeat("x");
}

static void almost_marks(void)
{
    repeat("MITO_MITO_MIT");
}

static void half_a_mark(void)
{
    peer_say("MITO_00");
    peer_linger();
}

static void half_a_mark_and_gone(void)
{
    peer_say("MITO_00");
    _exit(3);
}

static void silence(void)
{
    peer_linger();
}

static void gone(void)
{
    _exit(0);
}

static void on_stderr(void)
{
    static char text[65536];

    memset(text, '\033', sizeof text);
    while (write(2, text, sizeof text) > 0)
        ;
}

static void takes_no_image(void)
{
    peer_say("MITO_000 x86_64\n");
    peer_linger();
}

static void dies_in_the_image(void)
{
    char some[1000];

    peer_say("MITO_000 x86_64\n");
    peer_read(some, sizeof some);
    _exit(4);
}

static void deaf_in_the_image(void)
{
    char some[1000];

    peer_say("MITO_000 x86_64\n");
    peer_read(some, sizeof some);
    shutdown(0, SHUT_RD);
    peer_linger();
}

static void strange_machine(void)
{
    peer_say("MITO_ARCH \033[31m\007\302\233 pdp-11\n");
    peer_linger();
}

static void denied(void)
{
    static const char text[] = "Permission denied (\033[31mpublickey\007).\n";
    ssize_t n = write(2, text, sizeof text - 1);

    _exit(n > 0 ? 255 : 1);
}

/* Ends, but a process in a session of its own goes on and on. */
static void leave_behind(void (*what)(void))
{
    if (fork() == 0) {
        setsid();
        what();
        _exit(0);
    }
    peer_sleep(100);
    _exit(5);
}

static void leave_noise(void)
{
    leave_behind(noise);
}

static void leave_marks(void)
{
    leave_behind(marks);
}

static void leave_stderr(void)
{
    leave_behind(on_stderr);
}

static void noise_and_then_up(void)
{
    for (int i = 0; i < 60; i++) {
        char line[1001];
        snprintf(line, sizeof line, "%0999d\n", i);
        peer_say(line);
    }
    peer_come_up();
    struct peer_frame call = peer_called();
    peer_answer_int(&call, 1);
    peer_leave();
}

static void up_at_once(void)
{
    peer_say("MITO_002\nMITO_002\nMITO_000 x86_64\nMITO_RAW\n");
    peer_linger();
}

static const struct peer_mode modes[] = {
    {"noise", noise},
    {"lines", lines},
    {"marks", marks},
    {"raw", raw_marks},
    {"endless", endless_mark},
    {"almost", almost_marks},
    {"half", half_a_mark},
    {"half-gone", half_a_mark_and_gone},
    {"silence", silence},
    {"gone", gone},
    {"stderr", on_stderr},
    {"no-image", takes_no_image},
    {"dies", dies_in_the_image},
    {"deaf", deaf_in_the_image},
    {"strange", strange_machine},
    {"denied", denied},
    {"leave-noise", leave_noise},
    {"leave-marks", leave_marks},
    {"leave-stderr", leave_stderr},
    {"noise-up", noise_and_then_up},
    {"at-once", up_at_once},
    {NULL, NULL},
};

/* --- the tests ---------------------------------------------------------------------------------
 */

enum { TIMEOUT = 1500 }; /* ms: where nothing but time ends it */

static const struct refusal {
    const char *mode;
    int code;
    const char *why;
} refusals[] = {
    {"noise", MITO_E_GARBAGE, "\\x01\\x02 \\x1b[2J never ending"},
    {"lines", MITO_E_GARBAGE, "Please wait ..."},
    {"marks", MITO_E_GARBAGE, ""},
    {"raw", MITO_E_GARBAGE, ""},
    {"endless", MITO_E_GARBAGE, "MITO_"},
    {"almost", MITO_E_GARBAGE, "MITO_MITO_"},
    {"half", MITO_E_TIMEOUT, "waiting for a shell"},
    {"half-gone", MITO_E_GARBAGE, "exited with status 3"},
    {"silence", MITO_E_TIMEOUT, "waiting for a shell"},
    {"gone", MITO_E_DIED, "exited with status 0"},
    {"stderr", MITO_E_TIMEOUT, "\\x1b\\x1b"},
    {"no-image", MITO_E_TIMEOUT, "waiting for the image"},
    {"dies", MITO_E_DIED, "exited with status 4"},
    {"deaf", MITO_E_TIMEOUT, "waiting for the image"},
    {"strange", MITO_E_ARCH, "'\\x1b[31m\\x07\\xc2\\x9b pdp-11'"},
    {"denied", MITO_E_PERMISSION, "\\x1b[31mpublickey\\x07"},
    {"leave-noise", MITO_E_GARBAGE, ""},
    {"leave-marks", MITO_E_GARBAGE, ""},
    {"leave-stderr", MITO_E_DIED, "status 5"},
};

static void expect_refusal(struct mito_context *good, pid_t pid, const struct refusal *expected)
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct mito_context *none = NULL;
    struct mito_message *m = NULL;
    size_t before = scene_memory();
    int64_t start = now_ms();
    char host[64];

    snprintf(host, sizeof host, "%s.0", expected->mode);
    assert_int_equal(mito_ssh_async(tree, rx, NULL, .hostname = host, .ssh_path = PEER_SSH,
                                    .connect_timeout = TIMEOUT),
                     0);
    while (m == NULL && now_ms() < start + TIMEOUT + SCENE_BOUND) {
        scene_check(good, pid);
        m = mito_receive(rx, 10);
    }
    if (m == NULL)
        fail_msg("%s: no end of it", expected->mode);
    assert_int_equal(mito_message_read(m, "c", &none), -1);
    mito_message_free(m);
    print_message("# %s: %s\n", expected->mode, mito_error());
    assert_error(expected->code, expected->why);
    scene_harmless(mito_error());
    if (scene_memory() > before + SCENE_MEMORY)
        fail_msg("%s: %zu MiB before, %zu after", expected->mode, before, scene_memory());
}

static void test_no_child(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    pid_t pid = tree_pid_of(good);

    for (size_t i = 0; i < LENGTH(refusals); i++)
        expect_refusal(good, pid, &refusals[i]);
    for (int64_t until = now_ms() + PATIENCE; count_child_processes() > 1 && now_ms() < until;)
        sleep_ms(10);
    assert_int_equal(count_child_processes(), 1);
}

/* All of them at once, and the end of the router in the middle of it. */
static void test_end_of_the_router(void **state)
{
    (void)state;
    struct mito_context *good = tree_local();
    struct mito_receiver *rx = mito_receiver_new(tree);
    char host[64];

    for (size_t i = 0; i < LENGTH(refusals); i++) {
        snprintf(host, sizeof host, "%s.0", refusals[i].mode);
        assert_int_equal(mito_ssh_async(tree, rx, NULL, .hostname = host, .ssh_path = PEER_SSH), 0);
    }
    sleep_ms(300);
    scene_check(good, tree_pid_of(good));
    mito_receiver_free(rx);
    scene_free();
    assert_int_equal(count_child_processes(), 0);
}

static void test_noise_that_is_not_too_much(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("noise-up", 0);

    assert_int_equal(scene_attack(bad, good, 0), 1);
}

/* It says that it is up while the image is on its way: what it gets then is its own trouble. */
static void test_up_at_once(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("at-once", 0);

    assert_int_equal(mito_call_timeout(bad, 300, &attack, "", "n"), -1);
    scene_check(good, tree_pid_of(good));
}

int main(int argc, char **argv)
{
    SCENE_START(argc, argv, modes);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_no_child),
        TREE_TEST(test_end_of_the_router),
        TREE_TEST(test_noise_that_is_not_too_much),
        TREE_TEST(test_up_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
