/* The options by which subcommands are told where to go: -H, -f, --local, --via, --sudo; and what
 * is to be told there: --ask-pass, --ask-ssh-pass; and through whom: --connect. */
#ifndef CLI_HOST_OPTIONS_H
#define CLI_HOST_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

#include "hosts.h"
#include "plan.h"

enum {
    OPTION_LOCAL = 256,
    OPTION_VIA,
    OPTION_SUDO,
    OPTION_ASK_PASS,
    OPTION_ASK_SSH_PASS,
    OPTION_CONNECT,
    OPTION_OTHER, /* from here on: free */
};

#define HOST_SHORT_OPTIONS "H:f:h"
#define LONG_OPTION(name, argument, value)                                                         \
    {                                                                                              \
        (name), argument, NULL, (value)                                                            \
    }
#define HOST_LONG_OPTIONS                                                                          \
    LONG_OPTION("hosts", required_argument, 'H'), LONG_OPTION("file", required_argument, 'f'),     \
        LONG_OPTION("local", required_argument, OPTION_LOCAL),                                     \
        LONG_OPTION("via", required_argument, OPTION_VIA),                                         \
        LONG_OPTION("sudo", optional_argument, OPTION_SUDO),                                       \
        LONG_OPTION("ask-pass", no_argument, OPTION_ASK_PASS),                                     \
        LONG_OPTION("ask-ssh-pass", no_argument, OPTION_ASK_SSH_PASS),                             \
        LONG_OPTION("connect", required_argument, OPTION_CONNECT),                                 \
        LONG_OPTION("help", no_argument, 'h')

struct host_options {
    struct names routes;
    const char *via;
    const char *sudo; /* the account; "": the default one */
    bool ask_pass, ask_ssh_pass;
    const char *connect;
};

/* Takes the option that getopt_long(3) returned: 0, or -1 with a complaint. For any other option,
 * and what getopt_long() could not make sense of, the complaint says so. */
int host_options_take(struct host_options *h, int option, char *const *argv, struct complaint *why);
/* Makes the plan of them, and empties them. All routes end with `last_hop`; NULL: as they are. */
int host_options_plan(struct host_options *h, const char *last_hop, struct plan *plan,
                      struct complaint *why);
/* Asks for the passwords, when all else is known to be right. */
int host_options_ask(const struct host_options *h, struct plan *plan, struct complaint *why);
/* Prints the complaint, unless it was a signal that made one of these fail; the exit status. */
int host_options_refused(const struct complaint *why);

#endif
