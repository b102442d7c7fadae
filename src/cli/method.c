/* The methods and their options. A method is one row of `methods`, with a table of its options and
 * two small functions: one reads what stands between "method:" and "?", one calls mito_..._async_.
 */
#include "method.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "memory.h"
#include "number.h"
#include "printable.h"

/* How the text of an option becomes a field of the method's struct of options. */
enum kind {
    TEXT,      /* const char *: anything but control characters */
    WORD,      /* const char *: no blanks, and no '-' in front that a program could misread */
    PORT,      /* int */
    SECONDS,   /* int, in ms */
    HOST_KEYS, /* enum mito_host_keys */
    TEXTS,     /* const char *const *: each time it is given, one more */
};

struct option {
    const char *name;
    enum kind kind;
    size_t offset;
};

struct method {
    const char *name;
    const struct option *options; /* ends with a row without name */
    int (*target)(struct hop *hop, char *text, struct complaint *why);
    int (*open)(struct mito_router *router, struct mito_receiver *rx, void *tag,
                const union hop_options *options);
};

#define COMMON_ROWS(type)                                                                          \
    {"remote_name", WORD, offsetof(type, remote_name)},                                            \
    {                                                                                              \
        "connect_timeout", SECONDS, offsetof(type, connect_timeout)                                \
    }

/* ------------------------------------------------------------------------------------------- */
/* Reading and printing one option                                                               */
/* ------------------------------------------------------------------------------------------- */

static const char *const host_keys_names[] = {
    [MITO_HOST_KEYS_ENFORCE] = "enforce",
    [MITO_HOST_KEYS_ACCEPT] = "accept",
    [MITO_HOST_KEYS_IGNORE] = "ignore",
};

static void *field(const struct hop *hop, const struct option *option)
{
    return (char *)(uintptr_t)&hop->options + option->offset;
}

static int check_text(const char *text, const char *what, struct complaint *why)
{
    size_t length = strlen(text);
    if (length == 0)
        return complain(why, "empty %s", what);
    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t size = utf8_decode(text + at, length - at, &code);
        if (size == 0)
            return complain(why, "%s is not UTF-8", what);
        if (is_control(code))
            return complain(why, "control character in %s", what);
        at += size;
    }
    return 0;
}

static int check_word(const char *text, const char *what, struct complaint *why)
{
    if (check_text(text, what, why) < 0)
        return -1;
    if (text[0] == '-')
        return complain(why, "%s '%s' starts with '-'", what, text);
    if (strchr(text, ' ') != NULL)
        return complain(why, "blank in %s '%s'", what, text);
    return 0;
}

static int set_host_keys(enum mito_host_keys *out, const char *value, struct complaint *why)
{
    for (size_t i = 0; i < sizeof host_keys_names / sizeof *host_keys_names; i++) {
        if (strcmp(value, host_keys_names[i]) == 0) {
            *out = (enum mito_host_keys)i;
            return 0;
        }
    }
    return complain(why, "check_host_keys is enforce, accept or ignore, not '%s'", value);
}

static void append_text(const char *const **list, const char *text)
{
    size_t count = 0;
    while (*list != NULL && (*list)[count] != NULL)
        count++;
    const char **grown = memory_resize((void *)(uintptr_t)*list, count + 2, sizeof *grown);
    grown[count] = text;
    grown[count + 1] = NULL;
    *list = grown;
}

/* `value` is part of hop->storage and stays there. */
static int option_set(struct hop *hop, const struct option *option, const char *value,
                      struct complaint *why)
{
    void *out = field(hop, option);
    int64_t number = 0;
    switch (option->kind) {
    case WORD:
        if (check_word(value, option->name, why) < 0)
            return -1;
        *(const char **)out = value;
        return 0;
    case TEXT:
        *(const char **)out = value;
        return 0;
    case TEXTS:
        append_text(out, value);
        return 0;
    case PORT:
        if (!number_parse(value, 1, 65535, &number))
            return complain(why, "bad port '%s'", value);
        *(int *)out = (int)number;
        return 0;
    case SECONDS:
        if (!seconds_parse(value, &number))
            return complain(why, "%s: bad number of seconds '%s'", option->name, value);
        *(int *)out = (int)number;
        return 0;
    case HOST_KEYS:
        return set_host_keys(out, value, why);
    }
    return -1;
}

/* Appends "&name=value". All that could be read as something else is percent-encoded. */
static void print_option(struct bytes *out, const char *name, const char *value)
{
    bytes_add_char(out, '&');
    bytes_add_text(out, name);
    bytes_add_char(out, '=');
    for (; *value != '\0'; value++) {
        char hex[4];
        snprintf(hex, sizeof hex, "%%%02X", (unsigned)(unsigned char)*value);
        if (strchr("%&/?#[], ", *value) != NULL)
            bytes_add_text(out, hex);
        else
            bytes_add_char(out, *value);
    }
}

