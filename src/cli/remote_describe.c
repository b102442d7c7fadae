/* What `mitosis tree` asks of each context. */
#define MITO_MODULE "cli"
#include "remote.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

int self_describe(struct self *out)
{
    struct utsname machine;
    if (uname(&machine) < 0)
        return -1;
    const struct passwd *user = getpwuid(geteuid());
    if (user != NULL)
        snprintf(out->user, sizeof out->user, "%s", user->pw_name);
    else
        snprintf(out->user, sizeof out->user, "%ju", (uintmax_t)geteuid());
    snprintf(out->host, sizeof out->host, "%s", machine.nodename);
    snprintf(out->machine, sizeof out->machine, "%s", machine.machine);
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
