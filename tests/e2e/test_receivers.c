/* Receivers, senders, requests, channels: who waits where, who is told what. */
#include "tree.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- functions --------------------------------------------------------------------------------
 */

/* (sender, from, count): sends that many numbers, and closes it if `close` */
MITO_FUNCTION(send_numbers)
{
    MITO_AUTO_SENDER to = NULL;
    int64_t from, count;
    bool close;

    if (mito_args(call, "tiib", &to, &from, &count, &close) < 0)
        return -1;
    for (int64_t i = from; i < from + count; i++) {
        if (mito_send(to, "i", i) < 0)
            return -1;
    }
    return close ? mito_sender_close(to) : 0;
}

/* (sender, size, count) */
MITO_FUNCTION(send_blocks)
{
    MITO_AUTO_SENDER to = NULL;
    int64_t size, count;

    if (mito_args(call, "tii", &to, &size, &count) < 0)
        return -1;
    void *block = calloc(1, (size_t)size);
    int rc = block == NULL ? -1 : 0;
    for (int64_t i = 0; i < count && rc == 0; i++)
        rc = mito_send(to, "y", block, size);
    free(block);
    return rc;
}

static struct mito_receiver *box;

MITO_FUNCTION(open_box)
{
    box = mito_receiver_new(mito_call_router(call));
    return box == NULL ? -1 : mito_return(call, "r", box);
}

MITO_FUNCTION(close_box)
{
    (void)call;
    mito_receiver_free(box);
    return 0;
}

/* () -> sum of all numbers until the box is closed */
MITO_FUNCTION(add_up_box)
{
    struct mito_message *m;
    int64_t sum = 0, number;

    while ((m = mito_receive(box, PATIENCE)) != NULL) {
        sum += mito_message_read(m, "i", &number) == 0 ? number : 0;
        mito_message_free(m);
    }
    if (mito_error_code() != MITO_E_CLOSED)
        return -1;
    return mito_return(call, "i", sum);
}

/* (sender, text) -> its answer */
MITO_FUNCTION(ask)
{
    MITO_AUTO_SENDER to = NULL;
    const char *question, *answer;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(mito_call_router(call));

    if (rx == NULL || mito_args(call, "ts", &to, &question) < 0 ||
        mito_request(to, rx, NULL, "s", question) < 0)
        return -1;
    MITO_AUTO_MESSAGE m = mito_receive(rx, PATIENCE);
    if (m == NULL || mito_message_read(m, "s", &answer) < 0)
        return -1;
    return mito_return(call, "s", answer);
}

/* (sender, size, count) -> how many of so many requests were refused, and why */
MITO_FUNCTION(ask_until_refused)
{
    MITO_AUTO_SENDER to = NULL;
    int64_t size, count, refused = 0;
    char why[512] = "";
    MITO_AUTO_RECEIVER rx = mito_receiver_new(mito_call_router(call));

    if (rx == NULL || mito_args(call, "tii", &to, &size, &count) < 0)
        return -1;
    void *block = calloc(1, (size_t)size);
    while (count-- > 0 && refused == 0) {
        if (mito_request(to, rx, NULL, "y", block, size) < 0)
            break;
        MITO_AUTO_MESSAGE m = mito_receive(rx, 100);
        if (m != NULL && mito_message_read(m, "v", NULL) < 0) {
            refused++;
            snprintf(why, sizeof why, "%s", mito_error());
        }
    }
    free(block);
    return mito_return(call, "is", refused, why);
}

static int64_t number_of(struct mito_message *m)
{
    int64_t number = -1;

    if (mito_message_read(m, "i", &number) < 0)
        fail_msg("%s", mito_error());
    return number;
}

static void assert_number(struct mito_receiver *rx, int64_t expected)
{
    MITO_AUTO_MESSAGE m = tree_receive(rx);

    assert_int_equal(number_of(m), expected);
}

/* --- receiving --------------------------------------------------------------------------------
 */

static void test_until_closed(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct mito_message *m;
    int64_t n = 0;

    assert_int_equal(mito_call_no_reply(child, &send_numbers, "riib", rx, 0, 500, true), 0);
    while ((m = mito_receive(rx, PATIENCE)) != NULL) {
        assert_int_equal(number_of(m), n++);
        assert_int_equal(mito_message_src_id(m), mito_context_id(child));
        assert_null(mito_message_tag(m));
        mito_message_free(m);
    }
    assert_error(MITO_E_CLOSED, "");
    assert_int_equal(n, 500);
    assert_null(mito_receive(rx, MITO_FOREVER)); /* and so it stays */
    assert_error(MITO_E_CLOSED, "");
}

