/* Options structs: copied, pickled and loaded again; what is malformed is refused. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "base/buf.h"
#include "parent/method.h"
#include "wire/pickle.h"

static void expect_text(const char *is, const char *want)
{
    if (want == NULL)
        assert_null(is);
    else
        assert_string_equal(is, want);
}

static void expect_common(const void *options, const void *expected)
{
    const struct common_options *a = options, *b = expected;

    assert_null(a->via);
    expect_text(a->remote_name, b->remote_name);
    assert_int_equal(a->connect_timeout, b->connect_timeout);
    assert_int_equal(a->unidirectional, b->unidirectional);
    assert_int_equal(a->debug, b->debug);
}

static void expect_ssh(const struct mito_ssh_options *a, const struct mito_ssh_options *b)
{
    expect_common(a, b);
    expect_text(a->hostname, b->hostname);
    expect_text(a->username, b->username);
    assert_int_equal(a->port, b->port);
    expect_text(a->identity_file, b->identity_file);
    assert_int_equal(a->check_host_keys, b->check_host_keys);
    expect_text(a->ssh_path, b->ssh_path);
    assert_int_equal(a->ssh_args == NULL, b->ssh_args == NULL);
    for (size_t i = 0; b->ssh_args != NULL; i++) {
        expect_text(a->ssh_args[i], b->ssh_args[i]);
        if (b->ssh_args[i] == NULL)
            break;
        assert_ptr_not_equal(a->ssh_args[i], b->ssh_args[i]); /* copies */
    }
}

static void *through_pickle(const struct method *m, const void *options)
{
    AUTO_BUF b = {0};

    assert_int_equal(pickle_begin(&b), 0);
    assert_int_equal(options_pickle(m, options, &b), 0);
    assert_int_equal(pickle_end(&b), 0);
    struct mito_value *v = pickle_load(b.data, b.length, NULL);
    assert_non_null(v);
    void *back = options_from_value(m, v);
    mito_value_free(v);
    assert_non_null(back);
    return back;
}

static void check_ssh(const struct mito_ssh_options *o)
{
    struct mito_ssh_options *copy = options_copy(&method_ssh, o);

    assert_non_null(copy);
    expect_ssh(copy, o);
    options_free(&method_ssh, copy);
    copy = through_pickle(&method_ssh, o);
    expect_ssh(copy, o);
    options_free(&method_ssh, copy);
}

static void test_ssh(void **state)
{
    (void)state;
    const char *none[] = {NULL}, *some[] = {"-o", "A=b c", "", "\xc3\xa9", NULL};
    struct mito_ssh_options o = {.hostname = "db1"};
    check_ssh(&o);
    o.via = (struct mito_context *)(void *)&o; /* never looked at, never copied */
    o.remote_name = "me";
    o.connect_timeout = 1234;
    o.unidirectional = o.debug = true;
    o.username = "";
    o.port = 65535;
    o.identity_file = "/a/key file";
    o.check_host_keys = MITO_HOST_KEYS_IGNORE;
    o.ssh_path = "/usr/bin/ssh";
    o.ssh_args = none;
    check_ssh(&o);
    o.ssh_args = some;
    o.port = INT32_MIN;
    o.connect_timeout = INT32_MAX;
    check_ssh(&o);
}

static void test_local(void **state)
{
    (void)state;
    struct mito_local_options o = {.remote_name = "me", .connect_timeout = -1, .debug = true};
    void *copy = options_copy(&method_local, &o);
    assert_non_null(copy);
    expect_common(copy, &o);
    options_free(&method_local, copy);
    copy = through_pickle(&method_local, &o);
    expect_common(copy, &o);
    options_free(&method_local, copy);
    options_free(&method_local, NULL);
}

/* Fifty contexts behind one host are fifty such dicts on the link to it. */
static void test_defaults_cost_nothing(void **state)
{
    (void)state;
    struct mito_ssh_options o = {.hostname = "db1", .compression = false};
    AUTO_BUF b = {0};
    assert_int_equal(pickle_begin(&b), 0);
    assert_int_equal(options_pickle(&method_ssh, &o, &b), 0);
    assert_int_equal(pickle_end(&b), 0);
    struct mito_value *v = pickle_load(b.data, b.length, NULL);
    assert_non_null(v);
    assert_int_equal(mito_value_length(v), 1);
    assert_string_equal(mito_value_str(mito_value_get(v, "hostname"), NULL), "db1");
    mito_value_free(v);
}

