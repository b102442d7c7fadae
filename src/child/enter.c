#include "child/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/format.h"
#include "base/text.h"
#include "io/fd.h"

enum { OUTPUT_MAX = 64 * 1024, PASSWD_MAX = 1024 * 1024, GROUPS_MAX = 64 };

/* The system calls themselves. libc's functions make every thread do it, which takes 3 KB; who
 * enters has no other thread yet. */
#ifdef SYS_setuid32
enum { SET_UID = SYS_setuid32, SET_GID = SYS_setgid32, SET_GROUPS = SYS_setgroups32 };
#else
enum { SET_UID = SYS_setuid, SET_GID = SYS_setgid, SET_GROUPS = SYS_setgroups };
#endif

/* --- whose namespaces ---------------------------------------------------------------------------
 */

/* How the tool of each kind is asked for the container's first process: NAME stands for the name;
 * what it prints is the number, or has it behind `key`. */
static const struct kind {
    const char *name, *tool;
    const char *words[6];
    const char *key;
} kinds[] = {
    {"docker", "docker", {"inspect", "--format={{.State.Pid}}", "--", "NAME"}, NULL},
    {"podman", "podman", {"inspect", "--format={{.State.Pid}}", "--", "NAME"}, NULL},
    {"lxc", "lxc-info", {"--no-humanize", "--pid", "--name", "NAME"}, NULL},
    {"lxd", "lxc", {"info", "--", "NAME"}, "PID:"},
    {"incus", "incus", {"info", "--", "NAME"}, "PID:"},
    {"machinectl", "machinectl", {"show", "--property=Leader", "--value", "NAME"}, NULL},
};

