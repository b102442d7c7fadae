#include "hop.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "bytes.h"
#include "memory.h"
#include "password.h"

static void *field(const union method_options *options, const struct method_option *option)
{
    return (char *)(uintptr_t)options + option->offset;
}

static uint32_t bit(const struct hop *hop, const struct method_option *option)
{
    return UINT32_C(1) << (option - hop->method->options);
}

static const struct method_option *instead_of_target(const struct method *method)
{
    return method->instead != NULL ? method_option_named(method, method->instead) : NULL;
}

/* ------------------------------------------------------------------------------------------- */
/* Reading                                                                                       */
/* ------------------------------------------------------------------------------------------- */

/* `value` is part of hop->storage, or static. */
static int set(struct hop *hop, const struct method_option *option, const char *value,
               struct complaint *why)
{
    if (option->kind == SECRET)
        return complain(why, "a %s has no place in a route; use --ask-%s", option->name,
                        hop->method->account ? "pass" : "ssh-pass");
    if (option->kind != TEXTS && (hop->given & bit(hop, option)) != 0)
        return complain(why, "%s is given twice", option->name);
    hop->given |= bit(hop, option);
    if (option == hop->method->options || option == instead_of_target(hop->method))
        hop->name = value;
    return option_set(option, field(&hop->options, option), value, why);
}

/* Sets the method and returns where the target starts. What stands before the first ':' is a method
 * when it is one we know; else it must be the host of "host:port", or the start of an address. */
static char *read_method(struct hop *hop, char *text, struct complaint *why)
{
    size_t name = strcspn(text, ":");
    hop->method = method_named(text, name);
    if (hop->method != NULL && text[name] == ':')
        return text + name + 1;
    hop->method = method_default();
    bool plain = text[name] == '\0' || text[strspn(text, "0123456789abcdefABCDEF:.")] == '\0';
    bool port = !plain && text[name + 1 + strspn(text + name + 1, "0123456789")] == '\0';
    if (plain || port || memchr(text, '@', name) != NULL || *text == '[' || is_address6(text))
        return text;
    complain(why, "unknown method '%.*s'", (int)name, text);
    return NULL;
}

/* What stands for the target: its first option, or a number in place of that. */
static const struct method_option *target_option(const struct method *method, const char *text)
{
    const struct method_option *instead = instead_of_target(method);
    bool number = text[strspn(text, "0123456789")] == '\0';
    return number && instead != NULL && instead->kind == COUNT ? instead : method->options;
}

/* "[user@]target[:port]", as far as the method has such options. May be empty. */
static int read_target(struct hop *hop, char *text, struct complaint *why)
{
    const struct method *method = hop->method;
    const struct method_option *username = method_option_named(method, "username");
    const struct method_option *port = method_option_named(method, "port");
    bool has_user = username != NULL && username != method->options;
    char *at = has_user ? strrchr(text, '@') : NULL, *number = NULL;
    if (at != NULL) {
        *at = '\0';
        if (set(hop, username, text, why) < 0)
            return -1;
        text = at + 1;
    }
    if (port != NULL && address_split(&text, &number, why) < 0)
        return -1;
    if (number != NULL && set(hop, port, number, why) < 0)
        return -1;
    return *text == '\0' ? 0 : set(hop, target_option(method, text), text, why);
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

static int read_options(struct hop *hop, char *text, struct complaint *why)
{
    for (char *next = text; next != NULL;) {
        char *name = strsep(&next, "&"), *value = strchr(name, '=');
        if (value == NULL)
            return complain(why, "option '%s' needs a value", name);
        *value++ = '\0';
        const struct method_option *option = method_option_named(hop->method, name);
        if (option == NULL)
            return complain(why, "method %s has no option '%s'", hop->method->name, name);
        if (percent_decode(value, why) < 0 || set(hop, option, value, why) < 0)
            return -1;
    }
    return 0;
}

/* The target is given, in one of the ways, with what goes with it; or else it has a default. */
static int settle_target(struct hop *hop, struct complaint *why)
{
    const struct method *m = hop->method;
    const struct method_option *instead = instead_of_target(m);
    bool given = (hop->given & bit(hop, m->options)) != 0;
    bool other = instead != NULL && (hop->given & bit(hop, instead)) != 0;
    if (given && other)
        return complain(why, "%s: both %s and %s given", m->name, m->options->name, instead->name);
    if (!given && !other && m->fallback != NULL)
        return set(hop, m->options, m->fallback, why);
    if (!given && !other)
        return complain(why, "%s: no %s%s%s given", m->name, m->options->name,
                        instead != NULL ? " or " : "", instead != NULL ? instead->name : "");
    if (m->with != NULL && given != ((hop->given & bit(hop, method_option_named(m, m->with))) != 0))
        return complain(why, "%s: %s and %s go together", m->name, m->options->name, m->with);
    return 0;
}

/* ------------------------------------------------------------------------------------------- */
/* Printing                                                                                      */
/* ------------------------------------------------------------------------------------------- */

static char *canonical(const struct hop *hop)
{
    const struct method_option *option = hop->method->options;
    const char *target = *(const char *const *)field(&hop->options, option);
    struct bytes key = {0}, options = {0};
    bytes_add_text(&key, hop->method->name);
    bytes_add_char(&key, ':');
    if (target != NULL && option_is_plain(target)) {
        bytes_add_text(&key, target);
        option++;
    }
    for (; option->name != NULL; option++)
        option_print(option, field(&hop->options, option), &options);
    if (options.length > 0) {
        options.data[0] = '?';
        bytes_add(&key, options.data, options.length);
    }
    bytes_free(&options);
    return bytes_take_text(&key);
}

/* ------------------------------------------------------------------------------------------- */

struct hop *hop_parse(const char *text, size_t length, struct complaint *why)
{
    struct hop *hop = memory_zeroed(1, sizeof *hop);
    hop->storage = memory_text_n(text, length);
    char *options = hop->storage, *name = strsep(&options, "?");
    char *target = read_method(hop, name, why);
    if (target == NULL || read_target(hop, target, why) < 0 ||
        (options != NULL && read_options(hop, options, why) < 0) || settle_target(hop, why) < 0) {
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
    for (const struct method_option *o = hop->method->options; o->name != NULL; o++) {
        if (o->kind == TEXTS)
            free(*(void **)field(&hop->options, o));
    }
    free(hop->storage);
    free(hop->key);
    free(hop);
}

int hop_open(const struct hop *hop, const struct passwords *passwords, struct mito_router *router,
             struct mito_receiver *rx, void *tag, struct mito_context *via)
{
    const struct method *method = hop->method;
    const struct method_option *password = method_option_named(method, "password");
    union method_options options = hop->options;
    options.local.via = via; /* where every method's options have it */
    if (password != NULL)
        *(const char **)field(&options, password) =
            method->account ? passwords->account : passwords->login;
    return mito_connect_async_(router, rx, tag, method->name, &options);
}
