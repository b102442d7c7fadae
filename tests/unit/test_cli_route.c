/* Routes: hops and their options, the plan of contexts that they make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../src/cli/bytes.c"
#include "../../src/cli/complaint.c"
#include "../../src/cli/hosts.c"
#include "../../src/cli/memory.c"
#include "../../src/cli/method.c"
#include "../../src/cli/number.c"
#include "../../src/cli/plan.c"
#include "../../src/cli/printable.c"
#include "../../src/cli/route.c"

/* What the methods were asked to open, as text. */
static struct bytes opened;

static void add_field(const char *name, const char *value)
{
    if (value == NULL)
        return;
    bytes_add_text(&opened, " ");
    bytes_add_text(&opened, name);
    bytes_add_text(&opened, "=");
    bytes_add_text(&opened, value);
}

static void add_number(const char *name, int value)
{
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    add_field(name, value != 0 ? text : NULL);
}

static void show_ssh(const struct mito_ssh_options *options)
{
    add_field("hostname", options->hostname);
    add_field("username", options->username);
    add_number("port", options->port);
    add_field("identity_file", options->identity_file);
    add_number("check_host_keys", (int)options->check_host_keys);
    add_field("ssh_path", options->ssh_path);
    for (const char *const *arg = options->ssh_args; arg != NULL && *arg != NULL; arg++)
        add_field("arg", *arg);
}

/* In place of the library's. */
int mito_connect_async_(struct mito_router *router, struct mito_receiver *rx, void *tag,
                        const char *method, const void *options)
{
    const struct mito_local_options *common = options;
    (void)router, (void)rx, (void)tag;
    bytes_add_text(&opened, method);
    add_field("via", (const char *)common->via);
    add_field("remote_name", common->remote_name);
    add_number("connect_timeout", common->connect_timeout);
    if (strcmp(method, "ssh") == 0)
        show_ssh(options);
    return strcmp(method, "ssh") == 0 ? 8 : 7;
}

/* What the hop opens, or "! complaint". From malloc(). */
static char *open_hop(const char *text)
{
    struct complaint why = {""};
    struct hop *hop = hop_parse(text, strlen(text), &why);
    if (hop == NULL)
        return memory_printf("! %s", why.text);
    assert_int_equal(hop_open(hop, NULL, NULL, NULL, NULL), hop->method->name[0] == 'l' ? 7 : 8);
    hop_free(hop);
    return bytes_take_text(&opened);
}

static void check_hop(const char *text, const char *expected)
{
    char *got = open_hop(text);
    assert_string_equal(got, expected);
    free(got);
}

static void test_ssh_targets(void **state)
{
    (void)state;
    check_hop("web", "ssh hostname=web");
    check_hop("ssh:web", "ssh hostname=web");
    check_hop("admin@web", "ssh hostname=web username=admin");
    check_hop("ssh:admin@web:2222", "ssh hostname=web username=admin port=2222");
    check_hop("web:22", "ssh hostname=web port=22");
    check_hop("u@dom.ain@web", "ssh hostname=web username=u@dom.ain");
    check_hop("[2001:db8::1]", "ssh hostname=2001:db8::1");
    check_hop("[2001:db8::1]:22", "ssh hostname=2001:db8::1 port=22");
    check_hop("u@[::1]:22", "ssh hostname=::1 username=u port=22");
    check_hop("ssh:u@[fe80::1%eth0]:22", "ssh hostname=fe80::1%eth0 username=u port=22");
    check_hop("2001:db8::1", "ssh hostname=2001:db8::1");
    check_hop("::1", "ssh hostname=::1");
    check_hop("fe80::1%eth0", "ssh hostname=fe80::1%eth0");
    check_hop("ssh:local", "ssh hostname=local");
    check_hop("local", "ssh hostname=local");
    check_hop("h\xc3\xb6st", "ssh hostname=h\xc3\xb6st");
}

static void test_local_targets(void **state)
{
    (void)state;
    check_hop("local:", "local");
    check_hop("local:any name?", "! blank in name 'any name'");
    check_hop("local:-x", "! name '-x' starts with '-'");
    check_hop("local:?remote_name=r&connect_timeout=1.5",
              "local remote_name=r connect_timeout=1500");
}

