/* What the tests of ssh share: the hosts of tests/hosts/sshd-up, stand-ins for ssh(1), and what a
 * test must not leave behind. */
#ifndef E2E_TEST_SSH_H
#define E2E_TEST_SSH_H

#include "tree.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GONE_WITHIN = 5000 }; /* ms in which everything remote must end */

static char hosts_dir[200];    /* of sshd-up */
static char scripts_dir[150];  /* of the test's own scripts */
static char hosts_config[250]; /* for ssh -F */
static const char *const ssh_args[] = {"-F", hosts_config, NULL};

/* --- files and commands ------------------------------------------------------------------------
 */

static inline const char *top(void)
{
    const char *top_dir = getenv("TOP");

    return top_dir != NULL ? top_dir : ".";
}

/* What a shell command prints; the caller frees it. The command must succeed. */
__attribute__((format(printf, 1, 2))) static inline char *output_of(const char *format, ...)
{
    enum { OUTPUT_MAX = 256 * 1024 };
    char command[4096], *out = calloc(1, OUTPUT_MAX);
    size_t length = 0, n;
    va_list ap;

    va_start(ap, format);
    vsnprintf(command, sizeof command, format, ap);
    va_end(ap);
    FILE *pipe = popen(command, "re");
    if (pipe == NULL || out == NULL)
        fail_msg("cannot run: %s", command);
    while ((n = fread(out + length, 1, OUTPUT_MAX - 1 - length, pipe)) > 0)
        length += n;
    int status = pclose(pipe);
    if (status != 0)
        fail_msg("status %d: %s", status, command);
    return out;
}

/* An executable sh script in scripts_dir; its path, valid until that many more were made. */
__attribute__((format(printf, 2, 3))) static inline const char *script(const char *name,
                                                                       const char *format, ...)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % LENGTH(paths)];
    va_list ap;

    snprintf(path, sizeof paths[0], "%s/%s", scripts_dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("#!/bin/sh\n", file);
    va_start(ap, format);
    vfprintf(file, format, ap);
    va_end(ap);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

/* --- hosts -------------------------------------------------------------------------------------
 */

/* For a group's setup: directories, and the hosts of these names ("" for no hosts). */
static inline int hosts_up(const char *names)
{
    const char *tmp = getenv("TMPDIR");
    char command[1000];

    snprintf(scripts_dir, sizeof scripts_dir, "%.100s/ssh-%d", tmp != NULL ? tmp : "/tmp",
             (int)getpid());
    snprintf(hosts_dir, sizeof hosts_dir, "%s/hosts", scripts_dir);
    snprintf(hosts_config, sizeof hosts_config, "%s/ssh_config", hosts_dir);
    if (mkdir(scripts_dir, 0755) < 0 || chmod(scripts_dir, 0755) < 0)
        return -1;
    if (*names == '\0')
        return 0;
    snprintf(command, sizeof command, "'%s/tests/hosts/sshd-up' '%s' --names %s", top(), hosts_dir,
             names);
    return system(command);
}

static inline int hosts_down(void **state)
{
    char command[1000];

    (void)state;
    snprintf(command, sizeof command, "'%s/tests/hosts/sshd-down' '%s' && rm -rf '%s'", top(),
             hosts_dir, scripts_dir);
    return system(command);
}

/* A context over ssh that must come up: ssh_up(.hostname = "good"). */
#define ssh_up(...) tree_up_(mito_ssh(tree, .ssh_args = ssh_args, __VA_ARGS__), __LINE__)

/* --- what is left behind ----------------------------------------------------------------------
 */

/* The lines of tests/hosts/leftovers of that kind ("file", "process", "*" for both); of processes
 * only those that run this program. The caller frees it. */
static inline char *leftovers(const char *kind)
{
    return output_of("'%s/tests/hosts/leftovers' --image /proc/%d/exe '%s' |"
                     "while read -r kind what rest; do "
                     "case $kind in %s) ;; *) continue;; esac; "
                     "case $kind in process) cmp -s /proc/$what/exe /proc/%d/exe || continue;; "
                     "esac; echo \"$kind $what\"; done",
                     top(), (int)getpid(), scripts_dir, kind, (int)getpid());
}

static inline bool has_line(const char *text, const char *line, size_t length)
{
    for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
        if (strcspn(at, "\n") == length && strncmp(at, line, length) == 0)
            return true;
    }
    return false;
}

/* Keeps those lines of `text` that are in `other`, or those that are not. */
static inline void keep_lines(char *text, const char *other, bool in)
{
    char *to = text;

    for (char *at = text; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        size_t whole = length + (at[length] == '\n');
        bool keep = has_line(other, at, length) == in;
        memmove(to, at, whole);
        at += whole;
        to += keep ? whole : 0;
    }
    *to = '\0';
}

/* Nothing of that kind is there that was not before. What other programs make and take away does
 * not count: only what stays for `timeout` ms does. */
#define assert_nothing_new(before, kind, timeout)                                                  \
    assert_nothing_new_(before, kind, timeout, __LINE__)
static inline void assert_nothing_new_(const char *before, const char *kind, int timeout, int line)
{
    int64_t until = now_ms() + timeout;
    char *found = leftovers(kind);

    keep_lines(found, before, false);
    while (*found != '\0') {
        if (now_ms() > until)
            fail_msg("line %d: left behind:\n%s", line, found);
        sleep_ms(20);
        char *now = leftovers(kind);
        keep_lines(found, now, true);
        free(now);
    }
    free(found);
}

/* --- processes ---------------------------------------------------------------------------------
 */

/* Field of /proc/PID/status, as a number; -1 when there is none. */
static inline long status_of(pid_t pid, const char *field)
{
    char path[64], line[256];
    long value = -1;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
            value = strtol(line + strlen(field) + 1, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return value;
}

static inline pid_t parent_of(pid_t pid)
{
    return (pid_t)status_of(pid, "PPid");
}

/* The child process of `parent` with that name (comm); 0 when there is none. */
static inline pid_t child_named(pid_t parent, const char *name)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");

    assert_non_null(proc);
    for (struct dirent *entry; (entry = readdir(proc)) != NULL && found == 0;) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        char path[64], comm[64] = "";
        if (pid <= 0 || parent_of(pid) != parent)
            continue;
        snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
        FILE *file = fopen(path, "re");
        if (file != NULL && fgets(comm, sizeof comm, file) != NULL) {
            comm[strcspn(comm, "\n")] = '\0';
            if (strcmp(comm, name) == 0)
                found = pid;
        }
        if (file != NULL)
            fclose(file);
    }
    closedir(proc);
    return found;
}

/* This process has no child of that name, in a while at most. */
static inline void assert_no_child(const char *name)
{
    int64_t until = now_ms() + GONE_WITHIN;

    while (child_named(getpid(), name) != 0) {
        if (now_ms() > until)
            fail_msg("there is still a process %s", name);
        sleep_ms(10);
    }
}

#endif
