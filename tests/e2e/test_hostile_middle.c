/* A hostile child of a child: the context between it and the master is a parent like any other, and
 * what it passes on is as it should be. */
#include "hostile/scene.h"

/* --- the hostile side --------------------------------------------------------------------------
 */

static void stay(void)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    peer_come_up();
    struct peer_frame call = peer_called();
    peer_answer_int(&call, (uint32_t)getpid());
    peer_linger();
}

static void detach_and_stay(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    peer_send(peer_to(peer.parent, PEER_DETACHING, 0), "", 0);
    peer_answer_int(&call, (uint32_t)getpid());
    peer_linger();
}

/* In the name of everybody, to everybody. */
static void forge(void)
{
    static const uint32_t handles[] = {PEER_CALL_FUNCTION, PEER_SHUTDOWN, PEER_ADD_ROUTE,
                                       PEER_DEL_ROUTE};
    struct peer_pickle command = peer_call_of("forbidden");
    char text[32];

    peer_come_up();
    struct peer_frame call = peer_called();
    const uint32_t ids[] = {0, peer.parent, peer.number, peer.id};
    snprintf(text, sizeof text, "%u", peer.number);
    for (size_t i = 0; i < LENGTH(ids) * LENGTH(ids) * LENGTH(ids); i++) {
        for (size_t h = 0; h < LENGTH(handles); h++) {
            struct peer_frame f = {.dst = ids[i % 4], .src = ids[i / 4 % 4], .auth = ids[i / 16]};
            f.handle = handles[h];
            if (f.handle == PEER_CALL_FUNCTION)
                peer_send(f, command.data, command.length);
            else
                peer_send_text(f, text);
        }
    }
    peer_answer_int(&call, 1);
    peer_leave();
}

static void flood(uint32_t victim)
{
    static uint8_t junk[60000];
    int64_t until = peer_now() + 2000;
    uint32_t count = 0;

    peer_come_up();
    struct peer_frame call = peer_called();
    for (; peer_now() < until; count++)
        peer_send(peer_to(victim, 1000 + count, 1000), junk, peer_random() % sizeof junk);
    peer_sleep(500); /* who has had more than its share would not be heard now */
    peer_answer_int(&call, count);
    peer_leave();
}

static void flood_up(void)
{
    flood(0);
}

static void flood_sideways(void)
{
    flood(peer.number);
}

/* Asks for ids without end, so that what others asked for may be forgotten. */
static void ask_for_ids(void)
{
    static uint8_t batch[64 * PEER_HEADER];
    struct peer_frame f = {.dst = 0, .handle = PEER_ALLOCATE_ID, .reply_to = 1001};
    int64_t until = peer_now() + 3000;
    uint32_t count = 0;

    peer_come_up();
    struct peer_frame call = peer_called();
    f.src = f.auth = peer.id;
    for (size_t i = 0; i < sizeof batch; i += PEER_HEADER)
        peer_header(batch + i, PEER_MAGIC, &f);
    for (; peer_now() < until; count++)
        peer_write(batch, sizeof batch);
    peer_answer_int(&call, count);
    peer_leave();
}

static const struct peer_mode modes[] = {
    {"stay", stay},      {"detach", detach_and_stay},  {"forge", forge},
    {"flood", flood_up}, {"sideways", flood_sideways}, {"ids", ask_for_ids},
    {NULL, NULL},
};

/* --- the tests ---------------------------------------------------------------------------------
 */

static void attack_the_middle(const char *mode)
{
    MITO_AUTO_CONTEXT middle = tree_local();
    MITO_AUTO_CONTEXT good = tree_local(.via = middle);
    MITO_AUTO_CONTEXT bad = scene_hostile(mode, mito_context_id(good), .via = middle);
    pid_t pid = tree_pid_of(middle);

    assert_true(scene_attack(bad, good, 0) > 0);
    scene_check(middle, pid);
    /* And once more from the middle's place, where the good child is. */
    assert_true(
        scene_attack(scene_hostile(mode, mito_context_id(middle), .via = middle), middle, 0) > 0);
    scene_check(good, tree_pid_of(good));
}

