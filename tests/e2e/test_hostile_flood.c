/* A child that sends as fast as it can, of everything there is: the good child goes on answering in
 * time, memory stays within its bounds, and the router ends when it should. */
#include "hostile/scene.h"

#include <inttypes.h>
#include <stdatomic.h>

enum {
    FLOOD_MS = 1500,
    BATCH = 64 * 1024,
    FLOOD_BOUND = 2500, /* ms: a call that takes as long as the flood was not answered during it */
    QUEUE_LIMIT = 1024 * 1024, /* small, so that a bound that does not hold is seen */
    LARGE_ANSWER = 3 * QUEUE_LIMIT,
};

/* --- the hostile side --------------------------------------------------------------------------
 */

static uint8_t batch[BATCH];
static size_t batch_length;
static uint32_t batch_frames;

/* False when the batch is full. */
static bool add(struct peer_frame f, const void *payload, size_t length)
{
    if (length + PEER_HEADER > sizeof batch - batch_length)
        return false;
    f.length = (uint32_t)length;
    peer_header(batch + batch_length, PEER_MAGIC, &f);
    if (length > 0)
        memcpy(batch + batch_length + PEER_HEADER, payload, length);
    batch_length += PEER_HEADER + length;
    batch_frames++;
    return true;
}

static bool add_text(struct peer_frame f, const char *text)
{
    return add(f, text, strlen(text));
}

/* Sends the batch again and again; how many frames that were. */
static uint32_t flood(void)
{
    int64_t until = peer_now() + FLOOD_MS;
    uint32_t count = 0;

    do {
        peer_write(batch, batch_length);
        count += batch_frames;
    } while (peer_now() < until);
    return count;
}

static void flood_and_answer(const struct peer_frame *call)
{
    peer_answer_int(call, flood());
    peer_leave();
}

/* To a handle that it was given, named in the call as "handle=". */
static void to_receiver(size_t length)
{
    static uint8_t payload[65536], junk[BATCH];
    static const char name[] = "handle=";
    struct peer_frame call;

    peer_come_up();
    do {
        if (!peer_receive(&call, payload))
            return;
    } while (call.handle != PEER_CALL_FUNCTION);
    const char *at = memmem(payload, call.length, name, sizeof name - 1);
    uint32_t handle = (uint32_t)strtoul(at + sizeof name - 1, NULL, 10);
    while (add(peer_to(0, handle, 0), junk, length))
        ;
    flood_and_answer(&call);
}

static void to_receiver_empty(void)
{
    to_receiver(0);
}

static void to_receiver_large(void)
{
    to_receiver(10000);
}

static void to_unknown_handles(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    while (add(peer_to(0, 1000 + peer_random() % 100000, 1001), "", 0))
        ;
    flood_and_answer(&call);
}

static void to_sibling(void)
{
    static uint8_t junk[1000];

    peer_come_up();
    struct peer_frame call = peer_called();
    while (
        add(peer_to(peer.number, 1000 + peer_random() % 100000, 1001), junk, peer_random() % 100))
        ;
    flood_and_answer(&call);
}

static void to_contexts_that_are_none(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    while (add(peer_to(peer_random(), 1000, 1001), "", 0))
        ;
    flood_and_answer(&call);
}

static void forged(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    struct peer_frame f = peer_to(peer.number, PEER_CALL_FUNCTION, 1000);
    struct peer_pickle command = peer_call_of("forbidden");
    do {
        f.auth = peer_random() % 3;
        f.src = peer_random() % 10;
    } while (add(f, command.data, command.length));
    flood_and_answer(&call);
}

static void calls(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    struct peer_pickle command = peer_call_of("forbidden");
    while (add(peer_to(0, PEER_CALL_FUNCTION, 1000), command.data, command.length) &&
           add(peer_to(peer.number, PEER_CALL_FUNCTION, 1000), command.data, command.length))
        ;
    flood_and_answer(&call);
}

static void log_records(void)
{
    static const char record[] = "stdout\00040\0me, me, me";

    peer_come_up();
    struct peer_frame call = peer_called();
    while (add(peer_to(0, PEER_FORWARD_LOG, 0), record, sizeof record - 1))
        ;
    flood_and_answer(&call);
}

