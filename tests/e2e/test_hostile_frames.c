/* A child that forges what it sends: whose it is, whom it is for, what it announces, what it
 * answers. It never gains authority, never stands in for another, and what it breaks is its own. */
#include "hostile/scene.h"

#include <sys/socket.h>

/* --- the hostile side --------------------------------------------------------------------------
 */

enum { SHARED_HANDLES = 4000 }; /* dynamic handles that are tried, from 1000 on */

static void forge(uint32_t src, uint32_t auth)
{
    static const uint32_t handles[] = {PEER_CALL_FUNCTION, PEER_SHUTDOWN,  PEER_ADD_ROUTE,
                                       PEER_DEL_ROUTE,     PEER_DETACHING, 1000};
    const uint32_t victims[] = {peer.parent, peer.number};
    struct peer_pickle call = peer_call_of("forbidden");

    for (size_t v = 0; v < LENGTH(victims); v++) {
        for (size_t h = 0; h < LENGTH(handles); h++) {
            struct peer_frame f = {.dst = victims[v], .src = src, .auth = auth};
            f.handle = handles[h];
            peer_send(f, call.data, call.length);
            f.reply_to = 1000;
            peer_send(f, call.data, call.length);
            peer_send_text(f, "2");
        }
    }
}

static void forge_everything(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    const uint32_t ids[] = {0, peer.parent, peer.number, peer.id, peer.first, 77777777, UINT32_MAX};

    for (size_t src = 0; src < LENGTH(ids); src++) {
        for (size_t auth = 0; auth < LENGTH(ids); auth++)
            forge(ids[src], ids[auth]);
    }
    peer_answer_int(&call, 1);
    peer_linger();
}

static void announce(uint32_t handle, uint32_t id, const char *name)
{
    char text[160];

    snprintf(text, sizeof text, *name != '\0' ? "%u:%s" : "%u", id, name);
    peer_send_text(peer_to(peer.parent, handle, 0), text);
}

static void claim_routes(void)
{
    static const char *const malformed[] = {"",   ":",       "x",    "-1",         "4294967296",
                                            "1x", "1 : one", "0x10", "99999999999"};
    peer_come_up();
    struct peer_frame call = peer_called();
    const uint32_t ids[] = {0,        peer.parent, peer.number,
                            peer.id,  peer.last,   peer.last + 1,
                            77777777, UINT32_MAX,  peer.number + 1};

    for (size_t i = 0; i < LENGTH(ids); i++) {
        announce(PEER_ADD_ROUTE, ids[i], "mine");
        announce(PEER_DEL_ROUTE, ids[i], "");
        announce(PEER_ADD_ROUTE, ids[i], "");
    }
    for (size_t i = 0; i < LENGTH(malformed); i++) {
        peer_send_text(peer_to(peer.parent, PEER_ADD_ROUTE, 0), malformed[i]);
        peer_send_text(peer_to(peer.parent, PEER_DEL_ROUTE, 0), malformed[i]);
    }
    announce(PEER_ADD_ROUTE, peer.first, "rightly mine");
    peer_answer_int(&call, peer.first);
    peer_linger();
}

/* Says to everybody's handles that they are closed, and that it answers what others were asked. */
static void guess_handles(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    const uint32_t victims[] = {peer.parent, peer.number};
    struct peer_pickle forged = peer_context(peer.id, "a better one"), number = peer_int(4711);

    for (size_t v = 0; v < LENGTH(victims); v++) {
        for (uint32_t h = 1000; h < 1000 + SHARED_HANDLES; h++) {
            if (h == call.reply_to && victims[v] == call.src)
                continue;
            peer_send(peer_to(victims[v], h, 0), forged.data, forged.length);
            peer_send(peer_to(victims[v], h, 0), number.data, number.length);
            peer_send_text(peer_to(victims[v], h, PEER_DEAD), "closed, says a stranger");
            peer_send(peer_to(victims[v], h, PEER_DEAD), "", 0);
        }
    }
    peer_answer_int(&call, 1);
    peer_linger();
}

