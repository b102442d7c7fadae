/* box DIR COMMAND...: runs a command with the private directories of DIR in place of the machine's,
 * see box-up. It is box-exec's, and compiled by box-up: six times mount(8) takes longer than most
 * of what is to be run. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const places[] = {"/run", "/etc", "/var/log", "/var/mail", "/var/lib/sudo"};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "box: %s: %s\n", what, strerror(errno));
    exit(125);
}

static void inside(char *path, size_t size, const char *dir, const char *place)
{
    if (snprintf(path, size, "%s%s", dir, place) >= (int)size) {
        errno = ENAMETOOLONG;
        die(dir);
    }
}

/* A directory that is missing on this machine needs no private one. */
static void cover(const char *dir, const char *place)
{
    char path[4096];

    inside(path, sizeof path, dir, place);
    if (access(place, F_OK) == 0 && mount(path, place, NULL, MS_BIND, NULL) != 0)
        die(place);
}

/* Whatever else happens: no command in here changes the passwords of this machine. */
static void check(const char *dir)
{
    char path[4096];
    struct stat ours, here;

    inside(path, sizeof path, dir, "/etc");
    if (stat(path, &ours) != 0 || stat("/etc", &here) != 0)
        die(path);
    if (ours.st_dev != here.st_dev || ours.st_ino != here.st_ino) {
        errno = EBUSY;
        die(path);
    }
}

int main(int argc, char **argv)
{
    char name[4096];

    if (argc < 3) {
        fprintf(stderr, "usage: box DIR COMMAND...\n");
        return 2;
    }
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS) != 0)
        die("unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        die("/");
    /* /run gets two mounts: the lower one only names the box, for pids_in_box of lib.sh, in a way
     * that stays also when DIR is deleted. */
    if (snprintf(name, sizeof name, "mt-box:%s", argv[1]) >= (int)sizeof name ||
        mount(name, "/run", "tmpfs", 0, "size=4k,mode=755") != 0)
        die("/run");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        cover(argv[1], places[i]);
    check(argv[1]);
    if (sethostname("box", 3) != 0)
        die("sethostname");
    execvp(argv[2], argv + 2);
    fprintf(stderr, "box: %s: %s\n", argv[2], strerror(errno));
    return errno == ENOENT ? 127 : 126;
}