static void log_lines(void)
{
    static char record[BATCH - 100] = "stdout\00040\0", *text = record + 10;

    memset(text, '\n', sizeof record - 10);
    peer_come_up();
    struct peer_frame call = peer_called();
    add(peer_to(0, PEER_FORWARD_LOG, 0), record, sizeof record);
    flood_and_answer(&call);
}

static void ask_for_ids(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    while (add(peer_to(0, PEER_ALLOCATE_ID, 1001), "", 0))
        ;
    flood_and_answer(&call);
}

/* Claims them all. */
static void ids_and_routes(void)
{
    char text[128];
    uint32_t count = 0;
    int64_t until = peer_now() + FLOOD_MS;

    peer_come_up();
    struct peer_frame call = peer_called();
    for (uint32_t id = 1; peer_now() < until; batch_length = batch_frames = 0) {
        for (int i = 0; i < 100; i++)
            add(peer_to(0, PEER_ALLOCATE_ID, 1001), "", 0);
        do {
            snprintf(text, sizeof text, "%u:%090u", id, id);
        } while (add_text(peer_to(0, PEER_ADD_ROUTE, 0), text) && ++id > 0);
        peer_write(batch, batch_length);
        count += batch_frames;
    }
    peer_answer_int(&call, count);
    peer_leave();
}

static void come_and_go(void)
{
    char text[128];

    peer_come_up();
    struct peer_frame call = peer_called();
    for (uint32_t id = peer.first;; id = id + 1 < peer.last ? id + 1 : peer.first) {
        snprintf(text, sizeof text, "%u:come", id);
        if (!add_text(peer_to(0, PEER_ADD_ROUTE, 0), text))
            break;
        struct peer_frame alive = peer_to(0, 1000, 1000);
        alive.src = alive.auth = id;
        snprintf(text, sizeof text, "%u", id);
        if (!add(alive, "", 0) || !add_text(peer_to(0, PEER_DEL_ROUTE, 0), text))
            break;
    }
    flood_and_answer(&call);
}

static void refused_routes(void)
{
    peer_come_up();
    struct peer_frame call = peer_called();
    while (add_text(peer_to(0, PEER_ADD_ROUTE, 0), "77777777:mine") &&
           add_text(peer_to(0, PEER_ADD_ROUTE, 0), "nonsense"))
        ;
    flood_and_answer(&call);
}

static void huge_messages(void)
{
    static uint8_t megabyte[1024 * 1024];
    int64_t until = peer_now() + FLOOD_MS;
    uint8_t header[PEER_HEADER];
    struct peer_frame f = peer_to(0, 1000, 0);
    uint32_t count = 0;

    peer_come_up();
    struct peer_frame call = peer_called();
    f.length = 16 * sizeof megabyte;
    peer_header(header, PEER_MAGIC, &f);
    for (; peer_now() < until; count++) {
        peer_write(header, sizeof header);
        for (int i = 0; i < 16; i++)
            peer_write(megabyte, sizeof megabyte);
    }
    peer_answer_int(&call, count);
    peer_leave();
}

static void on_stderr(void)
{
    uint32_t count = 0;

    peer_come_up();
    struct peer_frame call = peer_called();
    memset(batch, 'e', sizeof batch);
    for (size_t i = 10; i < sizeof batch; i += 20)
        batch[i] = '\n';
    int64_t until = peer_now() + FLOOD_MS;
    for (; peer_now() < until; count++) {
        if (write(2, batch, sizeof batch) < 0)
            _exit(0);
    }
    peer_answer_int(&call, count);
    peer_leave();
}

/* Everything but an answer. */
static void no_answer(void)
{
    peer_come_up();
    peer_called();
    while (add(peer_to(0, 1000 + peer_random() % 100000, 0), "", 0))
        ;
    for (;;)
        flood();
}

static void answer_at_length(void)
{
    static uint8_t answer[LARGE_ANSWER + 8];

    answer[0] = 0x80;
    answer[1] = 2;
    answer[2] = 'T';
    for (int i = 0; i < 4; i++)
        answer[3 + i] = (uint8_t)(LARGE_ANSWER >> 8 * i);
    answer[sizeof answer - 1] = '.';
    peer_come_up();
    for (;;) {
        struct peer_frame call = peer_called();
        peer_send(peer_to(call.src, call.reply_to, 0), answer, sizeof answer);
    }
}

