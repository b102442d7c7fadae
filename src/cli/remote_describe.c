/* What `mitosis tree` asks of each context. */
#define MITO_MODULE "cli"
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { PASSWD_MAX = 1 << 20 /* bytes of /etc/passwd that are looked at */ };

static char *read_passwd(void)
{
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    char *text = malloc(PASSWD_MAX + 1);
    size_t length = 0;
    ssize_t n = 1;

    while (fd >= 0 && text != NULL && n > 0 && length < PASSWD_MAX) {
        n = read(fd, text + length, PASSWD_MAX - length);
        length += n > 0 ? (size_t)n : 0;
    }
    if (text != NULL)
        text[length] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

static void copy_text(char *out, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

/* The effective user by name, failing that by number. Read by hand: getpwuid() and printf() would
 * make what is sent to every host a tenth larger. */
static void name_user(char *out, size_t size)
{
    char digits[16], *number = digits + sizeof digits;
    char *text = read_passwd(), *next = text;
    uid_t uid = geteuid();

    *--number = '\0';
    do
        *--number = (char)('0' + uid % 10);
    while ((uid /= 10) > 0);
    copy_text(out, size, number);
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        const char *name = strsep(&line, ":");
        strsep(&line, ":"); /* the password */
        const char *field = strsep(&line, ":");
        if (field != NULL && strcmp(field, number) == 0) {
            copy_text(out, size, name);
            break;
        }
    }
    free(text);
}

int self_describe(struct self *out)
{
    struct utsname machine;
    if (uname(&machine) < 0)
        return -1;
    name_user(out->user, sizeof out->user);
    copy_text(out->host, sizeof out->host, machine.nodename);
    copy_text(out->machine, sizeof out->machine, machine.machine);
    return 0;
}

MITO_FUNCTION(describe)
{
    struct self self;
    if (mito_args(call, "") < 0)
        return -1;
    if (self_describe(&self) < 0)
        return mito_fail(call, MITO_E_SYSTEM, "uname: %s", strerror(errno));
    return mito_return(call, "siss", self.user, getpid(), self.host, self.machine);
}

MITO_FUNCTION(ping)
{
    return mito_args(call, "");
}