static void test_ssh_options(void **state)
{
    (void)state;
    check_hop("web?port=2222&identity_file=%2Fhome%2fu%20x%2Fid&check_host_keys=accept"
              "&ssh_path=%2Fbin%2Fssh&connect_timeout=7&username=u&remote_name=me"
              "&ssh_arg=-oProxyCommand%3Dsshd%20-i&ssh_arg=-v",
              "ssh remote_name=me connect_timeout=7000 hostname=web username=u port=2222"
              " identity_file=/home/u x/id check_host_keys=1 ssh_path=/bin/ssh"
              " arg=-oProxyCommand=sshd -i arg=-v");
    check_hop("web?check_host_keys=ignore", "ssh hostname=web check_host_keys=2");
    check_hop("web?check_host_keys=enforce", "ssh hostname=web");
    check_hop("web?ssh_arg=a=b", "ssh hostname=web arg=a=b");
}

static void test_bad_targets(void **state)
{
    (void)state;
    check_hop("ssh:", "! empty host name");
    check_hop("u@", "! empty host name");
    check_hop("@web", "! empty user name");
    check_hop("-oProxyCommand=x", "! host name '-oProxyCommand=x' starts with '-'");
    check_hop("u@-web", "! host name '-web' starts with '-'");
    check_hop("-l@web", "! user name '-l' starts with '-'");
    check_hop("[-web]", "! bad address '[-web]'");
    check_hop("we b", "! blank in host name 'we b'");
    check_hop("u x@web", "! blank in user name 'u x'");
    check_hop("we\tb", "! control character in host name");
    check_hop("we\x1b[31mb", "! control character in host name");
    check_hop("we\xc2\x9b"
              "b",
              "! control character in host name");
    check_hop("we\xff", "! host name is not UTF-8");
    check_hop("web:", "! bad port ''");
    check_hop("web:0", "! bad port '0'");
    check_hop("web:65536", "! bad port '65536'");
    check_hop("ssh:web:x", "! bad port 'x'");
    check_hop("u@web:x", "! bad port 'x'");
    check_hop("[::1", "! bad address '[::1'");
    check_hop("[:1]:22", "! bad address '[:1]'");
    check_hop("2001:db8:::1", "! bad address '2001:db8:::1'");
    check_hop("[::1]x", "! bad address '[::1]x'");
    check_hop("[::1]:", "! bad port ''");
    check_hop("[::1]::22", "! bad port ':22'");
    check_hop("ssh:a:b:c:x", "! bad address 'a:b:c:x'");
    check_hop("docker:c1", "! unknown method 'docker'");
    check_hop("SSH:web", "! unknown method 'SSH'");
    check_hop("ssh2:web:22", "! unknown method 'ssh2'");
}

static void test_bad_options(void **state)
{
    (void)state;
    check_hop("web?", "! option '' needs a value");
    check_hop("web?port", "! option 'port' needs a value");
    check_hop("web?port=", "! empty port");
    check_hop("web?port=22&", "! option '' needs a value");
    check_hop("web?colour=red", "! method ssh has no option 'colour'");
    check_hop("local:?port=22", "! method local has no option 'port'");
    check_hop("web?port=0", "! bad port '0'");
    check_hop("web?port=22x", "! bad port '22x'");
    check_hop("web?port=-1", "! bad port '-1'");
    check_hop("web?port=99999999999999999999", "! bad port '99999999999999999999'");
    check_hop("web:22?port=22", "! port is given twice");
    check_hop("u@web?username=v", "! username is given twice");
    check_hop("web?ssh_path=a&ssh_path=b", "! ssh_path is given twice");
    check_hop("web?connect_timeout=0", "! connect_timeout: bad number of seconds '0'");
    check_hop("web?connect_timeout=nan", "! connect_timeout: bad number of seconds 'nan'");
    check_hop("web?connect_timeout=1e9", "! connect_timeout: bad number of seconds '1e9'");
    check_hop("web?check_host_keys=no", "! check_host_keys is enforce, accept or ignore, not 'no'");
    check_hop("web?username=-l", "! username '-l' starts with '-'");
    check_hop("web?identity_file=a%", "! '%' must start a byte in hex, as in %2F");
    check_hop("web?identity_file=a%2", "! '%' must start a byte in hex, as in %2F");
    check_hop("web?identity_file=%zz", "! '%' must start a byte in hex, as in %2F");
    check_hop("web?identity_file=%00", "! '%' must start a byte in hex, as in %2F");
    check_hop("web?identity_file=a%0Ab", "! control character in identity_file");
    check_hop("web?identity_file=a%ff", "! identity_file is not UTF-8");
}