static const struct peer_mode modes[] = {
    {"receiver-empty", to_receiver_empty},
    {"receiver-large", to_receiver_large},
    {"unknown", to_unknown_handles},
    {"sibling", to_sibling},
    {"nobody", to_contexts_that_are_none},
    {"forged", forged},
    {"calls", calls},
    {"log", log_records},
    {"lines", log_lines},
    {"ids", ask_for_ids},
    {"ids-routes", ids_and_routes},
    {"churn", come_and_go},
    {"refused", refused_routes},
    {"huge", huge_messages},
    {"stderr", on_stderr},
    {"no-answer", no_answer},
    {"length", answer_at_length},
    {NULL, NULL},
};

/* --- the tests ---------------------------------------------------------------------------------
 */

static atomic_ulong records, good_records;
static uint32_t good_id;

static void count_record(void *arg, const struct mito_log_record *record)
{
    (void)arg;
    records++;
    if (record->context_id == good_id && strstr(record->text, "good morning") != NULL)
        good_records++;
}

MITO_FUNCTION(say_good_morning)
{
    mito_log(mito_call_router(call), MITO_ERROR, "good morning");
    return mito_return(call, "");
}

static int open_scene(void **state)
{
    int rc = tree_open(state);

    records = good_records = 0;
    tree_reopen(&(struct mito_router_options){.queue_limit = QUEUE_LIMIT, .log = count_record});
    return rc;
}

/* Floods; then everybody is there as before, and contexts can be made. */
static void expect_calm(const char *mode)
{
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile(mode, mito_context_id(good));

    int64_t count = scene_attack(bad, good, FLOOD_MS);
    print_message("# %" PRId64 " frames\n", count);
    assert_true(count > (strstr(mode, "huge") != NULL ? 2 : 10)); /* those take their time */
    if (scene_slowest > FLOOD_BOUND)
        fail_msg("a call took %" PRId64 " ms", scene_slowest);
    struct mito_context *another = tree_local();
    assert_true(mito_context_id(another) < 10 * 1000 * 1000); /* ids are left for others */
    scene_check(another, tree_pid_of(another));
    scene_free();
}

#define CALM(name, mode)                                                                           \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        expect_calm(mode);                                                                         \
    }
CALM(unknown_handles, "unknown")
CALM(sibling, "sibling")
CALM(unknown_contexts, "nobody")
CALM(forged_frames, "forged")
CALM(refused_calls, "calls")
CALM(ids, "ids")
CALM(ids_and_routes, "ids-routes")
CALM(routes_that_come_and_go, "churn")
CALM(refused_routes, "refused")
CALM(huge_messages, "huge")
CALM(output, "stderr")

/* Nobody receives; when somebody does at last, all is said once. */
static void flood_receiver(const char *mode)
{
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile(mode, mito_context_id(good));
    struct mito_receiver *rx = mito_receiver_new(tree), *answer = mito_receiver_new(tree);
    struct mito_sender *tx = mito_sender_to(rx);
    pid_t pid = tree_pid_of(good);
    size_t before = scene_memory(), most = before, kept = 0;
    struct mito_message *m;
    char text[64];

    snprintf(text, sizeof text, "handle=%u", mito_sender_handle(tx));
    assert_int_equal(mito_call_async(bad, &attack, answer, NULL, "s", text), 0);
    while ((m = mito_receive(answer, 0)) == NULL) {
        scene_check(good, pid);
        most = scene_memory() > most ? scene_memory() : most;
    }
    mito_message_free(m);
    if (most > before + SCENE_MEMORY)
        fail_msg("%zu MiB before, %zu MiB during the attack", before, most);
    for (; (m = mito_receive(rx, 0)) != NULL; kept++)
        mito_message_free(m);
    assert_error(MITO_E_OVERFLOW, "were lost");
    assert_true(kept > 100);
    mito_sender_free(tx);
    mito_receiver_free(rx);
    mito_receiver_free(answer);
    scene_free();
}

