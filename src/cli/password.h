/* Passwords that the user types when the command begins. They are kept here alone, and until the
 * last hop has been told. */
#ifndef CLI_PASSWORD_H
#define CLI_PASSWORD_H

#include "cli.h"

struct passwords {
    char *account; /* for hops of sudo, su, doas; NULL: none */
    char *login;   /* for hops of ssh; NULL: none */
};

/* Asks on the terminal, without showing what is typed: 0, or -1 with a complaint, or because a
 * signal was caught (see signals_caught()). */
int password_ask(char **out, const char *what, struct complaint *why);
/* Leaves none. */
void passwords_wipe(struct passwords *p);

#endif
