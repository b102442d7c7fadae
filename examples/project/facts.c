#include "facts.h"

#include <math.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

MITO_FUNCTION(facts)
{
    struct utsname name;
    double load = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (uname(&name) < 0)
        return mito_fail(call, MITO_E_SYSTEM, "uname failed");
    if (getloadavg(&load, 1) != 1 || processors < 1)
        processors = 1;
    return mito_return(call, "(ssii)", name.nodename, name.machine, processors,
                       (int64_t)lround(100 * load / (double)processors));
}
