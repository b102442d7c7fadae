/* Text that a child chose: names, records, output, reasons, failures. Wherever people read it, in
 * errors or formatted records, a terminal obeys none of it; and a record is one line. */
#include "hostile/scene.h"

#define ESCAPES                                                                                    \
    "\033[2J\033]0;owned\007\r\n\b\x7f\302\233"                                                    \
    "31m\xff\xfe%s%n"

/* --- the hostile side --------------------------------------------------------------------------
 */

static void bad_names(void)
{
    char text[256];

    peer_come_up();
    struct peer_frame call = peer_called();
    snprintf(text, sizeof text, "%u:%s", peer.first, ESCAPES);
    peer_send_text(peer_to(0, PEER_ADD_ROUTE, 0), text);
    memset(text, '\033', sizeof text);
    int n = snprintf(text, sizeof text, "%u:", peer.first + 1);
    text[n] = '\033';
    peer_send(peer_to(0, PEER_ADD_ROUTE, 0), text, sizeof text);
    struct peer_pickle context = peer_context(peer.last + 1000, "\033[31mred\007");
    peer_answer(&call, &context);
    peer_called(); /* and takes its children with it */
}

static void records(void)
{
    static const struct {
        const char *data;
        size_t length;
    } all[] = {
#define RECORD(text) {text, sizeof text - 1}
        RECORD("log\033ger\00040\0first " ESCAPES),
        RECORD("stdout\00020\0one\ntwo\r\nthree\n"),
        RECORD("\0\0"),
        RECORD("\0"
               "40\0"),
        RECORD("no level\0\0text"),
        RECORD("no number\0x\0text"),
        RECORD("too large\099999999999999999999\0text"),
        RECORD("negative\0-1\0text"),
        RECORD("no text\00040"),
        RECORD("nothing"),
        RECORD(""),
        RECORD("stderr\00040\0zero\0in the middle"),
        RECORD("a logger with a name that is very much longer than any logger should have it, and "
               "then some more of it\00040\0last record"),
    };
    static char large[200000] = "stdout\00040\0large ";

    peer_come_up();
    struct peer_frame call = peer_called();
    memset(large + 16, '\033', sizeof large - 16);
    peer_send(peer_to(0, PEER_FORWARD_LOG, 0), large, sizeof large);
    for (size_t i = 0; i < LENGTH(all); i++)
        peer_send(peer_to(0, PEER_FORWARD_LOG, 0), all[i].data, all[i].length);
    if (write(2, ESCAPES "\nlast line\n", sizeof ESCAPES "\nlast line\n" - 1) < 0)
        _exit(1);
    peer_answer_int(&call, 1);
    peer_leave();
}

/* Ends the receiver that it was given ("handle="), with a reason. */
static void dead_reasons(void)
{
    static uint8_t payload[65536], large[8 * 1024 * 1024];
    static const char name[] = "handle=";
    struct peer_frame call;

    peer_come_up();
    do {
        if (!peer_receive(&call, payload))
            return;
    } while (call.handle != PEER_CALL_FUNCTION);
    const char *at = memmem(payload, call.length, name, sizeof name - 1);
    uint32_t handle = (uint32_t)strtoul(at + sizeof name - 1, NULL, 10);
    peer_send_text(peer_to(0, handle, PEER_DEAD), ESCAPES);
    peer_send_text(peer_to(0, call.reply_to, PEER_DEAD), ESCAPES);
    call = peer_called();
    memset(large, '\033', sizeof large);
    peer_send(peer_to(0, call.reply_to, PEER_DEAD), large, sizeof large);
    call = peer_called();
    static const char failure[] = "\x80\x02"
                                  "cmitogen.core\n_unpickle_call_error\nX";
    struct peer_pickle p = {{0}, 0};
    peer_put(&p, failure, sizeof failure - 2);
    peer_put_text(&p, "mitosis.host_key: \033[2J\033]0;owned\007\n\302\233"
                      "31m"); /* UTF-8 */
    peer_put(&p, "\x85R.", 3);
    peer_answer(&call, &p);
    peer_leave();
}

