/* The line that starts everything on a bare host: every shell takes it as it is. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "parent/first_stage.h"
#include "parent/kind.h"

#define CONFIG "id=7,parents=0:1,title=mitosis:user@host:1%20x,name=ssh.db1"

static struct buf line;

static int make(void **state)
{
    (void)state;
    return first_stage_command(&line, CONFIG, kind_own, true);
}

static int drop(void **state)
{
    (void)state;
    buf_free(&line);
    return 0;
}

/* What a shell makes of the n-th of the quoted words that end the line: the script, what perl does,
 * what Python does. */
static char *inner_word(int n)
{
    static const char start[] = "exec /bin/sh -c 'eval \"$1\"' sh";
    const char *text = (const char *)line.data;

    assert_int_equal(line.data[line.length - 1], '\0');
    assert_int_equal(strlen(text), line.length - 1);
    assert_memory_equal(text, start, sizeof start - 1);
    text += sizeof start - 1;
    for (int i = 0;; i++) {
        assert_memory_equal(text, " '", 2);
        const char *close = strchr(text + 2, '\'');
        assert_non_null(close);
        if (i == n) {
            assert_int_equal(close[1], n == 2 ? '\0' : ' ');
            return strndup(text + 2, (size_t)(close - text - 2));
        }
        text = close + 1;
    }
}

static void test_words(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        char *word = inner_word(i);
        assert_non_null(word);
        assert_null(strpbrk(word, "'\\!\n\r"));
        for (const char *p = word; *p != '\0'; p++)
            assert_in_range(*p, ' ', '~');
        assert_int_equal(strstr(word, " " CONFIG " ") != NULL, i == 0);
        free(word);
    }
}

static bool there(const char *shell)
{
    char command[200];

    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", shell);
    return system(command) == 0;
}

/* -n: reads, does not run. */
static int syntax_check(const char *shell, const char *text)
{
    char command[200];

    snprintf(command, sizeof command, "%s -n", shell);
    FILE *f = popen(command, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    return pclose(f);
}

static void test_syntax(void **state)
{
    (void)state;
    static const char *const shells[][2] = {
        {"sh", "sh"},
        {"dash", "dash"},
        {"bash", "bash"},
        {"busybox", "busybox sh"},
        {"bash", "bash --posix"},
        {"ksh", "ksh"},
        {"mksh", "mksh"},
        {"zsh", "zsh"},
        {"zsh", "zsh --emulate sh"},
    };
    char *word = inner_word(0);
    assert_non_null(word);
    for (size_t i = 0; i < LENGTH(shells); i++) {
        if (!there(shells[i][0])) {
            print_message("no %s here\n", shells[i][0]);
            continue;
        }
        if (syntax_check(shells[i][1], (const char *)line.data) != 0)
            fail_msg("%s refuses the line", shells[i][1]);
        if (syntax_check(shells[i][1], word) != 0)
            fail_msg("%s refuses the script", shells[i][1]);
        assert_int_not_equal(syntax_check(shells[i][1], "if true; then {"), 0); /* it looks */
    }
    free(word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_words, make, drop),
        cmocka_unit_test_setup_teardown(test_syntax, make, drop),
    };
    return cmocka_run_group_tests_name("first_stage", tests, NULL, NULL);
}