/* A secret crosses the wire as one, and is gone when it is wiped. */
static void test_secret(void **state)
{
    (void)state;
    struct mito_sudo_options o = {.password = "guess", .login = true};
    AUTO_BUF b = {0};
    assert_int_equal(pickle_begin(&b), 0);
    assert_int_equal(options_pickle(&method_sudo, &o, &b), 0);
    assert_int_equal(pickle_end(&b), 0);
    struct mito_value *v = pickle_load(b.data, b.length, NULL);
    assert_non_null(v);
    assert_int_equal(mito_value_type(mito_value_get(v, "password")), MITO_SECRET);
    struct mito_sudo_options *back = options_from_value(&method_sudo, v);
    mito_value_free(v);
    assert_non_null(back);
    assert_string_equal(options_secret(&method_sudo, back), "guess");
    assert_true(back->login);
    options_wipe(&method_sudo, back);
    assert_null(back->password);
    assert_null(options_secret(&method_sudo, back));
    options_free(&method_sudo, back);
}

static void expect_refused(const struct method *m, const void *options, const char *part)
{
    assert_int_equal(options_check(m, options), -1);
    assert_error(MITO_E_INVALID, part);
}

static void test_check(void **state)
{
    (void)state;
    struct mito_docker_options docker = {0};
    struct mito_sudo_options sudo = {0};
    char long_password[1002] = "";
    expect_refused(&method_docker, &docker, "no container");
    docker.image = "i";
    assert_int_equal(options_check(&method_docker, &docker), 0);
    assert_string_equal(method_target(&method_docker, &docker), "i");
    docker.container = "c";
    expect_refused(&method_docker, &docker, "both");
    docker.image = NULL;
    assert_int_equal(options_check(&method_docker, &docker), 0);
    docker.container = "--privileged";
    expect_refused(&method_docker, &docker, "container");
    docker.container = "a\nb";
    expect_refused(&method_docker, &docker, "container");
    assert_int_equal(options_check(&method_sudo, &sudo), 0);
    assert_string_equal(method_target(&method_sudo, &sudo), "root");
    memset(long_password, 'x', sizeof long_password - 1);
    sudo.password = long_password;
    expect_refused(&method_sudo, &sudo, "password");
    sudo.password = "\x7f";
    expect_refused(&method_sudo, &sudo, "password");
    assert_null(strstr(mito_error(), "\x7f"));
}

/* --- what others send ----------------------------------------------------------------------- */

static struct mito_value *with(const char *key, struct mito_value *item)
{
    struct mito_value *d = mito_value_new_dict();

    assert_int_equal(mito_value_set(d, mito_value_new_str("remote_name", 11),
                                    mito_value_new_str("allocated before", 16)),
                     0);
    assert_int_equal(mito_value_set(d, mito_value_new_str(key, strlen(key)), item), 0);
    return d;
}

static void refuse(const char *key, struct mito_value *item)
{
    struct mito_value *d = with(key, item);

    error_set(MITO_OK, "none");
    void *options = options_from_value(&method_ssh, d);
    mito_value_free(d);
    if (options != NULL)
        fail_msg("a malformed %s was taken", key);
    if (mito_error_code() == MITO_OK)
        fail_msg("no error for a malformed %s", key);
}

static struct mito_value *list_of(size_t count, bool with_number)
{
    struct mito_value *l = mito_value_new_list();

    for (size_t i = 0; i < count; i++)
        assert_int_equal(mito_value_append(l, mito_value_new_str("text", 4)), 0);
    if (with_number)
        assert_int_equal(mito_value_append(l, mito_value_new_int(1)), 0);
    return l;
}

static void test_malformed(void **state)
{
    (void)state;
    refuse("hostname", mito_value_new_int(1));
    refuse("hostname", mito_value_new_bytes("x", 1));
    refuse("hostname", mito_value_new_list());
    refuse("port", mito_value_new_str("22", 2));
    refuse("port", mito_value_new_int((int64_t)INT32_MAX + 1));
    refuse("connect_timeout", mito_value_new_int((int64_t)INT32_MIN - 1));
    refuse("connect_timeout", mito_value_new_double(1));
    refuse("debug", mito_value_new_str("yes", 3));
    refuse("debug", mito_value_new_list());
    refuse("ssh_args", list_of(3, true));
    refuse("ssh_args", list_of(0, true));
    refuse("ssh_args", list_of(257, false));
    refuse("ssh_args", list_of(100000, false));
}

static void test_missing_and_unknown(void **state)
{
    (void)state;
    struct mito_value *d = with("hostnmae", mito_value_new_str("db1", 3));
    struct mito_ssh_options want = {.remote_name = "allocated before"};
    struct mito_ssh_options *o = options_from_value(&method_ssh, d);
    mito_value_free(d);
    assert_null(o);
    assert_error(MITO_E_INVALID, "hostnmae");
    d = with("hostname", mito_value_new_none());
    o = options_from_value(&method_ssh, d);
    mito_value_free(d);
    assert_non_null(o);
    expect_ssh(o, &want);
    options_free(&method_ssh, o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ssh),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_defaults_cost_nothing),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_missing_and_unknown),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