static void test_keys(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"web", "ssh:web"},
        {"u@web:22", "ssh:web?port=22&username=u"},
        {"web?port=22&username=u", "web?username=u&port=22"},
        {"[::1]:22", "::1?port=22"},
        {"web?check_host_keys=enforce", "web"},
        {"web?ssh_path=%2Fx%20y", "web?ssh_path=%2fx y"},
        {"local:", "local:local"},
    };
    static const char *const different[][2] = {
        {"web", "web2"},
        {"web", "web?port=22"},
        {"ssh:local", "local:"},
        {"local:a", "local:b"},
        {"web?ssh_arg=a&ssh_arg=b", "web?ssh_arg=b&ssh_arg=a"},
        {"web?ssh_arg=a%26ssh_arg%3Db", "web?ssh_arg=a&ssh_arg=b"},
        {"web?check_host_keys=accept", "web?check_host_keys=ignore"},
    };
    struct complaint why;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct hop *a = hop_parse(same[i][0], strlen(same[i][0]), &why);
        struct hop *b = hop_parse(same[i][1], strlen(same[i][1]), &why);
        assert_string_equal(a->key, b->key);
        hop_free(b);
        b = hop_parse(a->key, strlen(a->key), &why); /* a key can be read back */
        assert_string_equal(a->key, b->key);
        hop_free(a);
        hop_free(b);
    }
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        struct hop *a = hop_parse(different[i][0], strlen(different[i][0]), &why);
        struct hop *b = hop_parse(different[i][1], strlen(different[i][1]), &why);
        assert_string_not_equal(a->key, b->key);
        hop_free(a);
        hop_free(b);
    }
}

/* ------------------------------------------------------------------------------------------- */

static void check_route(const char *text, const char *expected)
{
    struct route route;
    struct complaint why = {""};
    struct bytes out = {0};
    if (route_parse(&route, text, &why) < 0) {
        bytes_add_text(&out, why.text);
    } else {
        for (size_t i = 0; i < route.count; i++) {
            bytes_add_text(&out, i > 0 ? " " : "");
            bytes_add_text(&out, route.hops[i]->key);
        }
        route_free(&route);
    }
    char *got = bytes_take_text(&out);
    assert_string_equal(got, expected);
    free(got);
}

static void test_routes(void **state)
{
    (void)state;
    check_route("web", "ssh:web");
    check_route("ssh:admin@bastion?port=2222/ssh:db1",
                "ssh:bastion?username=admin&port=2222 ssh:db1");
    check_route("a/local:/[::1]:22", "ssh:a local:local ssh:::1?port=22");
    check_route("a?identity_file=%2Fk/b", "ssh:a?identity_file=%2Fk ssh:b");
    check_route("", "bad route '': empty hop");
    check_route("/a", "bad route '/a': empty hop");
    check_route("a/", "bad route 'a/': empty hop");
    check_route("a//b", "bad route 'a//b': empty hop");
    check_route("a/b?x=y/c", "bad route 'a/b?x=y/c': method ssh has no option 'x'");
    check_route(
        "1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2",
        "ssh:1 ssh:2 ssh:3 ssh:4 ssh:5 ssh:6 ssh:7 ssh:8 ssh:9 ssh:0 ssh:1 ssh:2 ssh:3 ssh:4 "
        "ssh:5 ssh:6 ssh:7 ssh:8 ssh:9 ssh:0 ssh:1 ssh:2 ssh:3 ssh:4 ssh:5 ssh:6 ssh:7 ssh:8 "
        "ssh:9 ssh:0 ssh:1 ssh:2");
    check_route("1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3",
                "bad route '1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3': "
                "more than 32 hops");
}

/* ------------------------------------------------------------------------------------------- */

/* Every node as "depth:label(unfinished)", targets with a '*'. */
static char *plan_text(const struct plan *plan)
{
    struct bytes out = {0};
    for (struct node *node = NULL; (node = plan_next(plan, node)) != NULL;) {
        int depth = 0;
        for (const struct node *up = node->parent; up != NULL; up = up->parent)
            depth++;
        char *text = memory_printf("%s%d:%s%s(%zu)", out.length > 0 ? " " : "", depth, node->label,
                                   node->is_target ? "*" : "", node->unfinished);
        bytes_add_text(&out, text);
        free(text);
    }
    return bytes_take_text(&out);
}

