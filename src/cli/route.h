/* Routes: how to reach a context, hop by hop.
 *
 *     route   hop / hop / ...
 *     hop     [method:]target[?option=value&option=value...]
 *
 * '/' always separates hops; values are percent-decoded, so that %2F is a slash in one. A hop
 * without a method is ssh's. Methods and their options are tables in method.c. */
#ifndef CLI_ROUTE_H
#define CLI_ROUTE_H

#include "cli.h"
#include "hop.h"

enum { HOPS_MAX = 32 };

struct route {
    size_t count;
    struct hop *hops[HOPS_MAX];
};

/* -1 with a complaint that quotes the route; then there is nothing to free. */
int route_parse(struct route *out, const char *text, struct complaint *why);
void route_free(struct route *route);

#endif