/* A good one that takes its time to come up. */
static void come_up_late(void)
{
    peer_sleep(1500);
    peer_come_up();
    peer_linger();
}

/* Answers every call once more, and then what it was never asked. */
static void answer_twice(void)
{
    peer_come_up();
    for (uint32_t n = 1;; n++) {
        struct peer_frame call = peer_called();
        peer_answer_int(&call, n);
        peer_answer_int(&call, 666);
        peer_send_text(peer_to(call.src, call.reply_to, PEER_DEAD), "and dead");
        peer_answer_int(&(struct peer_frame){.src = call.src, .reply_to = call.reply_to + 1}, 667);
    }
}

struct bytes {
    const char *data;
    size_t length;
};
#define BYTES(text)                                                                                \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }

static const struct bytes bad_answers[] = {
    BYTES(""),
    BYTES("."),
    BYTES("\x80\x02"),
    BYTES("\x80\x02N"),                          /* no end */
    BYTES("\x80\x02X\xff\xff\xff\xff"),          /* a long text that is not there */
    BYTES("\x80\x02X\x02\x00\x00\x00\xc3\x28."), /* no UTF-8 */
    BYTES("\x80\x02"
          "cos\nsystem\nX\x02\x00\x00\x00id\x85R."), /* a foreign global */
    BYTES("\x80\x02"
          "cmitogen.core\nimport_module\nX\x02\x00\x00\x00os\x85R."),
    BYTES("\x80\x02"
          "c__builtin__\neval\nX\x01\x00\x00\x00"
          "1\x85R."),
    BYTES("\x80\x02"
          "cmitogen.core\n_unpickle_context\nN\x85R."), /* with wrong arguments */
    BYTES("\x80\x02"
          "cmitogen.core\n_unpickle_sender\nK\x01K\x00\x86R."),
    BYTES("\x80\x02]q\x00h\x00"
          "a."), /* contains itself */
    BYTES("\x80\x02h\x05."),
    BYTES("\x80\x02((((((((("),
    BYTES("\x80\x02\x8b\xff\xff\xff\x7f."), /* a number of 2 GB */
    BYTES("\x80\x02\x8b\xff\xff\xff\xff."),
    BYTES("\x80\x02"
          "]]]]"
          "aaa"
          "0."),
    BYTES("\x80\x02(K\x01K\x02K\x03t."), /* another type */
    BYTES("\x80\x02X\x04\x00\x00\x00text."),
    BYTES("\x80\x02G\x7f\xf0\x00\x00\x00\x00\x00\x00."),
    BYTES("\x80\x02N."),
    BYTES("not a pickle at all, but a rather long text which says nothing"),
};

static void answer_badly(void)
{
    static uint8_t deep[100000];

    peer_come_up();
    for (size_t i = 0; i < LENGTH(bad_answers); i++) {
        struct peer_frame call = peer_called();
        peer_send(peer_to(call.src, call.reply_to, 0), bad_answers[i].data, bad_answers[i].length);
    }
    struct peer_frame call = peer_called();
    memset(deep, ']', sizeof deep);
    peer_send(peer_to(call.src, call.reply_to, 0), deep, sizeof deep);
    for (;;) { /* and then as it should */
        call = peer_called();
        peer_answer_int(&call, 42);
    }
}

/* Was asked to connect further, and says that it did: to whom it is not for it to say. */
static void lie_about_connections(void)
{
    peer_come_up();
    for (;;) {
        struct peer_frame call = peer_called();
        struct peer_pickle somebody = peer_context(peer.number, "ssh.behind");
        peer_answer(&call, &somebody);
    }
}

static void oversized(void)
{
    uint8_t header[PEER_HEADER];
    struct peer_frame f = peer_to(peer.parent, 1000, 0);

    peer_come_up();
    peer_called();
    f.length = 128 * 1024 * 1024 + 1;
    peer_header(header, PEER_MAGIC, &f);
    peer_write(header, sizeof header);
    peer_linger();
}