static void test_timeouts(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    int64_t before = now_ms();

    assert_null(mito_receive(rx, 0));
    assert_error(MITO_E_TIMEOUT, "");
    assert_in_range(now_ms() - before, 0, 1000);
    before = now_ms();
    assert_null(mito_receive(rx, 120));
    assert_error(MITO_E_TIMEOUT, "");
    assert_in_range(now_ms() - before, 119, 5000);
    assert_int_equal(mito_call(child, &send_numbers, "riib", rx, 7, 1, false, ""), 0);
    assert_number(rx, 7);
    before = now_ms();
    assert_null(mito_receive(rx, 120)); /* also where messages came in before */
    assert_error(MITO_E_TIMEOUT, "");
    assert_in_range(now_ms() - before, 119, 5000);
}

static void test_reading(void **state)
{
    (void)state;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = mito_sender_to(rx);
    int64_t i;
    const char *s;

    assert_int_equal(mito_send(tx, "(is)", 1, "one"), 0);
    struct mito_message *m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, "i", &i), -1);
    assert_error(MITO_E_TYPE, "");
    assert_int_equal(mito_message_read(m, "is", &i, &s), 0); /* as often as one likes */
    assert_int_equal(mito_message_read(m, "is", &i, &s), 0);
    assert_string_equal(s, "one");
    const struct mito_value *v = mito_message_value(m);
    assert_int_equal(mito_value_type(v), MITO_TUPLE);
    assert_int_equal(mito_message_src_id(m), 0);
    assert_int_equal(mito_message_reply(m, "i", 1), -1);
    assert_error(MITO_E_INVALID, "");
    mito_message_free(m);
    mito_message_free(NULL);
    assert_int_equal(mito_send(tx, "q", 1), -1);
    assert_error(MITO_E_INVALID, "\"q\"");
}

/* --- senders anywhere -------------------------------------------------------------------------
 */

static void test_siblings(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT a = tree_local();
    MITO_AUTO_CONTEXT b = tree_local();
    MITO_AUTO_CONTEXT below_b = tree_local(.via = b);
    MITO_AUTO_SENDER tx = NULL;
    int64_t sum;

    assert_int_equal(mito_call(a, &open_box, "", "t", &tx), 0);
    MITO_AUTO_CONTEXT owner = mito_sender_context(tx);
    assert_ptr_equal(owner, a);
    assert_true(mito_sender_handle(tx) >= 1000);
    assert_int_equal(mito_call(b, &send_numbers, "tiib", tx, 1, 100, false, ""), 0);
    assert_int_equal(mito_call(below_b, &send_numbers, "tiib", tx, 1001, 1, false, ""), 0);
    assert_int_equal(mito_send(tx, "i", 10000), 0);
    MITO_AUTO_SENDER same = mito_sender_new(a, mito_sender_handle(tx));
    assert_int_equal(mito_sender_close(same), 0);
    assert_int_equal(mito_call(a, &add_up_box, "", "i", &sum), 0);
    assert_int_equal(sum, 5050 + 1001 + 10000);
}

static void test_parent_receives_from_grandchild(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = child);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct blocked busy;

    tree_block_main(&busy, child); /* which is not asked */
    assert_int_equal(mito_call(below, &send_numbers, "riib", rx, 0, 300, true, ""), 0);
    for (int i = 0; i < 300; i++)
        assert_number(rx, i);
    tree_receive_error(rx, MITO_E_CLOSED);
    tree_unblock(&busy);
}

static void test_own_process(void **state)
{
    (void)state;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = mito_sender_to(rx);

    for (int i = 0; i < 10; i++)
        assert_int_equal(mito_send(tx, "i", i), 0);
    assert_int_equal(mito_sender_close(tx), 0);
    for (int i = 0; i < 10; i++)
        assert_number(rx, i);
    tree_receive_error(rx, MITO_E_CLOSED);
    mito_sender_free(NULL);
    mito_receiver_free(NULL);
}

/* --- requests ---------------------------------------------------------------------------------
 */

