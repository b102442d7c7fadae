/* The options by which subcommands are told where to go: -H, -f, --local, --via. */
#ifndef CLI_HOST_OPTIONS_H
#define CLI_HOST_OPTIONS_H

#include <getopt.h>

#include "hosts.h"
#include "plan.h"

enum { OPTION_LOCAL = 256, OPTION_VIA, OPTION_OTHER }; /* OPTION_OTHER on: free */

#define HOST_SHORT_OPTIONS "H:f:h"
#define HOST_LONG_OPTIONS                                                                          \
    {"hosts", required_argument, NULL, 'H'}, {"file", required_argument, NULL, 'f'},               \
        {"local", required_argument, NULL, OPTION_LOCAL},                                          \
        {"via", required_argument, NULL, OPTION_VIA},                                              \
    {                                                                                              \
        "help", no_argument, NULL, 'h'                                                             \
    }

struct host_options {
    struct names routes;
    const char *via;
};

/* Takes the option that getopt_long(3) returned: 0, or -1 with a complaint. For any other option,
 * and what getopt_long() could not make sense of, the complaint says so. */
int host_options_take(struct host_options *h, int option, char *const *argv, struct complaint *why);
/* Makes the plan of them, and empties them. */
int host_options_plan(struct host_options *h, struct plan *plan, struct complaint *why);

#endif