static void test_forged(void **state)
{
    (void)state;
    attack_the_middle("forge");
    assert_non_null(tree_record(-1, "router", "no right to that auth_id", PATIENCE));
}

/* The queue towards the master is full all the time: the answers of the good one get through. */
static void test_flood_towards_the_master(void **state)
{
    (void)state;
    tree_reopen(&(struct mito_router_options){.queue_limit = 256 * 1024});
    attack_the_middle("flood");
}

static void test_flood_towards_a_sibling(void **state)
{
    (void)state;
    tree_reopen(&(struct mito_router_options){.queue_limit = 256 * 1024});
    attack_the_middle("sideways");
}

/* What the master asks of a context is passed on, however much others send there, too. */
static void test_flood_from_elsewhere(void **state)
{
    (void)state;
    tree_reopen(&(struct mito_router_options){.queue_limit = 256 * 1024});
    MITO_AUTO_CONTEXT middle = tree_local();
    MITO_AUTO_CONTEXT good = tree_local(.via = middle);
    MITO_AUTO_CONTEXT bad = scene_hostile("sideways", mito_context_id(good));

    assert_true(scene_attack(bad, good, 0) > 0);
}

/* () -> a new child of the context that is called */
MITO_FUNCTION(grow)
{
    MITO_AUTO_CONTEXT child = mito_local(mito_call_router(call));

    return child == NULL ? -1 : mito_return(call, "c", child);
}

/* Deep down in the tree no ids are left to start with: each new child costs a question to the
 * master, which passes where the bad one is asking, too. */
static void test_ids_of_others(void **state)
{
    (void)state;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_CONTEXT first = tree_local();
    MITO_AUTO_CONTEXT second = tree_local(.via = first);
    MITO_AUTO_CONTEXT third = tree_local(.via = second);
    MITO_AUTO_CONTEXT fourth = tree_local(.via = third);
    MITO_AUTO_CONTEXT good = tree_local(.via = fourth);
    MITO_AUTO_CONTEXT bad = scene_hostile("ids", 0, .via = fourth);

    assert_int_equal(mito_call_async(bad, &attack, rx, NULL, ""), 0);
    sleep_ms(200);
    for (int i = 0; i < 3; i++) {
        MITO_AUTO_CONTEXT grown = NULL;
        if (mito_call_timeout(good, PATIENCE, &grow, "", "c", &grown) < 0)
            fail_msg("%s", mito_error());
        scene_check(grown, tree_pid_of(grown));
    }
    assert_null(mito_receive(rx, 0)); /* it was at it all the time */
    mito_message_free(tree_receive(rx));
}

/* The middle has to end it before it is ended itself. */
static void ends_with_the_tree(const char *mode)
{
    struct mito_context *middle = tree_local();
    struct mito_context *good = tree_local(.via = middle);
    struct mito_context *bad = scene_hostile(mode, mito_context_id(good), .via = middle);

    int64_t pid = scene_attack(bad, good, 0);
    assert_true(pid > 0);
    scene_free();
    assert_true(pid_gone((pid_t)pid, 1000));
}

static void test_ignores_the_end(void **state)
{
    (void)state;
    ends_with_the_tree("stay");
}

static void test_detaches_and_stays(void **state)
{
    (void)state;
    ends_with_the_tree("detach");
}

static void test_middle_is_shut_down(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT middle = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("stay", 0, .via = middle);
    int64_t pid = 0;

    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &pid), 0);
    assert_int_equal(mito_context_shutdown(middle, 2 * SCENE_BOUND), 0);
    assert_true(pid_gone((pid_t)pid, 1000));
}

int main(int argc, char **argv)
{
    SCENE_START(argc, argv, modes);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_forged),
        TREE_TEST(test_flood_towards_the_master),
        TREE_TEST(test_flood_towards_a_sibling),
        TREE_TEST(test_flood_from_elsewhere),
        TREE_TEST(test_ids_of_others),
        TREE_TEST(test_ignores_the_end),
        TREE_TEST(test_detaches_and_stays),
        TREE_TEST(test_middle_is_shut_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
