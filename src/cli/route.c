#include "route.h"

#include <string.h>

int route_parse(struct route *out, const char *text, struct complaint *why)
{
    *out = (struct route){0};
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, "/");
        struct hop *hop = NULL;
        if (length == 0)
            complain(why, "empty hop");
        else if (out->count == HOPS_MAX)
            complain(why, "more than %d hops", HOPS_MAX);
        else
            hop = hop_parse(at, length, why);
        if (hop == NULL) {
            route_free(out);
            return complain_prefix(why, "bad route '%s'", text);
        }
        out->hops[out->count++] = hop;
        at += length;
        if (*at == '\0')
            return 0;
    }
}

void route_free(struct route *route)
{
    while (route->count > 0)
        hop_free(route->hops[--route->count]);
}
