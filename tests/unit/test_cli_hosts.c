/* Lists of hosts: expanding ranges, files, folding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../src/cli/bytes.c"
#include "../../src/cli/complaint.c"
#include "../../src/cli/fold.c"
#include "../../src/cli/gather.c"
#include "../../src/cli/hosts.c"
#include "../../src/cli/memory.c"
#include "../../src/cli/printable.c"

/* The expansion with blanks between the names, or "! complaint". From malloc(). */
static char *expand(const char *list)
{
    struct names names = {0};
    struct complaint why = {""};
    struct bytes out = {0};
    if (hosts_expand_list(&names, list, &why) < 0) {
        bytes_add_text(&out, "! ");
        bytes_add_text(&out, why.text);
    } else {
        for (size_t i = 0; i < names.count; i++) {
            bytes_add_text(&out, i > 0 ? " " : "");
            bytes_add_text(&out, names.items[i]);
        }
    }
    names_free(&names);
    return bytes_take_text(&out);
}

static void check(const char *list, const char *expected)
{
    char *got = expand(list);
    assert_string_equal(got, expected);
    free(got);
}

static void test_lists(void **state)
{
    (void)state;
    check("", "");
    check(" , ,\t\n", "");
    check("a", "a");
    check("a,b c\td\n", "a b c d");
    check("a,a", "a a");
    check("admin@bastion?port=2222/db1,b", "admin@bastion?port=2222/db1 b");
}

static void test_ranges(void **state)
{
    (void)state;
    check("web[1-3]", "web1 web2 web3");
    check("web[01-03]", "web01 web02 web03");
    check("web[08-11,30]x", "web08x web09x web10x web11x web30x");
    check("web[9-11]", "web9 web10 web11");
    check("web[098-100]", "web098 web099 web100");
    check("web[08-10,7,007]", "web08 web09 web10 web7 web007");
    check("web[5]", "web5");
    check("web[0-0]", "web0");
    check("[1-2]", "1 2");
    check("r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2");
    check("a[1-2],b[1,2] c", "a1 a2 b1 b2 c");
    check("h?port=[2201-2202]", "h?port=2201 h?port=2202");
}

static void test_padding_beyond_width(void **state)
{
    (void)state;
    check("w[98-101]", "w98 w99 w100 w101");
    check("w[08-10]", "w08 w09 w10");
    char *all = expand("w[09-100]");
    assert_non_null(strstr(all, "w09 w10 w11"));
    assert_non_null(strstr(all, "w99 w100"));
    free(all);
}

static void test_addresses(void **state)
{
    (void)state;
    check("[2001:db8::1]:22", "[2001:db8::1]:22");
    check("root@[::1],[fe80::1%eth0]:22", "root@[::1] [fe80::1%eth0]:22");
    check("10.0.0.[1-2]", "10.0.0.1 10.0.0.2");
    check("2001:db8::[1-2]", "2001:db8::1 2001:db8::2");
}

static void test_bad_ranges(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "w[]",
        "w[a]",
        "w[1-]",
        "w[-1]",
        "w[3-1]",
        "w[1,]",
        "w[,1]",
        "w[1--2]",
        "w[1x]",
        "w[1-2x]",
        "w[01-3]x",
        "w[1-03]",
        "w[1 -2]",
        "w[1;2]",
        "w[[1]",
        "w[1-2-3]",
        "w[1.5]",
        "w[+1]",
        "w[0000000000000000001]",
        "w[1-1000000000000000000]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *got = expand(bad[i]);
        if (strncmp(got, "! bad range '[", 14) != 0)
            fail_msg("%s gave: %s", bad[i], got);
        free(got);
    }
    check("w[1-2", "! '[' without ']' in 'w[1-2'");
    check("w1]", "! ']' without '[' in 'w1]'");
    check("w[1-2]]", "! ']' without '[' in 'w[1-2]]'");
}