static void print_options(struct bytes *out, const struct hop *hop)
{
    char number[32];
    for (const struct option *option = hop->method->options; option->name != NULL; option++) {
        const void *at = field(hop, option);
        const char *value = NULL;
        switch (option->kind) {
        case TEXT:
        case WORD:
            value = *(const char *const *)at;
            break;
        case TEXTS:
            for (const char *const *item = *(const char *const *const *)at; item && *item; item++)
                print_option(out, option->name, *item);
            break;
        case PORT:
            snprintf(number, sizeof number, "%d", *(const int *)at);
            value = *(const int *)at != 0 ? number : NULL;
            break;
        case SECONDS:
            snprintf(number, sizeof number, "%.10g", *(const int *)at / 1e3);
            value = *(const int *)at != 0 ? number : NULL;
            break;
        case HOST_KEYS:
            value = host_keys_names[*(const enum mito_host_keys *)at];
            if (*(const enum mito_host_keys *)at == MITO_HOST_KEYS_ENFORCE)
                value = NULL; /* the default */
            break;
        }
        if (value != NULL)
            print_option(out, option->name, value);
    }
}

/* ------------------------------------------------------------------------------------------- */
/* local                                                                                         */
/* ------------------------------------------------------------------------------------------- */

/* The target of a local hop is a name to tell several of them apart, and may be missing. */
static int local_target(struct hop *hop, char *text, struct complaint *why)
{
    hop->name = *text != '\0' ? text : "local";
    return check_word(hop->name, "name", why);
}

static int local_open(struct mito_router *router, struct mito_receiver *rx, void *tag,
                      const union hop_options *options)
{
    return mito_connect_async_(router, rx, tag, "local", &options->local);
}

static const struct option local_options[] = {
    COMMON_ROWS(struct mito_local_options),
    {0},
};

/* ------------------------------------------------------------------------------------------- */
/* ssh                                                                                           */
/* ------------------------------------------------------------------------------------------- */

/* An IPv6 address, with or without a zone behind '%'. */
static bool is_address6(const char *text)
{
    char address[INET6_ADDRSTRLEN] = {0};
    struct in6_addr parsed;
    size_t length = strcspn(text, "%");
    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

/* "host", "host:port", "[v6]", "[v6]:port", "v6": splits the port off; "" when there is none. */
static int split_port(char *text, char **host, char **port, struct complaint *why)
{
    char *end = text + strlen(text);
    char *colon = strchr(text, ':');
    *host = text;
    *port = end;
    if (*text == '[') {
        char *close = strchr(text, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != ':'))
            return complain(why, "bad address '%s'", text);
        *host = text + 1;
        *close = '\0';
        if (!is_address6(*host))
            return complain(why, "bad address '[%s]'", *host);
        if (close[1] == ':')
            *port = close + 2;
        return close[1] == ':' && close[2] == '\0' ? complain(why, "bad port ''") : 0;
    }
    if (colon == NULL)
        return 0;
    if (strchr(colon + 1, ':') != NULL)
        return is_address6(text) ? 0 : complain(why, "bad address '%s'", text);
    *colon = '\0';
    *port = colon + 1;
    return **port == '\0' ? complain(why, "bad port ''") : 0;
}

static int ssh_target(struct hop *hop, char *text, struct complaint *why)
{
    struct mito_ssh_options *ssh = &hop->options.ssh;
    char *at = strrchr(text, '@'), *host = NULL, *port = NULL;
    int64_t number = 0;
    if (at != NULL) {
        *at = '\0';
        if (check_word(text, "user name", why) < 0)
            return -1;
        ssh->username = text;
        text = at + 1;
    }
    if (split_port(text, &host, &port, why) < 0)
        return -1;
    if (*port != '\0' && !number_parse(port, 1, 65535, &number))
        return complain(why, "bad port '%s'", port);
    ssh->port = (int)number;
    ssh->hostname = hop->name = host;
    return check_word(host, "host name", why);
}

static int ssh_open(struct mito_router *router, struct mito_receiver *rx, void *tag,
                    const union hop_options *options)
{
    return mito_connect_async_(router, rx, tag, "ssh", &options->ssh);
}

static const struct option ssh_options[] = {
    {"username", WORD, offsetof(struct mito_ssh_options, username)},
    {"port", PORT, offsetof(struct mito_ssh_options, port)},
    {"identity_file", TEXT, offsetof(struct mito_ssh_options, identity_file)},
    {"check_host_keys", HOST_KEYS, offsetof(struct mito_ssh_options, check_host_keys)},
    {"ssh_path", TEXT, offsetof(struct mito_ssh_options, ssh_path)},
    {"ssh_arg", TEXTS, offsetof(struct mito_ssh_options, ssh_args)},
    COMMON_ROWS(struct mito_ssh_options),
    {0},
};

