/* Python contexts of a C master: the real Mitogen of the system's Python, started, given modules,
 * called, and lost. tests/interop has the other way round. */
#include "tree.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"

static const char *directories[] = {NULL, NULL, NULL, NULL}; /* of modules */
static char shipped[4096], interop[4096], made[4096];        /* what they are */

/* --- functions ---------------------------------------------------------------------------------
 */

/* (context): what os.getpid() says there */
MITO_FUNCTION_FLAGS(ask_pid, MITO_CONCURRENT)
{
    struct mito_context *context = NULL;
    int64_t number = 0;

    if (mito_args(call, "c", &context) < 0)
        return -1;
    int rc = mito_call_python(context, "os", "getpid", "", "i", &number);
    mito_context_unref(context);
    return rc < 0 ? -1 : mito_return(call, "i", number);
}

/* --- helpers -----------------------------------------------------------------------------------
 */

#define up(...)                                                                                    \
    tree_up_(mito_python(tree, .python_path = PYTHON __VA_OPT__(, ) __VA_ARGS__), __LINE__)

static const struct mito_python_text texts[] = {{"in_the_program", "VALUE = 'a text'\n"}, {0}};

static void serve(void)
{
    struct mito_python_modules modules = {
        .python_path = PYTHON, .directories = directories, .texts = texts};

    assert_int_equal(mito_serve_python(tree, &modules), 0);
}

static pid_t python_pid(struct mito_context *context)
{
    int64_t number = 0;

    if (mito_call_python(context, "os", "getpid", "", "i", &number) < 0)
        fail_msg("%s", mito_error());
    return (pid_t)number;
}

static int64_t import_it(struct mito_context *context, const char *name)
{
    int64_t value = -1;

    if (mito_call_python(context, "remote", "import_it", "s", name, "i", &value) < 0)
        fail_msg("%s", mito_error());
    return value;
}

