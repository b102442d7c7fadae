/* What a child is told on its command line: comes back as it was; nothing malformed is taken. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "child/config.h"

static void check_round_trip(const struct child_config *c)
{
    AUTO_BUF b = {0};
    struct child_config back;
    const struct router_config *r = &c->router, *q = &back.router;

    assert_int_equal(child_config_encode(&b, c), 0);
    for (size_t i = 0; i < b.length; i++) { /* one word for any shell */
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/+-=,%",
                   b.data[i]) == NULL)
            fail_msg("a shell may touch \\x%02x", b.data[i]);
    }
    assert_int_equal(buf_byte(&b, 0), 0);
    assert_int_equal(child_config_parse(&back, (const char *)b.data), 0);
    assert_int_equal(q->id, r->id);
    assert_int_equal(q->max_message_size, r->max_message_size);
    assert_int_equal(q->queue_limit, r->queue_limit);
    assert_int_equal(q->log_level, r->log_level);
    assert_int_equal(q->unidirectional, r->unidirectional);
    assert_int_equal(q->ids.first, r->ids.first);
    assert_int_equal(q->ids.last, r->ids.last);
    assert_int_equal(q->netem.delay_us, r->netem.delay_us);
    assert_int_equal(q->netem.rate_bits, r->netem.rate_bits);
    assert_int_equal(q->parent_count, r->parent_count);
    assert_memory_equal(q->parent_ids, r->parent_ids, r->parent_count * sizeof *r->parent_ids);
    assert_string_equal(back.title, c->title);
    assert_string_equal(back.name, c->name);
    assert_int_equal(back.enter.pid, c->enter.pid);
    assert_string_equal(back.enter.kind, c->enter.kind);
    assert_string_equal(back.enter.container, c->enter.container);
    assert_string_equal(back.enter.tool, c->enter.tool);
    assert_string_equal(back.enter.username, c->enter.username);
    free(back.router.parent_ids);
}

static void test_round_trip(void **state)
{
    (void)state;
    uint32_t parents[] = {7, 0, UINT32_MAX};
    struct child_config c = {
        .router = {.id = 9,
                   .parent_ids = parents,
                   .parent_count = 1,
                   .max_message_size = 128 << 20,
                   .queue_limit = 1 << 20,
                   .log_level = MITO_INFO,
                   .ids = {1000, 2000}},
        .title = "mitosis:user@host:123",
        .name = "ssh.db1",
    };
    check_round_trip(&c);
    c.enter = (struct enter){.pid = 12};
    check_round_trip(&c);
    c.enter =
        (struct enter){.kind = "docker", .container = "a b,'c=", .tool = "/x y", .username = "u"};
    check_round_trip(&c);
    c.enter = (struct enter){.pid = 0};
    c.router.parent_count = 3;
    c.router.unidirectional = true;
    c.router.log_level = MITO_IO;
    c.router.id = UINT32_MAX;
    c.router.max_message_size = UINT32_MAX;
    c.router.queue_limit = SIZE_MAX / 2;
    c.router.ids.first = c.router.ids.last = UINT32_MAX;
    c.router.netem.delay_us = 100000000000000;
    c.router.netem.rate_bits = 100000000000000000;
    strcpy(c.title, "it's \"a\" $title\\, with = and %41;\n`!`#~*?[]{}()<>|&\t\x1b\xc3\xa9\xff");
    memset(c.name, 'n', sizeof c.name - 1);
    check_round_trip(&c);
    memset(c.title, '\'', sizeof c.title - 1); /* escaped three times as long as it is kept */
    c.name[0] = '\0';
    check_round_trip(&c);
}

static void test_many_parents(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 5000; count = count * 3 + 1) {
        uint32_t *parents = calloc(count, sizeof *parents);
        assert_non_null(parents);
        for (size_t i = 0; i < count; i++)
            parents[i] = i % 3 == 0 ? (uint32_t)i % 10 : UINT32_MAX - (uint32_t)i;
        struct child_config c = {.router = {.id = 1,
                                            .parent_ids = parents,
                                            .parent_count = count,
                                            .max_message_size = 1,
                                            .queue_limit = 1}};
        check_round_trip(&c);
        free(parents);
    }
}

