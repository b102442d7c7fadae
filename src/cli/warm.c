#include "warm.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "remote.h"

enum {
    PATIENCE_MS = 10000, /* for an answer of the server, which is on this machine */
    KEPT_MAX = 10000,
};

/* ------------------------------------------------------------------------------------------- */
/* The server                                                                                    */
/* ------------------------------------------------------------------------------------------- */

struct kept {
    uint32_t via; /* the context behind which it was opened */
    char *key;
    struct mito_context *context;
};

static struct kept *kept; /* the functions below run one at a time */
static size_t kept_count, kept_capacity;

static void drop(size_t i)
{
    free(kept[i].key);
    mito_context_unref(kept[i].context);
    kept[i] = kept[--kept_count];
}

/* A call that asks for no answer fails at once when the context is gone, and else costs nobody any
 * time. */
static bool is_alive(struct mito_context *context)
{
    return mito_call_no_reply(context, &ping, "") == 0;
}

static struct mito_context *find(uint32_t via, const char *key)
{
    for (size_t i = 0; i < kept_count; i++) {
        if (kept[i].via != via || strcmp(kept[i].key, key) != 0)
            continue;
        if (is_alive(kept[i].context))
            return kept[i].context;
        drop(i--);
    }
    return NULL;
}

MITO_FUNCTION(warm_version)
{
    return mito_return(call, "s", MITO_VERSION);
}

MITO_FUNCTION(warm_find)
{
    int64_t via = 0;
    const char *key = NULL;
    if (mito_args(call, "is", &via, &key) < 0 || key == NULL)
        return -1;
    struct mito_context *context = find((uint32_t)via, key);
    bool found = context != NULL;
    return mito_return(call, "bc", found, found ? context : mito_call_caller(call));
}

MITO_FUNCTION(warm_keep)
{
    int64_t via = 0;
    const char *key = NULL;
    struct mito_context *context = NULL;
    if (mito_args(call, "isc", &via, &key, &context) < 0)
        return -1;
    if (key == NULL || kept_count == KEPT_MAX || find((uint32_t)via, key) != NULL) {
        mito_context_unref(context); /* two commands at once: the first one's is kept */
        return 0;
    }
    kept = memory_grow(kept, kept_count, &kept_capacity, sizeof *kept);
    kept[kept_count++] =
        (struct kept){.via = (uint32_t)via, .key = memory_text(key), .context = context};
    return 0;
}

void warm_forget_all(void)
{
    for (size_t i = 0; i < kept_count; i++)
        free(kept[i].key); /* the contexts have gone with the router */
    kept_count = 0;
    free(kept);
    kept = NULL;
    kept_capacity = 0;
}

/* ------------------------------------------------------------------------------------------- */
/* Its clients                                                                                   */
/* ------------------------------------------------------------------------------------------- */

int warm_check(struct mito_context *server, const char *path, struct complaint *why)
{
    char *version = NULL;
    if (mito_call_timeout(server, PATIENCE_MS, &warm_version, "", "s", &version) < 0)
        return complain(why, "%s: no mitosis serve: %s", path, mito_error());
    int result = version != NULL && strcmp(version, MITO_VERSION) == 0
                     ? 0
                     : complain(why, "%s: mitosis serve is of version %s, this is " MITO_VERSION,
                                path, version != NULL ? version : "?");
    free(version);
    return result;
}

static int64_t id_of(struct mito_context *server, struct mito_context *via)
{
    return mito_context_id(via != NULL ? via : server);
}

struct mito_context *warm_find_context(struct mito_context *server, struct mito_context *via,
                                       const char *key)
{
    bool found = false;
    struct mito_context *context = NULL;
    if (mito_call_timeout(server, PATIENCE_MS, &warm_find, "is", id_of(server, via), key, "bc",
                          &found, &context) < 0)
        return NULL; /* opening it anew will say what is wrong */
    if (found)
        return context;
    mito_context_unref(context);
    return NULL;
}

void warm_keep_context(struct mito_context *server, struct mito_context *via, const char *key,
                       struct mito_context *context)
{
    (void)mito_call_no_reply(server, &warm_keep, "isc", id_of(server, via), key, context);
}
