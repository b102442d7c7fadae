/* What is taken for a question for a password, and what is not. */
#include "cmocka_all.h"

#include "parent/prompt.h"

static enum prompt recognize(const char *line)
{
    return prompt_recognize(line, strlen(line));
}

static void test_passwords(void **state)
{
    static const char *const lines[] = {
        PROMPT_OURS,
        "Password: ",
        "Password:",
        "[sudo] password for admin: ",
        "[sudo: authenticate] Password: ",
        "doas (caller@box) password: ",
        "root@db1's password: ",
        "(root@db1) Password: ",
        "PASSWORD: ",
        "[sudo] Passwort f\xc3\xbcr german: ",
        "[sudo] Mot de passe de root\xc2\xa0: ",
        "Contrase\xc3\xb1\x61: ",
        "[sudo] \xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c \xd0\xb4\xd0\xbb\xd1\x8f root: ",
        "\xe3\x83\x91\xe3\x82\xb9\xe3\x83\xaf\xe3\x83\xbc\xe3\x83\x89: ",
        "\xe5\xaf\x86\xe7\xa0\x81\xef\xbc\x9a",
        "Current password: ",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(lines); i++) {
        if (recognize(lines[i]) != PROMPT_PASSWORD)
            fail_msg("not recognized: %s", lines[i]);
    }
}

static void test_others(void **state)
{
    (void)state;
    assert_int_equal(recognize("Enter passphrase for key '/root/.ssh/id': "), PROMPT_PASSPHRASE);
    assert_int_equal(recognize("Verification code: "), PROMPT_OTHER);
    assert_int_equal(recognize("New password: "), PROMPT_OTHER);
    assert_int_equal(recognize("Retype new password: "), PROMPT_OTHER);
    assert_int_equal(recognize("Are you sure (yes/no/[fingerprint])? "), PROMPT_OTHER);
    assert_int_equal(recognize(""), PROMPT_NONE);
    assert_int_equal(recognize("   "), PROMPT_NONE);
    assert_int_equal(recognize(":"), PROMPT_OTHER);
    assert_int_equal(recognize("your password has expired"), PROMPT_NONE);
    assert_int_equal(recognize("Password"), PROMPT_NONE);
    assert_int_equal(recognize("********"), PROMPT_NONE);
}

/* Of what is written only the last, unfinished line counts. */
static void test_lines(void **state)
{
    struct prompt_line l = {.length = 0};

    (void)state;
    prompt_line_add(&l, "We trust you with this password:\n", 33);
    assert_int_equal(l.length, 0);
    prompt_line_add(&l, "\rPass", 5);
    prompt_line_add(&l, "word: ", 6);
    assert_int_equal(prompt_recognize(l.text, l.length), PROMPT_PASSWORD);
    prompt_line_add(&l, "\n", 1);
    assert_int_equal(prompt_recognize(l.text, l.length), PROMPT_NONE);
    for (int i = 0; i < 10000; i++) /* bounded, and the end is what counts */
        prompt_line_add(&l, "abc", 3);
    prompt_line_add(&l, " password:", 10);
    assert_true(l.length <= sizeof l.text);
    assert_int_equal(prompt_recognize(l.text, l.length), PROMPT_PASSWORD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests_name("prompt", tests, NULL, NULL);
}