static void write_file(const char *name, const char *text)
{
    char path[5000];

    snprintf(path, sizeof path, "%s/%s", made, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void write_script(const char *name, const char *text)
{
    char path[5000];

    write_file(name, text);
    snprintf(path, sizeof path, "%s/%s", made, name);
    assert_int_equal(chmod(path, 0755), 0);
}

static const char *path_of(const char *name)
{
    static char path[5000];

    snprintf(path, sizeof path, "%s/%s", made, name);
    return path;
}

/* GET_MODULE messages that this context got, or passed on. */
static size_t questions(void)
{
    return tree_count_records(0, "router", "handle 100 ");
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void test_calls(void **state)
{
    enum { BIG = 3 * 1024 * 1024 };
    char *big = calloc(1, BIG);
    const void *back = NULL;
    size_t length = 0;
    char *text = NULL;

    (void)state;
    serve();
    struct mito_context *p = up();
    assert_int_not_equal(python_pid(p), getpid());
    assert_int_equal(mito_call_python(p, "platform", "python_implementation", "", "s", &text), 0);
    assert_string_equal(text, "CPython");
    free(text);
    assert_int_equal(mito_call_python(p, "remote", "version", "", "s", &text), 0);
    print_message("# Mitogen %s\n", text);
    free(text);
    assert_int_equal(mito_call_python(p, "remote", "echo", "y", (const void *)big, (size_t)BIG, "y",
                                      &back, &length),
                     0);
    assert_int_equal(length, BIG);
    assert_memory_equal(big, back, BIG);
    free((void *)(uintptr_t)back);
    free(big);
    assert_int_equal(mito_call_python(p, "remote", "fail", "s", "oops", ""), -1);
    assert_error(MITO_E_REMOTE, "ValueError: oops");
    assert_non_null(strstr(mito_error(), "remote.py"));
    assert_int_equal(mito_call_python(p, "builtins", "object", "", "v", NULL), -1);
    assert_int_equal(mito_call_python(p, "builtins", "set", "", "v", NULL), -1);
    assert_int_not_equal(python_pid(p), 0);
    assert_int_equal(mito_call_python(p, "remote", "log", "s", "said in Python", ""), 0);
    assert_non_null(tree_record(-1, NULL, "said in Python", PATIENCE));
    assert_int_equal(mito_call_python(p, "builtins", "print", "s", "printed in Python", ""), 0);
    assert_non_null(tree_record(-1, "stdout", "printed in Python", PATIENCE));
}

/* A parent may start a service in a Python context, by calling it; it stays. */
static void test_services(void **state)
{
    int64_t number = 0;

    (void)state;
    serve();
    struct mito_context *p = up();
    for (int expected = 1; expected <= 2; expected++) {
        if (mito_call_service(p, "services.Counter", "add_one", "", "i", &number) < 0)
            fail_msg("%s", mito_error());
        assert_int_equal(number, expected);
    }
    assert_int_equal(mito_call_service(p, "services.Counter", "odd", "", "v", NULL), -1);
    assert_error(MITO_E_MALFORMED, "complex");
    assert_int_equal(mito_call_service(p, "services.Nothing", "add_one", "", "v", NULL), -1);
    assert_error(MITO_E_REMOTE, "Nothing");
    assert_int_equal(mito_call_service(p, "services.Counter", "add_one", "", "i", &number), 0);
    assert_int_equal(number, 3);
}

/* An import asks once for each level of packages: what a module imports comes with it. What one
 * context below has asked for, the context between keeps for the next. */
static void test_modules(void **state)
{
    struct mito_router_options options = {.log_level = MITO_IO, .log_level_set = true};
    char *text = NULL;

    (void)state;
    tree_reopen(&options);
    serve();
    struct mito_context *middle = tree_local();
    struct mito_context *p = up(.via = middle);
    import_it(p, "simple");
    assert_int_equal(mito_call_python(p, "remote", "import_it", "s", "in_the_program", "s", &text),
                     0);
    assert_string_equal(text, "a text");
    free(text);
    size_t before = questions();
    assert_int_equal(import_it(p, "outer.inner"), 42);
    assert_int_equal(questions() - before, 2);
    struct mito_context *q = up(.via = middle);
    assert_int_equal(import_it(q, "outer.inner"), 42);
    assert_int_equal(questions() - before, 2);
    assert_int_equal(import_it(q, "outer.leaf"), 7);
    assert_int_equal(questions() - before, 2); /* it came with the other */
}

/* A file of a package, or "none". */
static char *file_in(struct mito_context *context, const char *package, const char *name)
{
    struct mito_value *v = NULL;
    const char *content = NULL;
    size_t length = 4;

    if (mito_call_python_timeout(context, PATIENCE, "remote", "resource", "ss", package, name, "v",
                                 &v) < 0)
        fail_msg("%s of %s: %s", name, package, mito_error());
    content = mito_value_type(v) == MITO_NONE ? "none" : mito_value_bytes(v, &length);
    char *copy = strndup(content, length);
    mito_value_free(v);
    return copy;
}

static void has_file(struct mito_context *context, const char *package, const char *name,
                     const char *expected)
{
    char *content = file_in(context, package, name);

    assert_string_equal(content, expected);
    free(content);
}

/* The files of a package are there as its modules are; nothing else of the master's is. */
static void test_files_of_packages(void **state)
{
    static const char *const not_there[] = {
        "missing.txt",  "sub",  "../secret.txt", "/etc/passwd", "",
        "sub/../a.txt", "pipe", "large",         "./a.txt",     "sub//deep.txt"};
    struct mito_router_options options = {.log_level = MITO_IO, .log_level_set = true};

    (void)state;
    tree_reopen(&options);
    serve();
    struct mito_context *middle = tree_local();
    struct mito_context *p = up(.via = middle), *q = up(.via = middle);
    has_file(p, "filed", "a.txt", "text \xc3\xa4\n");
    has_file(p, "filed", "empty", "");
    has_file(p, "filed", "sub/deep.txt", "deep\n");
    has_file(p, "filed", "with a blank", "blank\n");
    for (size_t i = 0; i < LENGTH(not_there); i++)
        has_file(p, "filed", not_there[i], "none");
    has_file(p, "simple", "a.txt", "none"); /* no package */
    has_file(p, "nosuch", "a.txt", "none");
    has_file(p, "mitosis.image.x86_64", "a.txt", "none");
    has_file(p, "sub", "deep.txt", "none"); /* a directory only */
    has_file(p, "__pycache__", "a.txt", "none");
    has_file(p, "filed", "link.txt", "none");         /* leads out of it */
    has_file(p, "filed", "odd\xed\xb3\xbf", "odd\n"); /* a name that is no UTF-8 */
    has_file(p, "json", "__init__.py", "none");       /* of the standard library */
    assert_non_null(tree_record(0, "python", "large of filed cannot be served", PATIENCE));
    size_t asked = tree_count_records(0, "router", "handle 112 ");
    has_file(q, "filed", "a.txt", "text \xc3\xa4\n"); /* who is between has it */
    assert_int_equal(tree_count_records(0, "router", "handle 112 "), asked);
    assert_int_not_equal(asked, 0);
}

static void test_missing_modules(void **state)
{
    (void)state;
    serve();
    struct mito_context *p = up();
    assert_int_equal(mito_call_python(p, "nosuch.module", "f", "", ""), -1);
    assert_error(MITO_E_REMOTE, "nosuch");
    assert_int_equal(mito_call_python(p, "outer.nosuch", "f", "", ""), -1);
    assert_error(MITO_E_REMOTE, "outer.nosuch");
    assert_int_equal(mito_call_python(p, "wrong", "f", "", ""), -1);
    assert_error(MITO_E_REMOTE, "SyntaxError");
    assert_int_equal(mito_call_python(p, "unreadable", "f", "", ""), -1);
    assert_error(MITO_E_REMOTE, "unreadable");
    assert_non_null(tree_record(0, "python", "unreadable cannot be served", PATIENCE));
    assert_int_equal(mito_call_python(p, "folder", "f", "", ""), -1);
    assert_error(MITO_E_REMOTE, "folder");
    assert_int_equal(import_it(p, "simple"), 1);
}

static void expect_no_python(const char *python_path, int code, const char *part)
{
    assert_null(mito_python(tree, .python_path = python_path));
    assert_error(code, part);
}

static void test_interpreters(void **state)
{
    (void)state;
    serve();
    struct mito_context *other = tree_local();
    expect_no_python("/nowhere/python", MITO_E_NO_TOOL, "/nowhere/python");
    expect_no_python("/bin/true", MITO_E_DIED, "exited with status 0");
    expect_no_python("-c", MITO_E_INVALID, "python_path");
    expect_no_python(path_of("old-python"), MITO_E_NO_TOOL, "too old");
    expect_no_python(path_of("new-python"), MITO_E_NO_TOOL, "too new");
    expect_no_python(path_of("syntax-python"), MITO_E_NO_TOOL, "too old");
    assert_null(mito_python(tree, .via = other, .python_path = "/nowhere/python"));
    assert_error(MITO_E_NO_TOOL, "/nowhere/python");
    assert_null(mito_python(tree, .via = other, .python_path = "/bin/true"));
    assert_error(MITO_E_DIED, "exited with status 0");
    assert_int_not_equal(tree_pid_of(other), 0);
}

/* What stands in for an interpreter and says something else, before it is up and after. */
static void test_nonsense(void **state)
{
    (void)state;
    serve();
    struct mito_context *other = tree_local();
    expect_no_python(path_of("chatter"), MITO_E_GARBAGE, "nonsense");
    assert_null(mito_python(tree, .python_path = path_of("silent"), .connect_timeout = 300));
    assert_error(MITO_E_TIMEOUT, "300 ms");
    static const struct {
        const char *script, *part;
    } rows[] = {
        {"later-python", "not a Mitosis stream: starts with \"ML"},
        {"half-a-frame", "python."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mito_context *odd = mito_python(tree, .python_path = path_of(rows[i].script));
        assert_non_null(odd);
        assert_int_equal(mito_call_python(odd, "os", "getpid", "", "v", NULL), -1);
        assert_error(MITO_E_DEAD, rows[i].part);
        assert_int_equal(mito_call_python(odd, "os", "getpid", "", "v", NULL), -1);
        assert_error(MITO_E_DEAD, rows[i].part);
        assert_int_not_equal(tree_pid_of(other), 0);
    }
}

static void test_no_mitogen(void **state)
{
    static const struct mito_python_text wrong[] = {{"../x", ""}, {0}};
    char script[5000];

    (void)state;
    assert_int_equal(mito_serve_python(tree, &(struct mito_python_modules){.texts = wrong}), -1);
    assert_error(MITO_E_INVALID, "'../x'");
    snprintf(script, sizeof script, "%s", path_of("bare-python"));
    assert_int_equal(mito_serve_python(tree, &(struct mito_python_modules){.python_path = script}),
                     0);
    assert_int_equal(mito_serve_python(tree, NULL), -1);
    assert_error(MITO_E_INVALID, "already");
    expect_no_python(PYTHON, MITO_E_NO_TOOL, "master");
    assert_non_null(tree_record(0, "python", "python3-mitogen", PATIENCE));
    assert_int_not_equal(tree_pid_of(tree_local()), 0);
}

/* What it says is logged in pieces, with or without the end of a line. */
static void test_long_complaint(void **state)
{
    char script[5000];

    (void)state;
    write_script("talker", "#!/bin/sh\nprintf 'first%08000dlast' 0 >&2\n");
    snprintf(script, sizeof script, "%s", path_of("talker"));
    assert_int_equal(mito_serve_python(tree, &(struct mito_python_modules){.python_path = script}),
                     0);
    expect_no_python(PYTHON, MITO_E_NO_TOOL, "master");
    assert_non_null(tree_record(0, "python", "first0000", PATIENCE));
    assert_non_null(tree_record(0, "python", "0000last", PATIENCE));
}

static void test_no_interpreter_here(void **state)
{
    (void)state;
    assert_int_equal(
        mito_serve_python(tree, &(struct mito_python_modules){.python_path = "/nowhere/python"}),
        0);
    expect_no_python(PYTHON, MITO_E_NO_TOOL, "master");
    assert_non_null(tree_record(0, "python", "/nowhere/python", PATIENCE));
}

/* The interpreter that the master has its modules from; 0: there is none. */
static pid_t master_interpreter(void)
{
    char command[300];
    int pid = 0;

    snprintf(command, sizeof command,
             "for p in $(cat /proc/%d/task/*/children); do "
             "grep -q \"^class Finder\" /proc/$p/cmdline && echo $p; done",
             (int)getpid());
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    if (fscanf(pipe, "%d", &pid) != 1)
        pid = 0;
    pclose(pipe);
    return pid;
}

/* When it dies it is started again for the next question, and for those that it has not answered:
 * who waits for a module does not notice. */
static void test_master_interpreter_dies(void **state)
{
    struct mito_router_options options = {.log_level = MITO_IO, .log_level_set = true};
    int64_t value = 0;

    (void)state;
    tree_reopen(&options);
    serve();
    struct mito_context *p = up();
    import_it(p, "simple");
    pid_t first = master_interpreter();
    assert_int_not_equal(first, 0);
    kill(first, SIGKILL);
    assert_non_null(tree_record(0, "python", "it is started again", PATIENCE));
    assert_int_equal(master_interpreter(), 0);
    assert_int_equal(import_it(p, "outer.inner"), 42);

    pid_t second = master_interpreter();
    assert_int_not_equal(second, 0);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    kill(second, SIGSTOP);
    size_t before = questions();
    assert_int_equal(mito_call_python_async(p, "remote", "import_it", rx, NULL, "s", "lonely"), 0);
    for (int64_t until = now_ms() + PATIENCE; questions() == before && now_ms() < until;)
        sleep_ms(5);
    assert_int_equal(questions(), before + 1);
    kill(second, SIGKILL);
    MITO_AUTO_MESSAGE m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, "i", &value), 0);
    assert_int_equal(value, 3);
}

/* One that dies of whatever it is asked is not started for ever. */
static void test_master_interpreter_dies_always(void **state)
{
    char script[5000];

    (void)state;
    snprintf(script, sizeof script, "%s", path_of("dying-python"));
    assert_int_equal(mito_serve_python(tree, &(struct mito_python_modules){.python_path = script}),
                     0);
    struct mito_context *other = tree_local();
    for (int i = 0; i < 3; i++)
        expect_no_python(PYTHON, MITO_E_NO_TOOL, "master");
    assert_non_null(tree_record(0, "python", "no more Python modules", PATIENCE));
    assert_int_equal(tree_count_records(0, "python", "it is started again"), 2);
    assert_int_not_equal(tree_pid_of(other), 0);
}

/* A call that it is busy with fails at once. */
static void test_killed_in_a_call(void **state)
{
    (void)state;
    serve();
    struct mito_context *p = up(), *q = up();
    pid_t pid = python_pid(p);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    assert_int_equal(mito_call_python_async(p, "time", "sleep", rx, NULL, "i", 1000), 0);
    sleep_ms(50);
    int64_t start = now_ms();
    kill(pid, SIGKILL);
    MITO_AUTO_MESSAGE m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, ""), -1);
    assert_error(MITO_E_DEAD, "signal 9");
    assert_true(now_ms() - start < 2000 * SLOWNESS);
    assert_int_equal(mito_call_python(p, "os", "getpid", "", "v", NULL), -1);
    assert_int_not_equal(python_pid(q), 0);
}

