#include "password.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "memory.h"
#include "option.h"
#include "signals.h"

enum { PASSWORD_MAX = 1000 }; /* as the library has it */

/* One line, without its end. */
static int read_line(int tty, char *line, struct complaint *why)
{
    struct pollfd wait[2] = {{.fd = tty, .events = POLLIN}, {.fd = signals_fd(), .events = POLLIN}};
    for (size_t length = 0; length <= PASSWORD_MAX;) {
        int ready = poll(wait, 2, -1);
        if (signals_caught() != 0)
            return complain(why, "interrupted");
        if (ready < 0 || wait[0].revents == 0)
            continue;
        ssize_t n = read(tty, line + length, PASSWORD_MAX + 1 - length);
        if (n <= 0)
            return complain(why, "no password was given");
        length += (size_t)n;
        if (memchr(line, '\0', length) != NULL)
            return complain(why, "control character in password");
        if (line[length - 1] == '\n') {
            line[length - 1] = '\0';
            return check_text(line, "password", why);
        }
    }
    return complain(why, "a password of more than %d bytes", PASSWORD_MAX);
}

static void say(int tty, const char *text)
{
    ssize_t written = write(tty, text, strlen(text));
    (void)written; /* who cannot see the question does not answer */
}

/* Keys that would stop or kill us, and leave the terminal as it is, are off meanwhile; Ctrl-C is
 * caught. */
static int read_unseen(int tty, const char *what, char *line, struct complaint *why)
{
    struct termios before, unseen;
    if (tcgetattr(tty, &before) < 0)
        return complain(why, "cannot ask for a password: %s", strerror(errno));
    unseen = before;
    unseen.c_iflag |= ICRNL;
    unseen.c_lflag = (before.c_lflag & ~(tcflag_t)(ECHO | ECHONL)) | ICANON | ISIG;
    unseen.c_cc[VSUSP] = unseen.c_cc[VQUIT] = _POSIX_VDISABLE;
    if (tcsetattr(tty, TCSAFLUSH, &unseen) < 0)
        return complain(why, "cannot ask for a password: %s", strerror(errno));
    say(tty, "Password for ");
    say(tty, what);
    say(tty, ": ");
    int result = read_line(tty, line, why);
    tcflush(tty, TCIFLUSH); /* the rest of a line that was too long is not the shell's */
    tcsetattr(tty, TCSANOW, &before);
    say(tty, "\n");
    return result;
}

int password_ask(char **out, const char *what, struct complaint *why)
{
    char line[PASSWORD_MAX + 1];
    if (signals_start(why) < 0)
        return -1;
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty < 0)
        return complain(why, "no terminal to ask for a password on: %s", strerror(errno));
    int result = read_unseen(tty, what, line, why);
    if (result == 0)
        *out = memory_text(line);
    explicit_bzero(line, sizeof line);
    close(tty);
    return result;
}

static void wipe(char **text)
{
    if (*text != NULL)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void passwords_wipe(struct passwords *p)
{
    wipe(&p->account);
    wipe(&p->login);
}