#define REST "max=100,queue=100,level=2,uni=0,first=1,last=2,delay=0,rate=0"

static void expect(const char *text, bool fine)
{
    struct child_config c;
    int rc = child_config_parse(&c, text);

    if ((rc == 0) != fine)
        fail_msg("\"%s\" was %s", text, rc == 0 ? "taken" : "refused");
    if (!fine) {
        assert_error(MITO_E_MALFORMED, "configuration");
        assert_null(c.router.parent_ids);
    } else {
        free(c.router.parent_ids);
    }
}

static void test_good_forms(void **state)
{
    (void)state;
    expect("id=1,parents=0," REST ",title=t,name=n", true);
    expect(REST ",name=,title=,parents=0,id=1", true);
    expect("id=1,parents=0," REST ",newer=7", true); /* what a newer parent says besides */
    expect("id=1,parents=3:2:1,parents=0," REST, true);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ",",
        "id",
        "=",
        REST,
        "id=1," REST,
        "parents=0," REST,
        "id=0,parents=0," REST,
        "id=,parents=0," REST,
        "id=x,parents=0," REST,
        "id=1x,parents=0," REST,
        "id=-1,parents=0," REST,
        "id= 1,parents=0," REST,
        "id=0x1,parents=0," REST,
        "id=1,id,parents=0," REST,
        "id=1,parents=," REST,
        "id=1,parents=:," REST,
        "id=1,parents=:1," REST,
        "id=1,parents=1::2," REST,
        "id=1,parents=1;2," REST,
        "id=1,parents=1:x," REST,
        "id=1,parents=-1," REST,
        "id=1,parents=4294967296," REST,
        "id=1,parents=99999999999999999999999," REST,
        "id=1,parents=0,parents=," REST,
        "id=1,parents=0," REST ",max=0",
        "id=1,parents=0," REST ",queue=0",
        "id=1,parents=0," REST ",first=3,last=2",
        "id=1,parents=0," REST ",title=%4",
        "id=1,parents=0," REST ",title=%zz",
        "id=1,parents=0," REST ",title=a%00b",
        "id=1,parents=0," REST ",name=%",
        "id=1,parents=0," REST ",newer=text",
    };
    for (size_t i = 0; i < LENGTH(bad); i++)
        expect(bad[i], false);
}

/* Numbers that do not fit are refused, not cut to something that looks fine. */
static void test_large_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "id=4294967297",
        "id=99999999999999999999999",
        "max=4294967297",
        "first=4294967296",
        "last=4294967298",
        "delay=9223372036854775808",
        "rate=99999999999999999999999",
        "level=99",
        "uni=2",
    };
    for (size_t i = 0; i < LENGTH(bad); i++) {
        char text[300];
        snprintf(text, sizeof text, "id=1,parents=0," REST ",%s", bad[i]);
        expect(text, false);
    }
}

static void test_long_texts(void **state)
{
    (void)state;
    char text[600], value[300];
    for (size_t length = 97; length <= 130; length++) {
        memset(value, 'x', length);
        value[length] = '\0';
        snprintf(text, sizeof text, "id=1,parents=0," REST ",name=%s", value);
        expect(text, length < sizeof((struct child_config *)0)->name);
        snprintf(text, sizeof text, "id=1,parents=0," REST ",title=%s", value);
        expect(text, length < sizeof((struct child_config *)0)->title);
    }
}

/* Every part of a good one, from the start: refused or taken, never read beyond. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char good[] = "id=12,parents=3:2:1," REST ",title=a%20b,name=%41b";
    for (size_t length = 0; length < sizeof good; length++) {
        struct child_config c;
        char *text = strndup(good, length);
        assert_non_null(text);
        if (child_config_parse(&c, text) == 0)
            free(c.router.parent_ids);
        else
            assert_null(c.router.parent_ids);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_many_parents),
        cmocka_unit_test(test_good_forms),    cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_large_numbers), cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_cut_anywhere),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