/* C, Python, C. */
static void test_c_below_python(void **state)
{
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    int64_t id = 0, number = 0;

    (void)state;
    assert_true(n > 0);
    program[n] = '\0';
    serve();
    struct mito_context *p = up();
    if (mito_call_python(p, "remote", "start_c", "s", program, "i", &id) < 0)
        fail_msg("%s", mito_error());
    struct mito_context *c = mito_context_by_id(tree, (uint32_t)id);
    pid_t pids[] = {python_pid(p), tree_pid_of(c), 0};
    assert_int_equal(mito_call(c, &ask_pid, "c", p, "i", &number), -1); /* its parent */
    assert_error(MITO_E_DENIED, "");
    /* It asks us for ids, as it does a Python master: nobody else is given those. */
    int64_t first = 0, second = 0;
    assert_int_equal(mito_call_python(p, "remote", "allocate", "", "i", &first), 0);
    assert_int_equal(mito_call_python(p, "remote", "allocate", "", "i", &second), 0);
    assert_true(first == id + 1 && second == id + 2);
    MITO_AUTO_CONTEXT beside = tree_local();
    assert_false(mito_context_id(beside) >= id && mito_context_id(beside) < id + 1000);
    struct mito_context *d = tree_local(.via = c);
    pids[2] = tree_pid_of(d);
    /* A call to it is under way when what is between dies. */
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
    assert_int_equal(mito_call_async(d, &tree_spin, rx, NULL, ""), 0);
    kill(pids[0], SIGKILL);
    MITO_AUTO_MESSAGE m = tree_receive(rx);
    assert_int_equal(mito_message_read(m, ""), -1);
    assert_error(MITO_E_DEAD, "");
    for (int i = 0; i < 3; i++)
        assert_true(pid_gone(pids[i], PATIENCE));
    mito_context_unref(c);
}