static void test_empty_messages(void **state)
{
    (void)state;
    flood_receiver("receiver-empty");
}

static void test_large_messages(void **state)
{
    (void)state;
    flood_receiver("receiver-large");
}

/* Answers of several contexts in one receiver: whatever one of them says, there is something for
 * each question, and it is known for which. */
static void test_large_answers(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("length", 0);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    int from_bad[4] = {0}, from_good[4] = {0}, refused = 0;
    struct mito_message *m;

    for (int i = 0; i < 4; i++)
        assert_int_equal(mito_call_async(bad, &attack, rx, &from_bad[i], ""), 0);
    sleep_ms(1000);
    for (int i = 0; i < 4; i++)
        assert_int_equal(mito_call_async(good, &scene_state, rx, &from_good[i], ""), 0);
    scene_check(good, tree_pid_of(good));
    for (int i = 0; i < 8; i++) {
        m = tree_receive(rx);
        (*(int *)mito_message_tag(m))++;
        if (mito_message_read(m, "v", NULL) < 0) {
            assert_error(MITO_E_OVERFLOW, "answer was lost");
            refused++;
        }
        mito_message_free(m);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(from_bad[i], 1);
        assert_int_equal(from_good[i], 1);
    }
    assert_true(refused >= 3);
    scene_receive_now(rx, MITO_E_TIMEOUT);
}

/* Whoever talks most must not drown what others have to say. */
static void flood_log(const char *mode)
{
    enum { MORNINGS = 20 };
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile(mode, mito_context_id(good));
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct mito_message *m;
    int said = 0;

    good_id = mito_context_id(good);
    assert_int_equal(mito_call_async(bad, &attack, rx, NULL, ""), 0);
    sleep_ms(500);
    for (; said < MORNINGS; said++) {
        assert_int_equal(mito_call_timeout(good, SCENE_BOUND, &say_good_morning, "", ""), 0);
        sleep_ms(50);
    }
    m = tree_receive(rx);
    mito_message_free(m);
    mito_receiver_free(rx);
    rx = NULL;
    scene_free();
    print_message("# %lu records\n", (unsigned long)records);
    assert_true(records > 1000);
    assert_int_equal(good_records, said);
}

static void test_log_records(void **state)
{
    (void)state;
    flood_log("log");
}

static void test_log_lines(void **state)
{
    (void)state;
    flood_log("lines");
}

/* A thread that waits for an answer reads the stream itself, and looks at its watch. */
static void test_timeout_in_a_flood(void **state)
{
    (void)state;
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile("no-answer", 0);

    for (int i = 0; i < 3; i++) {
        int64_t before = now_ms();
        assert_int_equal(mito_call_timeout(bad, 500, &attack, "", "n"), -1);
        assert_error(MITO_E_TIMEOUT, "no answer");
        assert_true(now_ms() - before < 500 + SCENE_BOUND);
    }
    scene_check(good, tree_pid_of(good));
    assert_int_equal(mito_context_shutdown(bad, 1000 * SLOWNESS), 0);
    scene_check(good, tree_pid_of(good));
    scene_free();
}

#define FLOOD_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, tree_close)

int main(int argc, char **argv)
{
    SCENE_START(argc, argv, modes);
    const struct CMUnitTest tests[] = {
        FLOOD_TEST(test_unknown_handles),
        FLOOD_TEST(test_sibling),
        FLOOD_TEST(test_unknown_contexts),
        FLOOD_TEST(test_forged_frames),
        FLOOD_TEST(test_refused_calls),
        FLOOD_TEST(test_ids),
        FLOOD_TEST(test_ids_and_routes),
        FLOOD_TEST(test_routes_that_come_and_go),
        FLOOD_TEST(test_refused_routes),
        FLOOD_TEST(test_huge_messages),
        FLOOD_TEST(test_output),
        FLOOD_TEST(test_empty_messages),
        FLOOD_TEST(test_large_messages),
        FLOOD_TEST(test_large_answers),
        FLOOD_TEST(test_log_records),
        FLOOD_TEST(test_log_lines),
        FLOOD_TEST(test_timeout_in_a_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