static void test_request_from_a_child(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER questions = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(tree);
    const char *text;

    assert_int_equal(mito_call_async(child, &ask, answers, NULL, "rs", questions, "who?"), 0);
    struct mito_message *m = tree_receive(questions);
    assert_int_equal(mito_message_read(m, "s", &text), 0);
    assert_string_equal(text, "who?");
    assert_int_equal(mito_message_reply(m, "q", 1), -1);
    assert_error(MITO_E_INVALID, "\"q\"");
    assert_int_equal(mito_message_reply(m, "s", "me"), 0);
    mito_message_reply(m, "s", "once more"); /* nobody waits for it; nothing breaks */
    mito_message_free(m);
    m = tree_receive(answers);
    assert_int_equal(mito_message_read(m, "s", &text), 0);
    assert_string_equal(text, "me");
    mito_message_free(m);
    assert_true(tree_pid_of(child) > 0);
}

static void test_requests_with_tags(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    MITO_AUTO_RECEIVER questions = mito_receiver_new(tree);
    MITO_AUTO_RECEIVER answers = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = mito_sender_to(questions);
    int tags[COUNT];
    struct mito_message *asked[COUNT];

    for (int i = 0; i < COUNT; i++)
        assert_int_equal(mito_request(tx, answers, &tags[i], "i", i), 0);
    for (int i = 0; i < COUNT; i++)
        asked[i] = tree_receive(questions);
    for (int i = COUNT - 1; i >= 0; i--) {
        assert_int_equal(mito_message_reply(asked[i], "i", number_of(asked[i]) * 3), 0);
        mito_message_free(asked[i]);
    }
    for (int i = COUNT - 1; i >= 0; i--) {
        MITO_AUTO_MESSAGE m = tree_receive(answers);
        assert_ptr_equal(mito_message_tag(m), &tags[i]);
        assert_int_equal(number_of(m), i * 3);
    }
}

/* Nobody listens there (any more): who asks is told, who only sends is not. */
static void test_request_to_a_freed_receiver(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = NULL;
    int tag;

    assert_int_equal(mito_call(child, &open_box, "", "t", &tx), 0);
    assert_int_equal(mito_request(tx, rx, &tag, "i", 1), 0); /* waits in the box */
    assert_int_equal(mito_call(child, &close_box, "", ""), 0);
    assert_int_equal(mito_request(tx, rx, NULL, "i", 2), 0);
    struct mito_message *m = tree_receive(rx);
    assert_null(mito_message_tag(m));
    assert_int_equal(mito_message_read(m, "v", NULL), -1);
    assert_error(MITO_E_DEAD, "no handle");
    mito_message_free(m);
    assert_int_equal(mito_send(tx, "i", 3), 0);
    assert_int_equal(mito_sender_close(tx), 0);
    struct mito_receiver *ours = mito_receiver_new(tree);
    MITO_AUTO_SENDER to_ours = mito_sender_to(ours);
    mito_receiver_free(ours);
    assert_int_equal(mito_call(child, &ask, "ts", to_ours, "anybody?", "v", NULL), -1);
    assert_error(MITO_E_DEAD, "no handle");
}

/* --- freeing ----------------------------------------------------------------------------------
 */

static void *receive_one(void *arg)
{
    static int codes[16];
    static int count;
    int *code = &codes[__atomic_fetch_add(&count, 1, __ATOMIC_RELAXED) % 16];

    struct mito_message *m = mito_receive(arg, MITO_FOREVER);
    *code = m == NULL ? mito_error_code() : MITO_OK;
    mito_message_free(m);
    return code;
}

static void test_free_wakes_who_waits(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    pthread_t threads[4];
    void *code;

    for (int round = 0; round < 2; round++) {
        struct mito_receiver *rx = mito_receiver_new(tree);
        if (round == 1) { /* then one of them reads the stream itself */
            assert_int_equal(mito_call(child, &send_numbers, "riib", rx, 0, 1, false, ""), 0);
            assert_number(rx, 0);
        }
        for (size_t i = 0; i < LENGTH(threads); i++)
            assert_int_equal(pthread_create(&threads[i], NULL, receive_one, rx), 0);
        sleep_ms(50);
        mito_receiver_free(rx);
        for (size_t i = 0; i < LENGTH(threads); i++) {
            assert_int_equal(pthread_join(threads[i], &code), 0);
            assert_int_equal(*(int *)code, MITO_E_CLOSED);
        }
    }
    assert_true(tree_pid_of(child) > 0);
}

