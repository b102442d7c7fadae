#include "route.h"

#include <string.h>

/* A password that was given where it is not taken is not shown. */
static int quote(const char *text, struct complaint *why)
{
    const char *secret = strstr(text, "password=");
    size_t shown = secret != NULL ? (size_t)(strchr(secret, '=') + 1 - text) : strlen(text);
    return complain_prefix(why, "bad route '%.*s%s'", (int)shown, text, secret ? "..." : "");
}

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
        if (hop != NULL && hop->method->own) {
            complain(why, "%s: has no place in a route; see run --python", hop->method->name);
            hop_free(hop);
            hop = NULL;
        }
        if (hop == NULL) {
            route_free(out);
            return quote(text, why);
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