static void cut_short(void)
{
    uint8_t header[PEER_HEADER];
    struct peer_frame f = peer_to(peer.parent, 1000, 0);

    peer_come_up();
    peer_called();
    f.length = 100;
    peer_header(header, PEER_MAGIC, &f);
    peer_write(header, sizeof header);
    peer_say("only this");
    shutdown(1, SHUT_WR);
    peer_linger();
}

static void banner(void)
{
    peer_come_up();
    peer_called();
    peer_say("Welcome to \033[31mthis\007 host! Last login: never, from nowhere.\n");
    peer_linger();
}

static void garbage(void)
{
    peer_come_up();
    peer_called();
    for (;;) {
        uint32_t x = peer_random();
        peer_write(&x, sizeof x);
    }
}

static const struct peer_mode modes[] = {
    {"forge", forge_everything},
    {"routes", claim_routes},
    {"guess", guess_handles},
    {"late", come_up_late},
    {"twice", answer_twice},
    {"badly", answer_badly},
    {"lie", lie_about_connections},
    {"oversized", oversized},
    {"cut", cut_short},
    {"banner", banner},
    {"garbage", garbage},
    {NULL, NULL},
};

/* --- the tests ---------------------------------------------------------------------------------
 */

static void test_forged_authority(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("forge", mito_context_id(good));

    assert_int_equal(scene_attack(bad, good, 0), 1);
    scene_check(good, tree_pid_of(good));
    assert_non_null(tree_record(0, "router", "no right to that auth_id", PATIENCE));
    assert_non_null(tree_record(0, "router", "no right to that src_id", PATIENCE));
    /* What it sent under its own name reached the good one, which refused it as well. */
    assert_non_null(tree_record(mito_context_id(good), "router", "refused by policy", PATIENCE));
}

static void test_routes_that_are_not_its_own(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("routes", mito_context_id(good));
    pid_t pid = tree_pid_of(good);

    int64_t first = scene_attack(bad, good, 0);
    assert_true(first > 0);
    scene_check(good, pid);
    assert_non_null(tree_record(0, "router", "announced", PATIENCE));
    assert_non_null(tree_record(0, "router", "not given to it", PATIENCE));
    /* Contexts that are made from now on are reached, too. */
    for (int i = 0; i < 3; i++) {
        MITO_AUTO_CONTEXT another = tree_local();
        assert_int_not_equal(tree_pid_of(another), pid);
        MITO_AUTO_CONTEXT below = tree_local(.via = good);
        assert_int_not_equal(tree_pid_of(below), pid);
    }
    /* The one route that it may announce exists. */
    MITO_AUTO_CONTEXT its_own = mito_context_by_id(tree, (uint32_t)first);
    assert_string_equal(mito_context_name(its_own), "rightly mine");
}

static void test_guessed_handles(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_RECEIVER open = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(tree);
    MITO_AUTO_CONTEXT bad = scene_hostile("guess", mito_context_id(good));
    int64_t pid = 0;

    assert_int_equal(mito_call_async(good, &scene_sleep, answers, NULL, "i", 1500), 0);
    assert_int_equal(scene_attack(bad, good, 0), 1);
    /* Nothing came, nothing was closed. */
    scene_receive_now(open, MITO_E_TIMEOUT);
    MITO_AUTO_MESSAGE m = tree_receive(answers);
    assert_int_equal(mito_message_src_id(m), mito_context_id(good));
    assert_int_equal(mito_message_read(m, "i", &pid), 0);
    assert_int_equal(pid, tree_pid_of(good));
    scene_receive_now(answers, MITO_E_TIMEOUT);
}