/* While a child sends as fast as it can. */
static void test_free_while_others_send(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();

    for (int i = 0; i < 20; i++) {
        struct mito_receiver *rx = mito_receiver_new(tree);
        assert_int_equal(mito_call_no_reply(child, &send_numbers, "riib", rx, 0, 1000, true), 0);
        for (int j = 0; j < i * 10; j++)
            assert_number(rx, j);
        mito_receiver_free(rx);
    }
    assert_true(tree_pid_of(child) > 0);
}

/* --- bounds -----------------------------------------------------------------------------------
 */

static void test_overflow(void **state)
{
    (void)state;
    enum { SIZE = 10000, LIMIT = 100000, COUNT = 50 };
    tree_reopen(&(struct mito_router_options){.queue_limit = LIMIT});
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    struct mito_message *m;
    int received = 0;

    assert_int_equal(mito_call(child, &send_blocks, "rii", rx, SIZE, COUNT, ""), 0);
    while ((m = mito_receive(rx, 0)) != NULL) {
        mito_message_free(m);
        received++;
    }
    assert_error(MITO_E_OVERFLOW, "");
    assert_in_range(received, LIMIT / SIZE / 2, LIMIT / SIZE + 1);
    char lost[32];
    snprintf(lost, sizeof lost, "%d messages", COUNT - received);
    assert_error(MITO_E_OVERFLOW, lost);
    assert_null(mito_receive(rx, 0)); /* told once */
    assert_error(MITO_E_TIMEOUT, "");
    assert_int_equal(mito_call(child, &send_blocks, "rii", rx, SIZE, 2, ""), 0);
    mito_message_free(tree_receive(rx)); /* and it goes on */
    mito_message_free(tree_receive(rx));
    assert_int_equal(mito_call(child, &send_blocks, "rii", rx, SIZE, COUNT, ""), 0);
    /* Who asked for an answer is told that it was lost. */
    assert_int_equal(mito_call(child, &ask, "rs", rx, "too late", "v", NULL), -1);
    assert_error(MITO_E_DEAD, "full");
}

static void test_many_messages(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    assert_int_equal(mito_call_no_reply(child, &send_numbers, "riib", rx, 0, 20000, true), 0);
    for (int i = 0; i < 20000; i++)
        assert_number(rx, i);
    tree_receive_error(rx, MITO_E_CLOSED);
}

struct sending {
    struct mito_sender *to;
    int64_t size, sent;
    int count, code;
};

static void *send_many(void *arg)
{
    struct sending *s = arg;
    void *block = calloc(1, (size_t)s->size);

    s->code = MITO_OK;
    for (int i = 0; i < s->count && s->code == MITO_OK; i++) {
        if (mito_send(s->to, "y", block, s->size) < 0)
            s->code = mito_error_code();
        else
            __atomic_add_fetch(&s->sent, 1, __ATOMIC_RELAXED);
    }
    free(block);
    return NULL;
}

/* Waits until a sender gets no further; how far it got. */
static int64_t wait_until_stuck(struct sending *s)
{
    int64_t before = -1, now;
    int unchanged = 0;

    while (unchanged < 20) {
        now = __atomic_load_n(&s->sent, __ATOMIC_RELAXED);
        unchanged = now == before && now > 0 ? unchanged + 1 : 0;
        before = now;
        sleep_ms(10);
    }
    return before;
}

/* A thread that sends to a context that does not read waits; it goes on when that does, and fails
 * when that dies. */
static void test_senders_wait(void **state)
{
    (void)state;
    enum { SIZE = 256 * 1024, COUNT = 200 };
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_SENDER tx = NULL;
    pid_t pid = tree_pid_of(child);
    pthread_t thread;

    assert_int_equal(mito_call(child, &open_box, "", "t", &tx), 0);
    for (int round = 0; round < 2; round++) {
        struct sending s = {.to = tx, .size = SIZE, .count = COUNT};
        kill(pid, SIGSTOP);
        assert_int_equal(pthread_create(&thread, NULL, send_many, &s), 0);
        assert_in_range(wait_until_stuck(&s), 2, COUNT - 1);
        kill(pid, round == 0 ? SIGCONT : SIGKILL);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_string_equal(mito_error_name(s.code), round == 0 ? "ok" : "dead");
        if (round == 0) {
            assert_int_equal(s.sent, COUNT);
            assert_int_equal(tree_pid_of(child), pid);
        }
    }
}

