#include "option.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "mitosis.h"
#include "number.h"
#include "printable.h"

static const struct {
    int low, high;
} ranges[] = {
    [PORT] = {1, 65535},
    [COUNT] = {1, INT_MAX},
    [INTERVAL] = {-1, INT_MAX},
    [LEVEL] = {0, 3},
};

/* Words, each with a NUL behind it, and one more at the end; the first stands for 0 ... */
static const char *const choices[] = {
    [CONTAINER_KIND] = "docker\0podman\0lxc\0lxd\0incus\0machinectl\0",
    [TRUTH] = "no\0yes\0",
    [HOST_KEYS] = "enforce\0accept\0ignore\0",
};
_Static_assert(MITO_HOST_KEYS_ENFORCE == 0 && MITO_HOST_KEYS_ACCEPT == 1 &&
                   MITO_HOST_KEYS_IGNORE == 2 && sizeof(enum mito_host_keys) == sizeof(int),
               "as the words for HOST_KEYS");

int check_text(const char *text, const char *what, struct complaint *why)
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
    if (text[0] == '-')
        return complain(why, "%s '%s' starts with '-'", what, text);
    if (strchr(text, ' ') != NULL)
        return complain(why, "blank in %s '%s'", what, text);
    return 0;
}

/* The number of the word, or -1. */
static int choose(const struct method_option *option, const char *value, struct complaint *why)
{
    char list[80] = "";
    int number = 0;
    for (const char *word = choices[option->kind]; *word != '\0'; number++) {
        if (strcmp(word, value) == 0)
            return number;
        const char *next = word + strlen(word) + 1;
        strcat(list, number == 0 ? "" : *next == '\0' ? " or " : ", ");
        strcat(list, word);
        word = next;
    }
    return complain(why, "%s is %s, not '%s'", option->name, list, value);
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

static int set_number(const struct method_option *option, int *out, const char *value,
                      struct complaint *why)
{
    int low = ranges[option->kind].low, high = ranges[option->kind].high;
    int64_t number = 0;
    bool minus = low < 0 && *value == '-';
    if (!number_parse(value + minus, minus ? 1 : low < 0 ? 0 : low, minus ? -low : high, &number))
        return complain(why, "%s: '%s' is not in %d to %d", option->name, value, low, high);
    *out = (int)(minus ? -number : number);
    return 0;
}

int option_set(const struct method_option *option, void *out, const char *value,
               struct complaint *why)
{
    int64_t number = 0;
    if (check_text(value, option->name, why) < 0)
        return -1;
    switch ((enum option_kind)option->kind) {
    case WORD:
        if (check_word(value, option->name, why) < 0)
            return -1;
        break;
    case CONTAINER_KIND:
        if (choose(option, value, why) < 0)
            return -1;
        break;
    case TEXT:
    case SECRET:
        break;
    case TEXTS:
        append_text(out, value);
        return 0;
    case SECONDS:
        if (!seconds_parse(value, &number))
            return complain(why, "%s: bad number of seconds '%s'", option->name, value);
        *(int *)out = (int)number;
        return 0;
    case PORT:
    case COUNT:
    case INTERVAL:
    case LEVEL:
        return set_number(option, out, value, why);
    case TRUTH:
    case HOST_KEYS:
        number = choose(option, value, why);
        if (option->kind == TRUTH)
            *(bool *)out = number > 0;
        else
            *(int *)out = (int)number;
        return number < 0 ? -1 : 0;
    }
    *(const char **)out = value;
    return 0;
}

static const char *choice(const struct method_option *option, int number)
{
    const char *word = choices[option->kind];
    while (number-- > 0)
        word += strlen(word) + 1;
    return word;
}

bool option_is_plain(const char *text)
{
    return strpbrk(text, "@&/?#[], ") == NULL;
}

static void print(struct bytes *out, const char *name, const char *value)
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

void option_print(const struct method_option *option, const void *at, struct bytes *out)
{
    char text[32];
    const char *value = NULL;
    switch ((enum option_kind)option->kind) {
    case SECRET:
        break;
    case TEXT:
    case WORD:
    case CONTAINER_KIND:
        value = *(const char *const *)at;
        break;
    case TEXTS:
        for (const char *const *item = *(const char *const *const *)at; item && *item; item++)
            print(out, option->name, *item);
        break;
    case TRUTH:
        value = *(const bool *)at ? "yes" : NULL;
        break;
    case HOST_KEYS:
        value = *(const int *)at != 0 ? choice(option, *(const int *)at) : NULL;
        break;
    case SECONDS:
    case PORT:
    case COUNT:
    case INTERVAL:
    case LEVEL:
        snprintf(text, sizeof text, "%.10g",
                 *(const int *)at / (option->kind == SECONDS ? 1e3 : 1.0));
        value = *(const int *)at != 0 ? text : NULL;
        break;
    }
    if (value != NULL)
        print(out, option->name, value);
}
