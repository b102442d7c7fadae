#include "child/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* key=value pairs joined by commas. Numbers are decimal, ids of parents joined by colons, text is
 * percent-encoded. */

static int put_text(struct buf *out, const char *key, const char *text)
{
    return buf_printf(out, ",%s=", key) < 0 ? -1 : text_percent_encode(out, text);
}

static int put_enter(struct buf *out, const struct enter *e)
{
    if (e->pid == 0 && *e->kind == '\0')
        return 0;
    if (buf_printf(out, ",pid=%d", e->pid) < 0 || put_text(out, "kind", e->kind) < 0 ||
        put_text(out, "container", e->container) < 0 || put_text(out, "tool", e->tool) < 0)
        return -1;
    return put_text(out, "username", e->username);
}

int child_config_encode(struct buf *out, const struct child_config *c)
{
    const struct router_config *r = &c->router;

    if (buf_printf(out,
                   "id=%u,max=%u,queue=%zu,level=%d,uni=%d,first=%u,last=%u,delay=%lld,"
                   "rate=%lld,parents=",
                   r->id, r->max_message_size, r->queue_limit, (int)r->log_level, r->unidirectional,
                   r->ids.first, r->ids.last, (long long)r->netem.delay_us,
                   (long long)r->netem.rate_bits) < 0)
        return -1;
    for (size_t i = 0; i < r->parent_count; i++) {
        if (buf_printf(out, i == 0 ? "%u" : ":%u", r->parent_ids[i]) < 0)
            return -1;
    }
    if (put_text(out, "title", c->title) < 0 || put_text(out, "name", c->name) < 0)
        return -1;
    if (*c->images != '\0' && put_text(out, "images", c->images) < 0)
        return -1;
    return put_enter(out, &c->enter);
}

static bool parse_parents(struct router_config *r, const char *value)
{
    size_t most = strlen(value) / 2 + 1; /* a digit and a colon each, at least */
    const char *end;

    free(r->parent_ids);
    r->parent_ids = calloc(most, sizeof *r->parent_ids);
    r->parent_count = 0;
    while (r->parent_ids != NULL && *value != '\0') {
        end = value;
        uint64_t id = text_number(&end);
        if (end == value || id > UINT32_MAX || (*end != '\0' && *end != ':'))
            return false;
        r->parent_ids[r->parent_count++] = (uint32_t)id;
        value = *end == ':' ? end + 1 : end;
    }
    return r->parent_count > 0;
}

static bool parse_text(char *out, size_t size, char *value)
{
    if (!text_percent_decode(value) || strlen(value) >= size)
        return false;
    strcpy(out, value);
    return true;
}

static bool parse_number(struct router_config *r, const char *key, const char *value)
{
    const char *end = value;
    uint64_t n = text_number(&end), most = UINT32_MAX;

    if (end == value || *end != '\0')
        return false;
    if (strcmp(key, "id") == 0)
        r->id = (uint32_t)n;
    else if (strcmp(key, "max") == 0)
        r->max_message_size = (uint32_t)n;
    else if (strcmp(key, "queue") == 0)
        r->queue_limit = n < SIZE_MAX / 2 ? (size_t)n : SIZE_MAX / 2, most = UINT64_MAX;
    else if (strcmp(key, "level") == 0)
        r->log_level = (enum mito_level)n, most = MITO_IO;
    else if (strcmp(key, "uni") == 0)
        r->unidirectional = n != 0, most = 1;
    else if (strcmp(key, "first") == 0)
        r->ids.first = (uint32_t)n;
    else if (strcmp(key, "last") == 0)
        r->ids.last = (uint32_t)n;
    else if (strcmp(key, "delay") == 0)
        r->netem.delay_us = (int64_t)n, most = INT64_MAX;
    else if (strcmp(key, "rate") == 0)
        r->netem.rate_bits = (int64_t)n, most = INT64_MAX;
    else
        most = UINT64_MAX; /* what a newer parent says besides is not for us */
    return n <= most;
}

/* -1: it is none of these. */
static int parse_enter(struct enter *e, const char *key, char *value)
{
    uint32_t pid;

    if (strcmp(key, "kind") == 0)
        return parse_text(e->kind, sizeof e->kind, value);
    if (strcmp(key, "container") == 0)
        return parse_text(e->container, sizeof e->container, value);
    if (strcmp(key, "tool") == 0)
        return parse_text(e->tool, sizeof e->tool, value);
    if (strcmp(key, "username") == 0)
        return parse_text(e->username, sizeof e->username, value);
    if (strcmp(key, "pid") != 0)
        return -1;
    if (!text_to_u32(value, strlen(value), INT32_MAX, &pid))
        return false;
    e->pid = (int)pid;
    return true;
}

static bool parse_pair(struct child_config *c, const char *key, char *value)
{
    int entered = parse_enter(&c->enter, key, value);

    if (entered >= 0)
        return entered;
    if (strcmp(key, "parents") == 0)
        return parse_parents(&c->router, value);
    if (strcmp(key, "title") == 0)
        return parse_text(c->title, sizeof c->title, value);
    if (strcmp(key, "name") == 0)
        return parse_text(c->name, sizeof c->name, value);
    if (strcmp(key, "images") == 0)
        return parse_text(c->images, sizeof c->images, value);
    return parse_number(&c->router, key, value);
}

static bool parse_pairs(struct child_config *c, char *text)
{
    for (char *pair; (pair = text_word(&text, ",")) != NULL;) {
        char *value = strchr(pair, '=');
        if (value == NULL)
            return false;
        *value++ = '\0';
        if (!parse_pair(c, pair, value))
            return false;
    }
    return c->router.parent_count > 0 && c->router.id != 0 && c->router.max_message_size > 0 &&
           c->router.queue_limit > 0 && c->router.ids.first <= c->router.ids.last;
}

int child_config_parse(struct child_config *c, const char *text)
{
    char *copy = strdup(text);
    bool fine;

    memset(c, 0, sizeof *c);
    fine = copy != NULL && parse_pairs(c, copy);
    free(copy);
    if (fine)
        return 0;
    free(c->router.parent_ids);
    c->router.parent_ids = NULL;
    c->router.parent_count = 0;
    return error_set(MITO_E_MALFORMED, "malformed child configuration");
}