/* On the way through another context nobody can wait: it refuses what is too much. */
static void test_messages_on_their_way_are_refused(void **state)
{
    (void)state;
    enum { SIZE = 256 * 1024, LIMIT = 1024 * 1024 };
    tree_reopen(&(struct mito_router_options){.queue_limit = LIMIT});
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_CONTEXT stopped = tree_local();
    MITO_AUTO_SENDER tx = NULL;
    pid_t pid = tree_pid_of(stopped);
    int64_t refused;
    char *why;

    assert_int_equal(mito_call(stopped, &open_box, "", "t", &tx), 0);
    kill(pid, SIGSTOP);
    assert_int_equal(
        mito_call(child, &ask_until_refused, "tii", tx, SIZE, 100, "is", &refused, &why), 0);
    kill(pid, SIGCONT);
    assert_int_equal(refused, 1);
    assert_non_null(strstr(why, "full"));
    free(why);
    assert_int_equal(tree_pid_of(stopped), pid);
    assert_true(tree_pid_of(child) > 0);
}

/* --- threads ----------------------------------------------------------------------------------
 */

struct collecting {
    struct mito_receiver *rx;
    unsigned char *seen;
    size_t count;
    int code;
};

static void *collect_numbers(void *arg)
{
    struct collecting *c = arg;
    struct mito_message *m;
    int64_t number;

    while ((m = mito_receive(c->rx, MITO_FOREVER)) != NULL) {
        if (mito_message_read(m, "i", &number) == 0)
            __atomic_add_fetch(&c->seen[number], 1, __ATOMIC_RELAXED);
        c->count++;
        mito_message_free(m);
    }
    c->code = mito_error_code();
    return NULL;
}

static void test_several_threads_receive(void **state)
{
    (void)state;
    enum { COUNT = 6000 };
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    static unsigned char seen[COUNT];
    struct collecting c[4];
    pthread_t threads[4];
    size_t total = 0;

    for (int i = 0; i < 4; i++) {
        c[i] = (struct collecting){.rx = rx, .seen = seen};
        assert_int_equal(pthread_create(&threads[i], NULL, collect_numbers, &c[i]), 0);
    }
    assert_int_equal(mito_call(child, &send_numbers, "riib", rx, 0, COUNT, true, ""), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(c[i].code, MITO_E_CLOSED);
        total += c[i].count;
    }
    assert_int_equal(total, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
}

MITO_FUNCTION(add)
{
    int64_t a, b;

    if (mito_args(call, "ii", &a, &b) < 0)
        return -1;
    return mito_return(call, "i", a + b);
}

struct calling {
    struct mito_context *context[3];
    int number, wrong;
};

static void *call_many(void *arg)
{
    struct calling *c = arg;
    int64_t sum;

    for (int i = 0; i < 300; i++) {
        if (mito_call(c->context[i % 3], &add, "ii", c->number * 1000, i, "i", &sum) < 0 ||
            sum != c->number * 1000 + i)
            c->wrong++;
    }
    return NULL;
}

static void test_many_threads_call(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT a = tree_local();
    MITO_AUTO_CONTEXT b = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = a);
    struct calling c[12];
    pthread_t threads[12];

    for (int i = 0; i < 12; i++) {
        c[i] = (struct calling){.context = {a, b, below}, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, &c[i]), 0);
    }
    for (int i = 0; i < 12; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(c[i].wrong, 0);
    }
}

/* --- descriptors ------------------------------------------------------------------------------
 */

static bool is_readable(int fd, int timeout)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_in_range(poll(&p, 1, timeout), 0, 1);
    return p.revents & POLLIN;
}

static void test_descriptor(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = mito_sender_to(rx);

    assert_int_equal(mito_send(tx, "i", 0), 0); /* before it is asked for */
    int fd = mito_receiver_fd(rx);
    assert_true(fd >= 0);
    assert_int_equal(mito_receiver_fd(rx), fd);
    assert_true(is_readable(fd, 0));
    assert_number(rx, 0);
    assert_false(is_readable(fd, 0));
    for (int round = 0; round < 50; round++) {
        assert_int_equal(mito_call_no_reply(child, &send_numbers, "riib", rx, 5, 3, false), 0);
        assert_true(is_readable(fd, PATIENCE));
        assert_true(is_readable(fd, 0)); /* looking takes nothing away */
        for (int i = 0; i < 3; i++) {
            assert_true(is_readable(fd, PATIENCE));
            struct mito_message *m = mito_receive(rx, 0);
            assert_non_null(m);
            mito_message_free(m);
        }
        assert_false(is_readable(fd, 0));
        assert_null(mito_receive(rx, 0));
        assert_false(is_readable(fd, 0));
    }
    /* Messages that a waiting thread takes at once. */
    assert_int_equal(mito_call_no_reply(child, &send_numbers, "riib", rx, 5, 1, false), 0);
    assert_number(rx, 5);
    assert_false(is_readable(fd, 0));
    assert_int_equal(mito_sender_close(tx), 0);
    assert_true(is_readable(fd, 0));
    tree_receive_error(rx, MITO_E_CLOSED);
    assert_true(is_readable(fd, 0)); /* it does not block any more, ever */
}

