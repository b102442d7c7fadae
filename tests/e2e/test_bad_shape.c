/* Hosts in bad shape: nothing writable, a broken PATH, little memory, few descriptors, old kernels.
 * The table in docs/bad-shape.md says what each is to come to. */
#include "test_target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* --- no place for a file -----------------------------------------------------------------------
 */

/* Read-only, all of it. */
#define NOWHERE                                                                                    \
    "for p in /dev/shm /run /tmp /var/tmp; do mount --rbind $p $p; "                               \
    "mount -o remount,bind,ro $p; done; mount -o remount,bind,ro /; cd /; "
#define WITHOUT_NAMES    "unset XDG_RUNTIME_DIR HOME; "
#define WITHOUT(program) "mount --bind /dev/null \"$(type -P " program ")\"; "
#define USUAL_PATH       "PATH=/usr/local/bin:/usr/bin:/bin; "

static void works_in_memory(const char *mounts)
{
    struct mito_context *context = works(.mounts = mounts, .setup = USUAL_PATH WITHOUT_NAMES);

    assert_string_equal(place_of(context), IN_MEMORY);
    tree_local(.via = context); /* it knows what its image is */
}

static void memory_by_perl(void **state)
{
    (void)state;
    works_in_memory(USUAL_PATH NOWHERE WITHOUT("python3"));
}

static void memory_by_python(void **state)
{
    (void)state;
    works_in_memory(USUAL_PATH NOWHERE WITHOUT("perl"));
}

/* Full places were tried first: what is sent next is for the file in memory. */
static void memory_after_full_places(void **state)
{
    (void)state;
    works_in_memory(USUAL_PATH NOWHERE "mount -t tmpfs -o size=64k none /tmp; "
                                       "mount -t tmpfs -o size=64k none /var/tmp; ");
}

static void no_interpreter(void **state)
{
    (void)state;
    fails(MITO_E_NO_PLACE, "/tmp(full) /var/tmp(cannot execute)", .setup = WITHOUT_NAMES,
          .mounts = NOWHERE NO_INTERPRETERS "mount -t tmpfs -o size=64k none /tmp; "
                                            "mount -t tmpfs -o noexec none /var/tmp; ");
    fails(MITO_E_NO_PLACE, "perl(missing) python3(missing) python(missing)", .setup = WITHOUT_NAMES,
          .mounts = NOWHERE NO_INTERPRETERS);
}

static void no_dev_null(void **state)
{
    (void)state;
    fails(MITO_E_NO_PLACE, "/dev/null(missing)", .mounts = "mount -t tmpfs none /dev");
    works(.mounts = "touch /tmp/.null-$$; mount --bind /dev/null /tmp/.null-$$; "
                    "mount -t tmpfs none /dev; touch /dev/null; "
                    "mount --bind /tmp/.null-$$ /dev/null; umount /tmp/.null-$$; "
                    "rm /tmp/.null-$$");
}

/* --- PATH --------------------------------------------------------------------------------------
 */

static void path_leads_nowhere(void **state)
{
    static const char *const setups[] = {"unset PATH", "export PATH=", "export PATH=/nonexistent",
                                         "export PATH=relative:"};

    (void)state;
    for (size_t i = 0; i < LENGTH(setups); i++)
        works(.setup = setups[i]);
}

static void restricted_shell(void **state)
{
    (void)state;
    fails(MITO_E_NO_SHELL, "restricted", .shell = "/bin/bash -r");
}

/* --- few descriptors ---------------------------------------------------------------------------
 */

static void few_descriptors(void **state)
{
    struct mito_context *context = works(.setup = "ulimit -n 32"), *child = NULL;
    pid_t pid = tree_pid_of(context);
    int made = 0;

    (void)state;
    struct mito_context *grandchild = tree_local(.via = context);
    while (made < 32 && (child = mito_local(tree, .via = context)) != NULL)
        made++;
    assert_in_range(made, 1, 20);
    assert_error(MITO_E_SYSTEM, "Too many open files");
    assert_int_equal(tree_pid_of(context), pid); /* all is as it was */
    assert_int_not_equal(tree_pid_of(grandchild), pid);
    assert_int_equal(mito_context_shutdown(grandchild, PATIENCE), 0);
    /* and there is room again, once its process has been seen to end over there */
    child = NULL;
    for (int64_t until = now_ms() + PATIENCE; child == NULL && now_ms() < until; sleep_ms(10))
        child = mito_local(tree, .via = context);
    tree_up_(child, __LINE__);
}

/* --- little memory -----------------------------------------------------------------------------
 */

MITO_FUNCTION(eat_memory)
{
    enum { BITE = 1024 * 1024 };

    (void)call;
    for (;;) {
        char *bite = malloc(BITE);
        if (bite == NULL)
            return mito_fail(call, MITO_E_USER, "malloc refuses");
        memset(bite, 1, BITE);
    }
}

static char group[200];

static void make_group(void)
{
    const char *root = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
                           ? "/sys/fs/cgroup"
                           : "/sys/fs/cgroup/memory";

    snprintf(group, sizeof group, "%s/mt-%d", root, (int)getpid());
    free(output_of("mkdir '%s' && cd '%s' && "
                   "if [ -e memory.max ]; then echo 64M >memory.max && echo 0 >memory.swap.max; "
                   "else echo 64M >memory.limit_in_bytes; fi",
                   group, group));
}

static int remove_group(void **state)
{
    int rc = tree_close(state);

    for (int64_t until = now_ms() + PATIENCE; rmdir(group) < 0 && now_ms() < until; sleep_ms(20))
        ;
    return access(group, F_OK) == 0 ? -1 : rc;
}