/* ------------------------------------------------------------------------------------------- */
/* Hops                                                                                          */
/* ------------------------------------------------------------------------------------------- */

static const struct method methods[] = {
    {"ssh", ssh_options, ssh_target, ssh_open}, /* the first is the one that need not be named */
    {"local", local_options, local_target, local_open},
};

static const struct method *method_named(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strlen(methods[i].name) == length && memcmp(methods[i].name, name, length) == 0)
            return &methods[i];
    }
    return NULL;
}

/* Sets the method and returns where the target starts. What stands before the first ':' is a method
 * when it is one we know; else it must be the host of "host:port", or the start of an address. */
static char *read_method(struct hop *hop, char *text, struct complaint *why)
{
    size_t name = strcspn(text, ":");
    hop->method = method_named(text, name);
    if (hop->method != NULL && text[name] == ':')
        return text + name + 1;
    hop->method = &methods[0];
    bool plain = text[name] == '\0' || text[strspn(text, "0123456789abcdefABCDEF:.")] == '\0';
    bool port = !plain && text[name + 1 + strspn(text + name + 1, "0123456789")] == '\0';
    if (plain || port || memchr(text, '@', name) != NULL || *text == '[' || is_address6(text))
        return text;
    complain(why, "unknown method '%.*s'", (int)name, text);
    return NULL;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

static int percent_decode(char *text, struct complaint *why)
{
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            *out++ = *at;
            continue;
        }
        int high = hex_digit(at[1]), low = high < 0 ? -1 : hex_digit(at[2]);
        if (low < 0 || high * 16 + low == 0)
            return complain(why, "'%%' must start a byte in hex, as in %%2F");
        *out++ = (char)(high * 16 + low);
        at += 2;
    }
    *out = '\0';
    return 0;
}

static const struct option *option_named(const struct method *method, const char *name)
{
    for (const struct option *option = method->options; option->name != NULL; option++) {
        if (strcmp(option->name, name) == 0)
            return option;
    }
    return NULL;
}

/* True when the field of a scalar option no longer has its default. */
static bool is_set(const struct hop *hop, const struct option *option)
{
    switch (option->kind) {
    case TEXT:
    case WORD:
        return *(const char *const *)field(hop, option) != NULL;
    case PORT:
    case SECONDS:
        return *(const int *)field(hop, option) != 0;
    case HOST_KEYS:
    case TEXTS:
        break;
    }
    return false;
}

static int read_options(struct hop *hop, char *text, struct complaint *why)
{
    for (char *next = text; next != NULL;) {
        char *name = strsep(&next, "&"), *value = strchr(name, '=');
        if (value == NULL)
            return complain(why, "option '%s' needs a value", name);
        *value++ = '\0';
        const struct option *option = option_named(hop->method, name);
        if (option == NULL)
            return complain(why, "method %s has no option '%s'", hop->method->name, name);
        if (is_set(hop, option))
            return complain(why, "%s is given twice", name);
        if (percent_decode(value, why) < 0 || check_text(value, name, why) < 0 ||
            option_set(hop, option, value, why) < 0)
            return -1;
    }
    return 0;
}

static char *canonical(const struct hop *hop)
{
    struct bytes key = {0}, options = {0};
    bytes_add_text(&key, hop->method->name);
    bytes_add_char(&key, ':');
    bytes_add_text(&key, hop->name);
    print_options(&options, hop);
    if (options.length > 0) {
        options.data[0] = '?';
        bytes_add(&key, options.data, options.length);
    }
    bytes_free(&options);
    return bytes_take_text(&key);
}

struct hop *hop_parse(const char *text, size_t length, struct complaint *why)
{
    struct hop *hop = memory_zeroed(1, sizeof *hop);
    hop->storage = memory_text_n(text, length);
    char *options = hop->storage, *name = strsep(&options, "?");
    char *target = read_method(hop, name, why);
    if (target == NULL || hop->method->target(hop, target, why) < 0 ||
        (options != NULL && read_options(hop, options, why) < 0)) {
        hop_free(hop);
        return NULL;
    }
    hop->key = canonical(hop);
    return hop;
}

void hop_free(struct hop *hop)
{
    if (hop == NULL)
        return;
    for (const struct option *option = hop->method->options; option->name != NULL; option++) {
        if (option->kind == TEXTS)
            free(*(void **)field(hop, option));
    }
    free(hop->storage);
    free(hop->key);
    free(hop);
}

_Static_assert(offsetof(struct mito_local_options, via) == offsetof(struct mito_ssh_options, via),
               "every struct of options begins with MITO_COMMON_OPTIONS");

int hop_open(const struct hop *hop, struct mito_router *router, struct mito_receiver *rx, void *tag,
             struct mito_context *via)
{
    union hop_options options = hop->options;
    options.local.via = via; /* where every method's options have it */
    return hop->method->open(router, rx, tag, &options);
}
