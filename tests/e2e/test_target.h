/* What the tests of bare targets share: this machine in the place of another one, with other
 * surroundings, by first_stage/ssh. */
#ifndef E2E_TEST_TARGET_H
#define E2E_TEST_TARGET_H

#include "test_ssh.h"

static char *before; /* what was left here by others */

/* See first_stage/ssh. */
struct target {
    const char *shell, *setup, *mounts, *input;
};

static inline void set_or_unset(const char *name, const char *value)
{
    assert_int_equal(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
}

static inline void describe(const struct target *t)
{
    set_or_unset("MT_SHELL", t->shell);
    set_or_unset("MT_SETUP", t->setup);
    set_or_unset("MT_MOUNTS", t->mounts);
    set_or_unset("MT_INPUT", t->input);
}

static inline const char *stand_in(void)
{
    static char ssh[300];

    snprintf(ssh, sizeof ssh, "%s/tests/e2e/first_stage/ssh", top());
    return ssh;
}

static inline struct mito_context *connect_to(const struct target *t)
{
    describe(t);
    return mito_ssh(tree, .hostname = "target", .ssh_path = stand_in());
}

#define IN_MEMORY "/memfd:mitosis (deleted)"

/* Where its image was: the directory, which is gone; or IN_MEMORY. */
static inline const char *place_of(struct mito_context *context)
{
    static char exe[PATH_MAX];
    char path[PATH_MAX + 64];
    pid_t pid = tree_pid_of(context);

    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    memset(exe, 0, sizeof exe);
    assert_true(readlink(path, exe, sizeof exe - 1) > 0);
    if (strcmp(exe, IN_MEMORY) == 0)
        return exe;
    snprintf(path, sizeof path, "/.mitosis-%d/image (deleted)", (int)pid);
    char *end = strstr(exe, path);
    if (end == NULL || end[strlen(path)] != '\0')
        fail_msg("it runs from: %s", exe);
    *strrchr(exe, '/') = '\0';
    snprintf(path, sizeof path, "/proc/%d/root%s", (int)pid, exe);
    if (access(path, F_OK) == 0)
        fail_msg("there is still: %s", path);
    *end = '\0';
    return exe;
}

/* That target's surroundings must do. */
#define works(...) works_(&(const struct target){__VA_ARGS__}, __LINE__)
static inline struct mito_context *works_(const struct target *t, int line)
{
    struct mito_context *context = tree_up_(connect_to(t), line);

    assert_int_not_equal(tree_pid_of(context), getpid());
    place_of(context);
    return context;
}

#define fails(code, part, ...) fails_(&(const struct target){__VA_ARGS__}, code, part, __LINE__)
static inline void fails_(const struct target *t, int code, const char *part, int line)
{
    if (connect_to(t) != NULL)
        fail_msg("line %d: it works", line);
    assert_error(code, part);
    assert_nothing_new_(before, "*", GONE_WITHIN, line);
}

/* For .mounts: programs that could help are there, but cannot be started. */
#define NO_INTERPRETERS                                                                            \
    "for i in perl python3 python; do for i in $(type -ap $i); do "                                \
    "mount --bind /dev/null $i; done; done; "

/* A directory of its own with these programs: "name" is the machine's, "name=path" another one. */
static inline const char *bin(const char *name, const char *programs)
{
    static char dir[256];

    snprintf(dir, sizeof dir, "%s/%s", scripts_dir, name);
    free(output_of("mkdir -p '%s' && cd '%s' && for p in %s; do "
                   "case $p in *=*) ln -sf \"${p#*=}\" \"${p%%%%=*}\";; "
                   "*) ln -sf \"$(command -v $p)\" $p;; esac; done",
                   dir, dir, programs));
    return dir;
}

#define TOOLS "uname mkdir rm chmod cat "

/* Around a group of tests. */
static inline int up(void **state)
{
    (void)state;
    if (hosts_up("") != 0)
        return -1;
    before = leftovers("*");
    return 0;
}

static inline int down(void **state)
{
    assert_nothing_new(before, "*", GONE_WITHIN);
    free(before);
    return hosts_down(state);
}

#endif