static void little_memory(void **state)
{
    char setup[300];

    (void)state;
    make_group();
    snprintf(setup, sizeof setup, "echo $$ >'%s/cgroup.procs'", group);
    struct mito_context *context = works(.setup = setup);
    struct mito_context *child = tree_local(.via = context);
    assert_int_equal(mito_call_timeout(child, PATIENCE, &eat_memory, "", ""), -1);
    assert_error(MITO_E_DEAD, "was killed by signal 9");
    tree_pid_of(context); /* its parent is well */
    assert_int_equal(mito_call_timeout(context, PATIENCE, &eat_memory, "", ""), -1);
    assert_error(MITO_E_DEAD, "was killed by signal 9");
}

/* --- old kernels -------------------------------------------------------------------------------
 */

static const long new_calls[] = {
    SYS_memfd_create, SYS_getrandom,         SYS_execveat,
#ifdef SYS_pidfd_open
    SYS_pidfd_open,   SYS_pidfd_send_signal,
#endif
#ifdef SYS_close_range
    SYS_close_range,
#endif
#ifdef SYS_epoll_pwait2
    SYS_epoll_pwait2,
#endif
};

/* These system calls fail with `error` from now on, here and in what is started. */
static int forbid_new_calls(int error)
{
    enum { FIRST = 1, COUNT = LENGTH(new_calls) };
    struct sock_filter filter[COUNT + 3] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        [FIRST + COUNT] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error)};

    for (int i = 0; i < COUNT; i++)
        filter[FIRST + i] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (unsigned)new_calls[i], (unsigned char)(COUNT - i), 0);
    const struct sock_fprog program = {COUNT + 3, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0
               ? -1
               : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* old-kernel ERROR PROGRAM...: starts it as on such a kernel. */
static int on_old_kernel(char **argv)
{
    if (forbid_new_calls(atoi(argv[0])) < 0 || execv(argv[1], argv + 1) < 0)
        perror("old-kernel");
    return 1;
}

/* old-master: a whole program on such a kernel. */
static int old_master(void)
{
    struct mito_context *local = NULL, *remote = NULL;
    int64_t pid = 0;

    tree = mito_router_new(NULL);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat st;
    fstat(fd, &st);
    void *image = malloc((size_t)st.st_size);
    if (read(fd, image, (size_t)st.st_size) != st.st_size ||
        mito_set_image(image, (size_t)st.st_size) < 0 || (local = mito_local(tree)) == NULL ||
        (remote = connect_to(&(const struct target){0})) == NULL ||
        mito_call(remote, &tree_pid, "", "i", &pid) < 0 ||
        mito_call(local, &tree_pid, "", "i", &pid) < 0)
        printf("%s\n", mito_error());
    if (pid > 0) {
        kill((pid_t)pid, SIGKILL);
        if (mito_call(local, &tree_pid, "", "i", &pid) < 0)
            printf("then %s\n", mito_error());
        printf("%s\n", mito_context_shutdown(remote, PATIENCE) == 0 ? "ended" : mito_error());
    }
    mito_router_free(tree);
    free(image);
    close(fd);
    return 0;
}

/* ENOSYS, or what old container engines say about system calls that they do not know. */
static const int refusals[] = {ENOSYS, EPERM};

static const char *old_shell(int error)
{
    static char shell[100];

    snprintf(shell, sizeof shell, "/proc/%d/exe old-kernel %d /bin/sh", (int)getpid(), error);
    return shell;
}

static void old_kernel_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(refusals); i++) {
        struct mito_context *context = works(.shell = old_shell(refusals[i]));
        struct mito_context *child = tree_local(.via = context);
        pid_t pid = tree_pid_of(child);
        assert_int_equal(mito_context_shutdown(child, PATIENCE), 0);
        assert_true(pid_gone(pid, GONE_WITHIN));
        child = tree_local(.via = context);
        assert_int_equal(kill(tree_pid_of(child), SIGKILL), 0);
        assert_int_equal(mito_call_timeout(child, PATIENCE, &tree_pid, "", ""), -1);
        assert_error(MITO_E_DEAD, "was killed by signal 9");
    }
}

static void old_kernel_here(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(refusals); i++) {
        char *out = output_of("/proc/%d/exe old-kernel %d /proc/%d/exe old-master", (int)getpid(),
                              refusals[i], (int)getpid());
        if (strstr(out, "was killed by signal 9") == NULL || strstr(out, "ended") == NULL)
            fail_msg("%s: %s", strerror(refusals[i]), out);
        free(out);
    }
}

/* What stays is a place in a file system. */
static void old_kernel_without_a_place(void **state)
{
    (void)state;
    fails(MITO_E_NO_PLACE, "perl(no memfd) python3(no memfd)", .shell = old_shell(ENOSYS),
          .mounts = NOWHERE, .setup = USUAL_PATH WITHOUT_NAMES);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(memory_by_perl),
        TREE_TEST(memory_by_python),
        TREE_TEST(memory_after_full_places),
        TREE_TEST(no_interpreter),
        TREE_TEST(no_dev_null),
        TREE_TEST(path_leads_nowhere),
        TREE_TEST(restricted_shell),
        TREE_TEST(few_descriptors),
        cmocka_unit_test_setup_teardown(little_memory, tree_open, remove_group),
        TREE_TEST(old_kernel_there),
        TREE_TEST(old_kernel_here),
        TREE_TEST(old_kernel_without_a_place),
    };

    if (argc > 3 && strcmp(argv[1], "old-kernel") == 0)
        return on_old_kernel(argv + 2);
    mito_start(argc, argv);
    if (argc > 1 && strcmp(argv[1], "old-master") == 0)
        return old_master();
    return cmocka_run_group_tests(tests, up, down);
}