static void test_too_many(void **state)
{
    (void)state;
    struct names names = {0};
    struct complaint why;
    assert_int_equal(hosts_expand_list(&names, "w[1-100000]", &why), 0);
    assert_int_equal(names.count, HOSTS_MAX);
    assert_string_equal(names.items[99999], "w100000");
    assert_int_equal(hosts_expand_list(&names, "one", &why), -1);
    assert_string_equal(why.text, "more than 100000 hosts");
    names_free(&names);

    check("w[1-100001]", "! more than 100000 hosts");
    check("w[0-999999999999999999]", "! more than 100000 hosts");
    check("a[1-1000]b[1-1000]c[1-1000]d[1-1000]e[1-1000]f[1-1000]g[1-1000]",
          "! more than 100000 hosts");
    check("w[0-999999999999999999,0-999999999999999999,0-999999999999999999]",
          "! more than 100000 hosts");
}

static void test_long_patterns(void **state)
{
    (void)state;
    char text[HOSTS_PATTERN_MAX + 2];
    memset(text, 'x', sizeof text);
    text[HOSTS_PATTERN_MAX] = '\0';
    check(text, text);
    text[HOSTS_PATTERN_MAX] = 'x';
    text[HOSTS_PATTERN_MAX + 1] = '\0';
    check(text, "! host of more than 1024 bytes");
    check("[1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1]", "1111111111111111");
    char *got = expand("[1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1]");
    assert_memory_equal(got, "! more than 16 ranges", 21);
    free(got);
    /* As many intervals as fit into a pattern. */
    struct bytes many = {0};
    bytes_add_text(&many, "[1");
    while (many.length + 3 <= HOSTS_PATTERN_MAX)
        bytes_add_text(&many, ",1");
    bytes_add_text(&many, "]");
    char *pattern = bytes_take_text(&many);
    got = expand(pattern);
    assert_int_equal(strlen(got), 2 * 511 - 1);
    free(got);
    free(pattern);
}

/* ------------------------------------------------------------------------------------------- */

static FILE *file_of(const char *text, size_t length)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    rewind(file);
    return file;
}

static void check_file(const char *text, size_t length, const char *expected)
{
    struct names names = {0};
    struct complaint why = {""};
    FILE *file = file_of(text, length);
    int result = hosts_expand_file(&names, file, "F", &why);
    char *folded = hosts_fold((const char *const *)names.items, names.count);
    assert_string_equal(result < 0 ? why.text : folded, expected);
    free(folded);
    names_free(&names);
    fclose(file);
}
#define CHECK_FILE(text, expected) check_file(text, sizeof text - 1, expected)

static void test_files(void **state)
{
    (void)state;
    CHECK_FILE("", "");
    CHECK_FILE("a\nb", "a,b");
    CHECK_FILE("# all\n\n  web[1-3]  # the front\r\n\tdb1,db2\n#end", "db[1-2],web[1-3]");
    CHECK_FILE("a#b\n", "a#b");
    CHECK_FILE("a\n\nw[\n", "F:3: '[' without ']' in 'w['");
    CHECK_FILE("a\0b\n", "F:1: a NUL byte");
}

static void test_unreadable_files(void **state)
{
    (void)state;
    struct names names = {0};
    struct complaint why = {""};
    assert_int_equal(hosts_expand_path(&names, "/nonexistent/hosts", &why), -1);
    assert_string_equal(why.text, "cannot read /nonexistent/hosts: No such file or directory");
    assert_int_equal(hosts_expand_path(&names, "/", &why), -1);
    assert_string_equal(why.text, "/:1: cannot read: Is a directory");
    assert_int_equal(hosts_expand_path(&names, "/dev/zero", &why), -1);
    names_free(&names);
}

static void test_long_line(void **state)
{
    (void)state;
    size_t length = (1 << 16) + 1;
    char *text = memory_resize(NULL, length, 1);
    memset(text, ' ', length);
    check_file(text, length - 1, "");
    check_file(text, length, "F:1: a line of more than 65536 bytes");
    free(text);
}

/* ------------------------------------------------------------------------------------------- */

static void check_fold(const char *list, const char *expected)
{
    struct names names = {0};
    struct complaint why;
    assert_int_equal(hosts_expand_list(&names, list, &why), 0);
    char *folded = hosts_fold((const char *const *)names.items, names.count);
    assert_string_equal(folded, expected);
    free(folded);
    names_free(&names);
}