static void add(struct plan *plan, const char *text)
{
    struct complaint why;
    assert_int_equal(plan_add(plan, text, &why), 0);
}

static void check_plan(struct plan *plan, const char *expected)
{
    plan_set_labels(plan);
    char *got = plan_text(plan);
    assert_string_equal(got, expected);
    free(got);
    plan_free(plan);
}

static void test_shared_prefixes(void **state)
{
    (void)state;
    struct plan plan = {0};
    add(&plan, "b/db1");
    add(&plan, "ssh:b/db2");
    add(&plan, "b/db1/local:x");
    add(&plan, "b/db2"); /* again */
    add(&plan, "u@b/db3");
    add(&plan, "c");
    assert_int_equal(plan.target_count, 5);
    assert_int_equal(plan.node_count, 7);
    check_plan(&plan, "0:b(3) 1:db1*(2) 2:x*(1) 1:db2*(1) 0:b(1) 1:db3*(1) 0:c*(1)");
}

static void test_prefix_that_is_a_target(void **state)
{
    (void)state;
    struct plan plan = {0};
    add(&plan, "b/db1");
    add(&plan, "b");
    check_plan(&plan, "0:b*(2) 1:db1*(1)");
}

static void test_via(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct complaint why;
    assert_int_equal(plan_via(&plan, "gate/b", &why), 0);
    add(&plan, "db1");
    add(&plan, "local:x");
    check_plan(&plan, "0:gate(2) 1:b(2) 2:db1*(1) 2:x*(1)");

    assert_int_equal(plan_via(&plan, "b[1-2]", &why), -1);
    assert_string_equal(why.text, "--via takes one route, not 'b[1-2]'");
    assert_int_equal(plan_via(&plan, "", &why), -1);
    assert_int_equal(plan_via(&plan, "b//c", &why), -1);
    plan_free(&plan);
}

static void test_labels_that_differ(void **state)
{
    (void)state;
    struct plan plan = {0};
    add(&plan, "web:1");
    add(&plan, "web:2");
    add(&plan, "b/web");
    add(&plan, "db");
    check_plan(&plan,
               "0:ssh:web?port=1*(1) 0:ssh:web?port=2*(1) 0:b(1) 1:ssh:b/ssh:web*(1) 0:db*(1)");
}

static void test_large_plan(void **state)
{
    (void)state;
    struct plan plan = {0};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20000; i++) {
            char text[64];
            snprintf(text, sizeof text, "b%d/db%d", i % 10, i);
            add(&plan, text);
        }
    }
    assert_int_equal(plan.target_count, 20000);
    assert_int_equal(plan.node_count, 20010);
    plan_set_labels(&plan);
    assert_string_equal(plan.targets[19999]->label, "db19999");
    assert_int_equal(plan.first->unfinished, 2000);
    size_t below = 0;
    for (struct node *node = plan.first; (node = node_next(plan.first, node)) != NULL;)
        below++;
    assert_int_equal(below, 2000);
    plan_free(&plan);
}

static void test_seconds(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_true(seconds_parse("5", &ms) && ms == 5000);
    assert_true(seconds_parse("0.25", &ms) && ms == 250);
    assert_true(seconds_parse("1.0009", &ms) && ms == 1000);
    assert_true(seconds_parse("2000000", &ms) && ms == 2000000000);
    static const char *const bad[] = {
        "",    "0",   "0.0", ".",       ".5",     "5.", "-1", "+1",
        "1e3", "1,5", "inf", "2000001", "0.0001", " 1", "1 ", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (seconds_parse(bad[i], &ms))
            fail_msg("'%s' was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ssh_targets),
        cmocka_unit_test(test_local_targets),
        cmocka_unit_test(test_ssh_options),
        cmocka_unit_test(test_bad_targets),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_shared_prefixes),
        cmocka_unit_test(test_prefix_that_is_a_target),
        cmocka_unit_test(test_via),
        cmocka_unit_test(test_labels_that_differ),
        cmocka_unit_test(test_large_plan),
        cmocka_unit_test(test_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
