/* The slow link: its text, and what it does to messages: order, delay, rate, the end last. */
#include "cmocka_all.h"

#include "eventually.h"
#include "io/netem.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t delay_us, rate_bits;
    } good[] = {
        {NULL, 0, 0},
        {"", 0, 0},
        {"  ", 0, 0},
        {"delay 250ms", 250000, 0},
        {"delay 7us", 7, 0},
        {"delay 2s", 2000000, 0},
        {"delay 0ms", 0, 0},
        {"rate 10mbit", 0, 10000000},
        {"rate 9bit", 0, 9},
        {"rate 64kbit", 0, 64000},
        {"rate 1gbit", 0, 1000000000},
        {"delay 250ms rate 10mbit", 250000, 10000000},
        {"rate 10mbit delay 250ms", 250000, 10000000},
        {" delay  1ms,rate 1kbit ", 1000, 1000},
        {"delay 100000000s rate 100000000gbit", 100000000000000, 100000000000000000},
    };
    for (size_t i = 0; i < LENGTH(good); i++) {
        struct netem_config c = {-1, -1};
        assert_int_equal(netem_parse(&c, good[i].text), 0);
        assert_int_equal(c.delay_us, good[i].delay_us);
        assert_int_equal(c.rate_bits, good[i].rate_bits);
        assert_int_equal(netem_active(&c), good[i].delay_us > 0 || good[i].rate_bits > 0);
    }
}

static void test_parse_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "delay",        "rate",       "delay ms",           "delay 5",
        "delay 5 ms",   "delay 5m",   "delay -5ms",         "delay 5mbit",
        "rate 5ms",     "rate 5Mbit", "delay 5ms rate",     "loss 5%",
        "250ms",        "delay 5msx", "delay 100000001us",  "delay 99999999999999999999999us",
        "delay 1.5ms",  "delay5ms",   "delay 5ms 7ms",      "rate 10mbit/s",
        "delay 0x10ms", "delay +5ms", "rate 1mbit delay 1", "DELAY 5ms",
    };
    char long_text[300];
    struct netem_config c;
    for (size_t i = 0; i < LENGTH(bad); i++) {
        if (netem_parse(&c, bad[i]) == 0)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_error(MITO_E_INVALID, bad[i]);
    }
    memset(long_text, ' ', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(netem_parse(&c, long_text), -1);
    assert_error(MITO_E_INVALID, "too long");
}

/* --- behaviour ------------------------------------------------------------------------------ */

enum { MOST = 64 };

static struct broker broker;
static struct netem netem;
static struct {
    uint32_t number;
    int64_t at;
} came[MOST];
static size_t count;
static int ends;
static size_t count_at_end;
static int64_t end_at;

static void released(void *arg, struct message *m)
{
    (void)arg;
    if (m == NULL) {
        ends++;
        count_at_end = count;
        end_at = clock_ns();
        return;
    }
    if (count < MOST) {
        came[count].number = m->frame.handle;
        came[count].at = clock_ns();
    }
    count++;
    message_free(m);
}

static int start(void **state)
{
    (void)state;
    count = count_at_end = 0;
    ends = 0;
    return broker_open(&broker) == 0 ? broker_start(&broker) : -1;
}

static int end(void **state)
{
    (void)state;
    broker_lock(&broker);
    netem_clear(&netem);
    broker_unlock(&broker);
    broker_close(&broker);
    return 0;
}

static void open_link(int64_t delay_us, int64_t rate_bits)
{
    struct netem_config c = {.delay_us = delay_us, .rate_bits = rate_bits};

    broker_lock(&broker);
    netem_init(&netem, &broker, &c, released, NULL);
    broker_unlock(&broker);
}

static struct message *message(uint32_t number, uint32_t length)
{
    struct frame f = {.magic = FRAME_RAW, .handle = number, .length = length};
    struct message *m = message_new(&f);

    assert_non_null(m);
    m->filled = length;
    return m;
}