static void test_folding(void **state)
{
    (void)state;
    check_fold("", "");
    check_fold("web", "web");
    check_fold("web1", "web1");
    check_fold("web2,web1", "web[1-2]");
    check_fold("web03,web01,web02,web07", "web[01-03,07]");
    check_fold("web8,web9,web10,web11", "web[8-11]");
    check_fold("web08,web09,web10", "web[08-10]");
    check_fold("web98,web99,web100", "web[98-100]");
    check_fold("web1,web01", "web[1,01]");
    check_fold("b,a,b,a1,a1", "a,a1,b");
    check_fold("r1n1,r1n2,r2n1,r2n2", "r[1-2]n[1-2]");
    check_fold("r1n1,r1n2,r2n1", "r1n[1-2],r2n1");
    check_fold("10.0.0.1,10.0.0.2,10.0.1.1,10.0.1.2", "10.0.[0-1].[1-2]");
    check_fold("web1a,web2a,web1b", "web[1-2]a,web1b");
    check_fold("w[1-3,5,7-8]", "w[1-3,5,7-8]");
    check_fold("w12345678901234567890", "w12345678901234567890");
    check_fold("[::1]:22,[::1]:23", "[::1]:22,[::1]:23");
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once, with blanks between. */
static char *normal(struct names *names)
{
    struct bytes out = {0};
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, compare_texts);
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0 && strcmp(names->items[i], names->items[i - 1]) == 0)
            continue;
        bytes_add_text(&out, names->items[i]);
        bytes_add_char(&out, ' ');
    }
    return bytes_take_text(&out);
}

/* Whatever is folded, expanding it gives the same set of names. */
static void test_fold_and_back(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        struct names names = {0}, again = {0};
        struct complaint why = {""};
        int count = rand_r(&seed) % 40;
        for (int i = 0; i < count; i++) {
            char name[64];
            int length =
                snprintf(name, sizeof name, "%c%0*d%s%0*d", 'a' + rand_r(&seed) % 2,
                         rand_r(&seed) % 4, rand_r(&seed) % 15, rand_r(&seed) % 2 ? "-" : "n",
                         rand_r(&seed) % 3, 90 + rand_r(&seed) % 20);
            names_add(&names, name, (size_t)length);
        }
        char *folded = hosts_fold((const char *const *)names.items, names.count);
        assert_int_equal(hosts_expand_list(&again, folded, &why), 0);
        char *before = normal(&names), *after = normal(&again);
        assert_string_equal(before, after);
        free(before);
        free(after);
        free(folded);
        names_free(&names);
        names_free(&again);
    }
}

/* ------------------------------------------------------------------------------------------- */

static void add_group(void *arg, const struct gathered *group, const char *hosts)
{
    bytes_add_text(arg, hosts);
    bytes_add_text(arg, "=");
    bytes_add(arg, group->text.data, group->text.length);
    bytes_add_text(arg, ";");
}

static void gather(struct gather *g, const char *host, size_t index, const char *text)
{
    struct bytes bytes = {0};
    bytes_add_text(&bytes, text);
    gather_add(g, host, index, &bytes);
    assert_null(bytes.data);
}

static void test_gathering(void **state)
{
    (void)state;
    struct gather g = {0};
    struct bytes out = {0};
    gather(&g, "w3", 3, "same");
    gather(&g, "w2", 2, "other");
    gather(&g, "w4", 4, "same\n");
    gather(&g, "w1", 1, "same");
    struct bytes nothing = {0};
    gather_add(&g, "w5", 5, &nothing);
    gather_each(&g, add_group, &out);
    char *text = bytes_take_text(&out);
    assert_string_equal(text, "w[1,3]=same;w2=other;w4=same\n;");
    assert_int_equal(g.distinct, 3);
    free(text);
    gather_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_padding_beyond_width),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_bad_ranges),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_long_patterns),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_unreadable_files),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_folding),
        cmocka_unit_test(test_fold_and_back),
        cmocka_unit_test(test_gathering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