static void test_connection_under_way(void **state)
{
    (void)state;
    struct mito_context *late = NULL;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("guess", mito_context_id(good));
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_int_equal(mito_ssh_async(tree, rx, NULL, .hostname = "late.0", .ssh_path = PEER_SSH), 0);
    assert_int_equal(scene_attack(bad, good, 0), 1);
    MITO_AUTO_MESSAGE m = tree_receive(rx);
    if (mito_message_read(m, "c", &late) < 0)
        fail_msg("%s", mito_error());
    assert_string_equal(mito_context_name(late), "ssh.late.0");
    assert_int_not_equal(mito_context_id(late), mito_context_id(bad));
    mito_context_unref(late);
}

static void test_answers_nobody_asked_for(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("twice", mito_context_id(good));
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    for (int64_t n = 1; n <= 50; n += 2) {
        int64_t got = 0;
        assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &got), 0);
        assert_int_equal(got, n);
        assert_int_equal(mito_call_async(bad, &attack, rx, NULL, ""), 0);
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        assert_int_equal(mito_message_read(m, "i", &got), 0);
        assert_int_equal(got, n + 1);
        scene_receive_now(rx, MITO_E_TIMEOUT);
    }
    scene_check(good, tree_pid_of(good));
}

static void test_bad_answers(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("badly", mito_context_id(good));
    int64_t got = 0;

    for (size_t i = 0; i <= LENGTH(bad_answers); i++) {
        assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &got), -1);
        if (mito_error_code() != MITO_E_MALFORMED && mito_error_code() != MITO_E_TYPE &&
            mito_error_code() != MITO_E_TOO_LARGE)
            fail_msg("answer %zu: %s (%s)", i, mito_error(), mito_error_name(mito_error_code()));
        scene_check(good, tree_pid_of(good));
    }
    /* None of them cost it its stream. */
    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &got), 0);
    assert_int_equal(got, 42);
}

/* A call that is meant for what is behind the bad one must not reach the good one. */
static void test_connections_that_are_none(void **state)
{
    (void)state;
    struct mito_context *behind = NULL;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("lie", mito_context_id(good));
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_null(mito_local(tree, .via = bad));
    assert_error(MITO_E_MALFORMED, "not behind it");
    assert_int_equal(mito_local_async(tree, rx, NULL, .via = bad), 0);
    MITO_AUTO_MESSAGE m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, "c", &behind), -1);
    assert_error(MITO_E_MALFORMED, "not behind it");
    assert_null(behind);
    scene_check(good, tree_pid_of(good));
}

/* The stream is dropped at once; the error of the call tells why. */
static void expect_dropped(const char *mode, const char *why)
{
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile(mode, mito_context_id(good));
    int64_t got = 0;

    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &got), -1);
    assert_error(MITO_E_DEAD, why);
    scene_harmless(mito_error());
    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &got), -1);
    assert_error(MITO_E_DEAD, why);
    scene_check(good, tree_pid_of(good));
}

static void test_oversized(void **state)
{
    (void)state;
    expect_dropped("oversized", "134217729 bytes, over the limit of 134217728");
}

static void test_cut_short(void **state)
{
    (void)state;
    expect_dropped("cut", "in the middle of a message");
}

static void test_banner(void **state)
{
    (void)state;
    expect_dropped("banner", "Welcome to \\x1b[31mthis\\x07 host! Last login: never");
}

static void test_garbage(void **state)
{
    (void)state;
    expect_dropped("garbage", "not a Mitosis stream");
}

int main(int argc, char **argv)
{
    SCENE_START(argc, argv, modes);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_forged_authority),
        TREE_TEST(test_routes_that_are_not_its_own),
        TREE_TEST(test_guessed_handles),
        TREE_TEST(test_connection_under_way),
        TREE_TEST(test_answers_nobody_asked_for),
        TREE_TEST(test_bad_answers),
        TREE_TEST(test_connections_that_are_none),
        TREE_TEST(test_oversized),
        TREE_TEST(test_cut_short),
        TREE_TEST(test_banner),
        TREE_TEST(test_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