/* Returns when that was, ns. */
static int64_t hold(uint32_t number, uint32_t length)
{
    struct message *m = message(number, length);

    broker_lock(&broker);
    int64_t now = clock_ns();
    netem_hold(&netem, m);
    broker_unlock(&broker);
    return now;
}

static void test_delay(void **state)
{
    (void)state;
    int64_t sent[20];
    open_link(100000, 0);
    for (uint32_t i = 0; i < 20; i++) {
        sent[i] = hold(i, 1000);
        sleep_ms(2);
    }
    EVENTUALLY(&broker, count == 20);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(came[i].number, i);
        int64_t took = came[i].at - sent[i];
        /* Half of the round trip, and not as late as a machine that is not overloaded could be. */
        assert_true(took >= 50 * 1000000LL);
        assert_true(took < 10000 * 1000000LL);
    }
}

static void test_rate(void **state)
{
    (void)state;
    enum { PAYLOAD = 1000 - FRAME_HEADER_SIZE };
    open_link(0, 800000); /* 10 ms for each message */
    int64_t before = hold(0, PAYLOAD);
    for (uint32_t i = 1; i < 20; i++)
        hold(i, PAYLOAD);
    EVENTUALLY(&broker, count == 20);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(came[i].number, i);
        assert_true(came[i].at - before >= (i + 1) * 10 * 1000000LL);
    }
    assert_true(came[19].at - before < 20000 * 1000000LL);
    /* An idle link does not save up: the next one takes its time as well. */
    sleep_ms(50);
    before = hold(20, PAYLOAD);
    EVENTUALLY(&broker, count == 21);
    assert_true(came[20].at - before >= 10 * 1000000LL);
}

static void test_both(void **state)
{
    (void)state;
    open_link(60000, 800000);
    int64_t before = hold(0, 1000 - FRAME_HEADER_SIZE);
    hold(1, 1000 - FRAME_HEADER_SIZE);
    EVENTUALLY(&broker, count == 2);
    assert_true(came[0].at - before >= 40 * 1000000LL);
    assert_true(came[1].at - before >= 50 * 1000000LL);
}

static void end_link(void)
{
    broker_lock(&broker);
    netem_end(&netem);
    broker_unlock(&broker);
}

static void test_end_comes_last(void **state)
{
    (void)state;
    open_link(60000, 8000000);
    for (uint32_t i = 0; i < 30; i++)
        hold(i, 1000);
    end_link();
    EVENTUALLY(&broker, ends > 0);
    assert_int_equal(count_at_end, 30);
    sleep_ms(50);
    assert_int_equal(ends, 1);
    assert_int_equal(count, 30);
}

static void test_end_alone(void **state)
{
    (void)state;
    open_link(60000, 0);
    int64_t before = clock_ns();
    end_link();
    EVENTUALLY(&broker, ends > 0);
    assert_true(end_at - before >= 30 * 1000000LL);
    assert_int_equal(count, 0);
}

static void test_clear(void **state)
{
    (void)state;
    open_link(60000, 0);
    for (uint32_t i = 0; i < 30; i++)
        hold(i, 100000);
    end_link();
    broker_lock(&broker);
    netem_clear(&netem);
    assert_true(list_empty(&netem.held));
    broker_unlock(&broker);
    sleep_ms(100);
    broker_lock(&broker);
    assert_int_equal(count, 0);
    assert_int_equal(ends, 0);
    broker_unlock(&broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_bad),
        cmocka_unit_test_setup_teardown(test_delay, start, end),
        cmocka_unit_test_setup_teardown(test_rate, start, end),
        cmocka_unit_test_setup_teardown(test_both, start, end),
        cmocka_unit_test_setup_teardown(test_end_comes_last, start, end),
        cmocka_unit_test_setup_teardown(test_end_alone, start, end),
        cmocka_unit_test_setup_teardown(test_clear, start, end),
    };
    return cmocka_run_group_tests_name("netem", tests, NULL, NULL);
}