/* --- channels ---------------------------------------------------------------------------------
 */

/* (sender): opens a channel to it, says where it listens, then doubles what comes until its end */
MITO_FUNCTION(double_on_channel)
{
    struct mito_sender *to = NULL;
    struct mito_receiver *rx = mito_receiver_new(mito_call_router(call));
    struct mito_message *m;
    int64_t number;

    if (rx == NULL || mito_args(call, "t", &to) < 0)
        return -1;
    struct mito_channel *channel = mito_channel_new(rx, to);
    if (mito_channel_send(channel, "r", mito_channel_receiver(channel)) < 0)
        return -1;
    while ((m = mito_channel_receive(channel, MITO_FOREVER)) != NULL) {
        if (mito_message_read(m, "i", &number) == 0)
            mito_channel_send(channel, "i", 2 * number);
        mito_message_free(m);
    }
    int code = mito_error_code();
    mito_channel_free(channel); /* closes it */
    return mito_return(call, "i", code);
}

static void test_channel(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT child = tree_local();
    MITO_AUTO_RECEIVER answers = mito_receiver_new(tree);
    struct mito_receiver *rx = mito_receiver_new(tree);
    struct mito_sender *tx = NULL;

    assert_int_equal(mito_call_async(child, &double_on_channel, answers, NULL, "r", rx), 0);
    struct mito_message *m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, "t", &tx), 0);
    mito_message_free(m);
    struct mito_channel *channel = mito_channel_new(rx, tx);
    assert_ptr_equal(mito_channel_sender(channel), tx);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(mito_channel_send(channel, "i", i), 0);
        m = mito_channel_receive(channel, PATIENCE);
        assert_non_null(m);
        assert_int_equal(number_of(m), 2 * i);
        mito_message_free(m);
    }
    assert_null(mito_channel_receive(channel, 0));
    assert_error(MITO_E_TIMEOUT, "");
    struct mito_select *select = mito_select_new(tree); /* a channel in one: its receiver */
    assert_int_equal(mito_select_add(select, mito_channel_receiver(channel)), 0);
    assert_int_equal(mito_channel_send(channel, "i", 7), 0);
    assert_ptr_equal(mito_select_wait(select, PATIENCE), rx);
    m = mito_channel_receive(channel, 0);
    assert_int_equal(number_of(m), 14);
    mito_message_free(m);
    mito_select_free(select);
    assert_int_equal(mito_channel_close(channel), 0);
    assert_null(mito_channel_receive(channel, PATIENCE)); /* the other one closes in turn */
    assert_error(MITO_E_CLOSED, "");
    mito_channel_free(channel);
    mito_channel_free(NULL);
    m = tree_receive(answers);
    assert_int_equal(number_of(m), MITO_E_CLOSED);
    mito_message_free(m);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_until_closed),
        TREE_TEST(test_timeouts),
        TREE_TEST(test_reading),
        TREE_TEST(test_siblings),
        TREE_TEST(test_parent_receives_from_grandchild),
        TREE_TEST(test_own_process),
        TREE_TEST(test_request_from_a_child),
        TREE_TEST(test_requests_with_tags),
        TREE_TEST(test_request_to_a_freed_receiver),
        TREE_TEST(test_free_wakes_who_waits),
        TREE_TEST(test_free_while_others_send),
        TREE_TEST(test_overflow),
        TREE_TEST(test_many_messages),
        TREE_TEST(test_senders_wait),
        TREE_TEST(test_messages_on_their_way_are_refused),
        TREE_TEST(test_several_threads_receive),
        TREE_TEST(test_many_threads_call),
        TREE_TEST(test_descriptor),
        TREE_TEST(test_channel),
    };
    return cmocka_run_group_tests_name("receivers", tests, NULL, NULL);
}