/* Forged reports of crashes: of another context, which lives; of its own, which is large; a record
 * to go with it. */
static void crash_reports(void)
{
    static char large[4 * 1024 * 1024];
    char text[1000];

    peer_come_up();
    struct peer_frame call = peer_called();
    for (uint32_t id = 0; id <= peer.number; id++) {
        snprintf(text, sizeof text, "%u:mitosis.crashed: %s", id, ESCAPES);
        if (id != peer.id)
            peer_send_text(peer_to(0, PEER_LAST_WORDS, 0), text);
        peer_send_text(peer_to(0, PEER_DEL_ROUTE, 0), text);
    }
    static const char *const malformed[] = {"",     ":",  "x",    "1", "4294967296:x",
                                            "-1:x", "1:", "\033:"};
    for (size_t i = 0; i < LENGTH(malformed); i++)
        peer_send_text(peer_to(0, PEER_LAST_WORDS, 0), malformed[i]);
    peer_answer_int(&call, 1);
    call = peer_called();
    memset(large, '\033', sizeof large);
    int n = snprintf(large, sizeof large, "%u:mitosis.ok: %s", peer.id, ESCAPES);
    large[n] = '\033';
    peer_send(peer_to(0, PEER_LAST_WORDS, 0), large, sizeof large);
    snprintf(text, sizeof text, "%u:mitosis.dead: the second word", peer.id);
    peer_send_text(peer_to(0, PEER_LAST_WORDS, 0), text);
    static const char record[] =
        "crash\00040\0signal 11 " ESCAPES "; build id ../../x: +0x" ESCAPES;
    peer_send(peer_to(0, PEER_FORWARD_LOG, 0), record, sizeof record);
}

static const struct peer_mode modes[] = {
    {"crash", crash_reports}, {"names", bad_names}, {"records", records},
    {"dead", dead_reasons},   {NULL, NULL},
};

/* --- the tests ---------------------------------------------------------------------------------
 */

static void check_name(uint32_t id, const char *part)
{
    MITO_AUTO_CONTEXT c = mito_context_by_id(tree, id);

    scene_harmless(mito_context_name(c));
    assert_non_null(strstr(mito_context_name(c), part));
    assert_true(strlen(mito_context_name(c)) < 100);
}

static void test_names(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT bad = scene_hostile("names", 0);
    MITO_AUTO_CONTEXT invented = NULL;
    struct mito_context *below = NULL;
    uint32_t first = mito_context_id(bad) + 1;

    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "c", &invented), 0);
    scene_harmless(mito_context_name(invented));
    assert_string_equal(mito_context_name(invented), "\\x1b[31mred\\x07");
    assert_int_equal(mito_call_timeout(invented, PATIENCE, &attack, "", "n"), -1);
    scene_harmless(mito_error());
    while (below == NULL) { /* the block of ids that it was given begins somewhere behind its own */
        below = mito_context_by_id(tree, first);
        if (strncmp(mito_context_name(below), "context.", 8) == 0) {
            mito_context_unref(below);
            below = NULL;
            assert_true(first++ < mito_context_id(bad) + 100000);
        }
    }
    check_name(first, "\\x1b[2J\\x1b]0;owned\\x07\\x0d\\x0a\\x08\\x7f\\xc2\\x9b31m\\xff\\xfe%s%n");
    check_name(first + 1, "\\x1b\\x1b\\x1b");
    assert_int_equal(mito_call_timeout(below, PATIENCE, &attack, "", "n"), -1);
    assert_error(MITO_E_DEAD, "owned");
    scene_harmless(mito_error());
    mito_context_unref(below);
}

enum { LINES_MAX = 1000 };
static char *lines[LINES_MAX];
static size_t line_count;
static bool broken_lines;