/* Who is below has no authority over those above and beside, in Python as in C. */
static void test_authority(void **state)
{
    char *text = NULL;

    (void)state;
    serve();
    struct mito_context *middle = tree_local(), *p = up(.via = middle), *q = up(.via = middle);
    struct mito_context *targets[] = {middle, q, mito_context_self(tree)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mito_call_python(p, "remote", "call_of", "iss",
                                          (int64_t)mito_context_id(targets[i]), "main", "tree_pid",
                                          "s", &text),
                         0);
        assert_non_null(strstr(text, "ChannelError"));
        free(text);
    }
    mito_context_unref(targets[2]);
    assert_int_not_equal(python_pid(q), 0);
}

static void test_unidirectional(void **state)
{
    struct mito_router_options options = {.unidirectional = true};
    int64_t number = 0;

    (void)state;
    tree_reopen(&options);
    serve();
    struct mito_context *c = tree_local(), *p = up();
    assert_int_equal(mito_call(c, &ask_pid, "c", p, "i", &number), -1);
    assert_error(MITO_E_DEAD, "unidirectional");
    assert_int_not_equal(python_pid(p), 0);
}

static void test_ends(void **state)
{
    (void)state;
    serve();
    struct mito_context *p = up(), *q = up();
    pid_t pids[] = {python_pid(p), python_pid(q)};
    assert_int_equal(mito_context_shutdown(p, PATIENCE), 0);
    assert_true(pid_gone(pids[0], PATIENCE));
    assert_int_equal(mito_call_python(q, "os", "_exit", "i", 3, ""), -1);
    assert_error(MITO_E_CRASHED, "");
    assert_true(pid_gone(pids[1], PATIENCE));
}