static const struct kind *kind_named(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

bool enter_knows(const char *kind)
{
    return kind_named(kind) != NULL;
}

/* In the new process: runs the tool, which speaks to its standard error, ours. */
_Noreturn static void run_tool(const struct kind *k, const struct enter *e, int out)
{
    const char *argv[sizeof k->words / sizeof *k->words + 2] = {k->tool};
    int null = open("/dev/null", O_RDWR);

    if (*e->tool != '\0')
        argv[0] = e->tool;
    for (size_t i = 0; i < sizeof k->words / sizeof *k->words && k->words[i] != NULL; i++)
        argv[i + 1] = strcmp(k->words[i], "NAME") == 0 ? e->container : k->words[i];
    if (null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1)
        execvp(argv[0], (char **)(uintptr_t)argv);
    _exit(errno == ENOENT ? 127 : 126);
}

static int read_all(int fd, struct buf *out, size_t most)
{
    ssize_t n = 1;

    while (n > 0 && out->length < most) {
        if (buf_reserve(out, 4096) < 0)
            return -1;
        n = read(fd, out->data + out->length, 4096);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            out->length += (size_t)n;
    }
    return n < 0 ? error_errno("read") : buf_byte(out, 0);
}

static int parse_pid(const struct kind *k, const struct enter *e, const char *text)
{
    const char *at = k->key == NULL ? text : text_find(text, strlen(text), k->key);

    if (at != NULL && k->key != NULL)
        at += strlen(k->key);
    while (at != NULL && (*at == ' ' || *at == '\n'))
        at++;
    uint64_t pid = at != NULL ? text_number(&at) : 0;
    if (pid == 0 || pid > INT32_MAX)
        return error_set(MITO_E_STOPPED, "%s is not running", e->container);
    return (int)pid;
}

static int find_pid(const struct enter *e)
{
    const struct kind *k = kind_named(e->kind);
    AUTO_BUF text = {0};
    AUTO_FD in = -1;
    int pipe_fds[2], status;

    if (k == NULL)
        return error_set(MITO_E_INVALID, "unknown kind of container");
    if (fd_pipe(pipe_fds) < 0)
        return -1;
    in = pipe_fds[0];
    fcntl(in, F_SETFL, 0); /* there is nothing else to do meanwhile */
    pid_t pid = fork();
    if (pid == 0)
        run_tool(k, e, pipe_fds[1]);
    close(pipe_fds[1]);
    if (pid < 0)
        return error_errno("fork");
    if (read_all(in, &text, OUTPUT_MAX) < 0)
        return -1;
    bool cut = text.length > OUTPUT_MAX;
    fd_close(&in); /* it must not wait for us to read the rest */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return error_set(MITO_E_NO_TOOL, "%s: no such program here", k->tool);
    if (!cut && status != 0)
        return error_set(MITO_E_NO_CONTAINER, "%s does not know %s", k->tool, e->container);
    return parse_pid(k, e, (const char *)text.data);
}

/* --- entering -----------------------------------------------------------------------------------
 */

/* In this order; the rights to enter come with the first, where that is another one. */
static const struct namespace
{
    const char *name;
    int flag;
}
namespaces[] = {
    {"user", CLONE_NEWUSER}, {"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC},
    {"uts", CLONE_NEWUTS},   {"net", CLONE_NEWNET},       {"pid", CLONE_NEWPID},
    {"mnt", CLONE_NEWNS},
};
enum { COUNT = sizeof namespaces / sizeof *namespaces, PID_NAMESPACE = 5 };

enum { NS_OURS = -1, NS_FAILED = -2 };

/* Opens that of the process; NS_OURS when it is ours, or not in this kernel. */
static int open_namespace(int pid, const char *name)
{
    char path[64], own[64];
    struct stat theirs, ours;
    int fd;

    format_to(path, sizeof path, "/proc/%d/ns/%s", pid, name);
    format_to(own, sizeof own, "/proc/self/ns/%s", name);
    if (stat(own, &ours) < 0)
        return NS_OURS;
    if (stat(path, &theirs) < 0)
        return NS_FAILED;
    if (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev)
        return NS_OURS;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? NS_FAILED : fd;
}

static int join(const int *fds, int root_fd)
{
    for (int i = 0; i < COUNT; i++) {
        if (fds[i] >= 0 && setns(fds[i], namespaces[i].flag) < 0 &&
            namespaces[i].flag != CLONE_NEWCGROUP)
            return error_errno("setns(%s)", namespaces[i].name);
    }
    if (fchdir(root_fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return error_errno("its root directory");
    if (fds[0] >= 0 &&
        (syscall(SET_GID, 0) < 0 || syscall(SET_UID, 0) < 0)) /* who we were is nobody there */
        return error_errno("setuid");
    return 0;
}

/* The process that waits for the one in the other namespace: whoever started us watches it. */
_Noreturn static void wait_for(pid_t pid)
{
    int status = 0;

    fd_close_from(0, -1);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 70);
}

static int enter_process(int pid)
{
    char path[64];
    int fds[COUNT], rc = -1;

    format_to(path, sizeof path, "/proc/%d/root", pid);
    int root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int missing = errno;
    bool all = root_fd >= 0;
    for (int i = 0; i < COUNT; i++) {
        fds[i] = open_namespace(pid, namespaces[i].name);
        if (all && fds[i] == NS_FAILED) { /* it has ended meanwhile: never enter a part of it */
            missing = errno;
            all = false;
        }
    }
    if (all)
        rc = join(fds, root_fd);
    else if (missing == ENOENT || missing == ESRCH)
        error_set(MITO_E_NO_CONTAINER, "%d: no such process", pid);
    else
        error_set(MITO_E_SYSTEM, "%s: %s", path, strerror(missing));
    bool another = fds[PID_NAMESPACE] >= 0; /* only processes made from now on are in it */
    for (int i = 0; i < COUNT; i++)
        fd_close(&fds[i]); /* leaves what is negative alone */
    fd_close(&root_fd);
    if (rc < 0 || !another)
        return rc;
    pid_t child = fork();
    if (child > 0)
        wait_for(child);
    return child < 0 ? error_errno("fork") : 0;
}

/* --- becoming somebody --------------------------------------------------------------------------
 */

static int read_file(const char *path, struct buf *out)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_errno("%s", path);
    return read_all(fd, out, PASSWD_MAX);
}

/* Splits a line of passwd(5) or group(5) in place. How many fields there are, `most` at most. */
static int split(char *line, char **fields, int most)
{
    int n = 0;

    for (char *next = line; next != NULL && n < most; n++)
        fields[n] = strsep(&next, ":");
    return n;
}

static uint64_t number_of(const char *field)
{
    return text_number(&field);
}

static bool is_member(char *list, const char *user)
{
    for (char *name; (name = strsep(&list, ",")) != NULL;) {
        if (strcmp(name, user) == 0)
            return true;
    }
    return false;
}

/* Read by hand: libc's functions for it are larger than all the rest of this file. */
static int set_groups(const char *user, gid_t own)
{
    AUTO_BUF text = {0};
    gid_t groups[GROUPS_MAX] = {own};
    size_t count = 1;

    if (read_file("/etc/group", &text) == 0) {
        char *next = (char *)text.data, *line, *f[4];
        while ((line = strsep(&next, "\n")) != NULL && count < GROUPS_MAX) {
            if (split(line, f, 4) == 4 && is_member(f[3], user))
                groups[count++] = (gid_t)number_of(f[2]);
        }
    }
    return syscall(SET_GROUPS, count, groups) < 0 ? error_errno("setgroups") : 0;
}

static int become(const char *user, uid_t uid, gid_t gid, const char *home)
{
    if (set_groups(user, gid) < 0)
        return -1;
    if (syscall(SET_GID, gid) < 0 || syscall(SET_UID, uid) < 0)
        return error_errno("setuid");
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L); /* else our own /proc/self is not ours to use */
    setenv("USER", user, 1);
    setenv("LOGNAME", user, 1);
    setenv("HOME", home, 1);
    if (chdir(home) < 0 && chdir("/") < 0)
        return error_errno("/");
    return 0;
}

static int become_user(const char *user)
{
    AUTO_BUF text = {0};
    const char *end = user;
    uint64_t number = text_number(&end);

    if (end > user && *end == '\0' && number <= INT32_MAX)
        return become(user, (uid_t)number, (gid_t)number, "/");
    if (read_file("/etc/passwd", &text) < 0)
        return -1;
    char *next = (char *)text.data, *line, *f[7];
    while ((line = strsep(&next, "\n")) != NULL) {
        if (split(line, f, 7) >= 6 && strcmp(f[0], user) == 0)
            return become(user, (uid_t)number_of(f[2]), (gid_t)number_of(f[3]), f[5]);
    }
    return error_set(MITO_E_NO_USER, "%s: no such user", user);
}

int enter_namespaces(const struct enter *e)
{
    int pid = e->pid;

    if (pid == 0 && *e->kind == '\0')
        return 0;
    if (pid == 0 && (pid = find_pid(e)) < 0)
        return -1;
    if (enter_process(pid) < 0)
        return -1;
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    return *e->username != '\0' ? become_user(e->username) : 0;
}