/* As a program would that writes records to a file or a terminal. */
static void format_record(void *arg, const struct mito_log_record *record)
{
    char line[4096];

    (void)arg;
    broken_lines |= strchr(record->text, '\n') != NULL;
    mito_log_format(record, line, sizeof line);
    if (line_count < LINES_MAX)
        lines[line_count++] = strdup(line);
}

static bool has_line(const char *part)
{
    for (size_t i = 0; i < line_count; i++) {
        if (strstr(lines[i], part) != NULL)
            return true;
    }
    return false;
}

static void test_records(void **state)
{
    (void)state;
    tree_reopen(&(struct mito_router_options){.log = format_record});
    struct mito_context *good = tree_local();
    struct mito_context *bad = scene_hostile("records", 0);

    assert_int_equal(scene_attack(bad, good, 0), 1);
    sleep_ms(300); /* for what it wrote to stderr */
    scene_free();  /* delivers every record */
    assert_true(line_count > 10);
    assert_false(broken_lines);
    for (size_t i = 0; i < line_count; i++)
        scene_harmless(lines[i]);
    assert_true(has_line("log\\x1bger: first \\x1b[2J\\x1b]0;owned\\x07\\x0d"));
    assert_true(has_line("stdout: one"));
    assert_true(has_line("stdout: two"));
    assert_true(has_line("stdout: three"));
    assert_true(has_line("large \\x1b\\x1b"));
    assert_true(has_line("last record"));
    assert_true(has_line("last line"));
    assert_false(has_line("no level"));
    assert_false(has_line("nothing"));
    while (line_count > 0)
        free(lines[--line_count]);
}

static void test_reasons(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT bad = scene_hostile("dead", 0);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    MITO_AUTO_SENDER tx = mito_sender_to(rx);
    size_t before = scene_memory();
    char text[64];

    snprintf(text, sizeof text, "handle=%u", mito_sender_handle(tx));
    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "s", text, "n"), -1);
    assert_error(MITO_E_DEAD, "owned");
    scene_harmless(mito_error());
    assert_null(mito_receive(rx, PATIENCE));
    assert_error(MITO_E_DEAD, "owned");
    scene_harmless(mito_error());
    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "n"), -1);
    assert_error(MITO_E_DEAD, "\\x1b\\x1b\\x1b");
    scene_harmless(mito_error());
    assert_true(scene_memory() < before + SCENE_MEMORY);
    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "n"), -1);
    assert_error(MITO_E_HOST_KEY, "owned");
    scene_harmless(mito_error());
    scene_check(good, tree_pid_of(good));
}

static void test_crash_reports(void **state)
{
    (void)state;
    MITO_AUTO_CONTEXT good = tree_local();
    MITO_AUTO_CONTEXT below = tree_local(.via = good);
    pid_t pid = tree_pid_of(good), below_pid = tree_pid_of(below);
    MITO_AUTO_CONTEXT bad = scene_hostile("crash", mito_context_id(below) + 10);
    size_t before = scene_memory();
    int64_t done = 0;

    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "i", &done), 0);
    scene_check(good, pid);
    assert_int_equal(tree_pid_of(below), below_pid);
    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "n"), -1);
    assert_error(MITO_E_CRASHED, "owned");
    scene_harmless(mito_error());
    assert_true(strlen(mito_error()) < 600);
    assert_int_equal(mito_call_timeout(bad, PATIENCE, &attack, "", "n"), -1);
    assert_error(MITO_E_CRASHED, "owned");
    assert_true(scene_memory() < before + SCENE_MEMORY);
    scene_check(good, pid);
    assert_int_equal(tree_pid_of(below), below_pid);
}

int main(int argc, char **argv)
{
    SCENE_START(argc, argv, modes);
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_names),
        TREE_TEST(test_records),
        TREE_TEST(test_reasons),
        TREE_TEST(test_crash_reports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