/* Who asks for names that are none, gets nothing and harms nobody. */
static void test_names(void **state)
{
    (void)state;
    serve();
    struct mito_context *p = up();
    static const char *const names[] = {"../outer", "outer/inner", "outer..inner",
                                        ".",        "1",           "\xc3\xa4.b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(mito_call_python(p, "remote", "import_it", "s", names[i], "v", NULL), -1);
        assert_int_equal(mito_error_code(), MITO_E_REMOTE);
    }
    assert_int_equal(import_it(p, "simple"), 1);
    assert_int_equal(mito_call_python(p, "remote", "ask_for_rubbish", "", ""), 0);
    assert_int_equal(import_it(p, "helper"), 7);
}

/* The interpreter that finds modules is told others by the master alone. */
static void test_texts_of_others(void **state)
{
    (void)state;
    serve();
    struct mito_context *p = up(), *q = up();
    assert_int_equal(mito_call_python(p, "remote", "ask_for_text", "", ""), 0);
    assert_int_equal(import_it(q, "lonely"), 3);
    assert_int_equal(import_it(p, "lonely"), 3);
}

/* --- modules to serve --------------------------------------------------------------------------
 */

static void make_modules(void)
{
    snprintf(made, sizeof made, "%s/mt-python.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(made));
    assert_int_equal(mkdir(path_of("outer"), 0755), 0);
    write_file("simple.py", "VALUE = 1\n");
    write_file("outer/__init__.py", "from outer import leaf\n");
    write_file("outer/leaf.py", "VALUE = 7\n");
    write_file("outer/inner.py", "import helper\nfrom . import leaf\nimport json\n"
                                 "VALUE = 6 * helper.VALUE * leaf.VALUE // 7\n");
    assert_int_equal(mkdir(path_of("filed"), 0755), 0);
    assert_int_equal(mkdir(path_of("filed/sub"), 0755), 0);
    assert_int_equal(mkfifo(path_of("filed/pipe"), 0644), 0);
    write_file("filed/__init__.py", "");
    write_file("filed/a.txt", "text \xc3\xa4\n");
    write_file("filed/empty", "");
    write_file("filed/large", "");
    assert_int_equal(truncate(path_of("filed/large"), 33 * 1024 * 1024), 0);
    write_file("filed/with a blank", "blank\n");
    write_file("filed/sub/deep.txt", "deep\n");
    write_file("filed/odd\xff", "odd\n");
    assert_int_equal(symlink("../secret.txt", path_of("filed/link.txt")), 0);
    assert_int_equal(mkdir(path_of("sub"), 0755), 0);
    write_file("sub/deep.txt", "deep\n");
    write_file("secret.txt", "secret\n");
    write_file("a.txt", "of no package\n");
    write_file("helper.py", "import deeper\nVALUE = deeper.VALUE\n");
    write_file("deeper.py", "VALUE = 7\n");
    write_file("wrong.py", "def (:\n");
    write_file("lonely.py", "VALUE = 3\n");
    write_file("unreadable.py", "");
    assert_int_equal(unlink(path_of("unreadable.py")), 0);
    assert_int_equal(symlink("/proc/self/mem", path_of("unreadable.py")),
                     0); /* root cannot, either */
    write_script("old-python", "#!/bin/sh\nshift\nexec " PYTHON
                               " -c 'import sys; sys.version_info = (2, 4); t = sys.argv.pop(1); "
                               "exec(t)' \"$@\"\n");
    write_script("new-python",
                 "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'imp'\" >&2\nexit 1\n");
    assert_int_equal(mkdir(path_of("folder.py"), 0755), 0);
    write_script("syntax-python",
                 "#!/bin/sh\nprintf '  File \"<stdin>\", line 7\\n    with a:\\n' >&2\n"
                 "echo 'SyntaxError: invalid syntax' >&2\nexit 1\n");
    write_script("chatter", "#!/bin/sh\nwhile echo nonsense; do :; done\n");
    write_script("silent", "#!/bin/sh\nexec sleep 1000\n");
    write_script("later-python",
                 "#!/bin/sh\necho MITO002\nsleep 1\nprintf ML\nhead -c 24 /dev/zero\n"
                 "exec cat >/dev/null\n");
    write_script("half-a-frame",
                 "#!/bin/sh\necho MITO002\nsleep 1\nprintf MI\nhead -c 10 /dev/zero\n");
    write_script("dying-python", "#!/bin/sh\nread line\nexit 1\n");
    write_script("bare-python", "#!/bin/sh\nexec " PYTHON " -I -S \"$@\"\n");
}

static void remove_modules(void)
{
    char command[5000];

    snprintf(command, sizeof command, "rm -rf '%s'", made);
    if (system(command) != 0)
        fprintf(stderr, "%s: failed\n", command);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_calls),
        TREE_TEST(test_services),
        TREE_TEST(test_modules),
        TREE_TEST(test_files_of_packages),
        TREE_TEST(test_missing_modules),
        TREE_TEST(test_interpreters),
        TREE_TEST(test_nonsense),
        TREE_TEST(test_no_mitogen),
        TREE_TEST(test_long_complaint),
        TREE_TEST(test_no_interpreter_here),
        TREE_TEST(test_c_below_python),
        TREE_TEST(test_authority),
        TREE_TEST(test_unidirectional),
        TREE_TEST(test_ends),
        TREE_TEST(test_names),
        TREE_TEST(test_texts_of_others),
        TREE_TEST(test_master_interpreter_dies),
        TREE_TEST(test_master_interpreter_dies_always),
        TREE_TEST(test_killed_in_a_call),
    };
    const char *top = getenv("TOP") != NULL ? getenv("TOP") : ".";

    mito_start(argc, argv);
    snprintf(shipped, sizeof shipped, "%s/python", top);
    snprintf(interop, sizeof interop, "%s/tests/interop", top);
    make_modules();
    directories[0] = made;
    directories[1] = shipped;
    directories[2] = interop;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_modules();
    return failed;
}
