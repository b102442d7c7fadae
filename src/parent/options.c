/* Options structs as data: copied, sent and received by their table of fields. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "parent/method.h"
#include "wire/pickle.h"

enum { LIST_MAX = 256 };

static const struct option common[] = {
    OPTION(common_options, remote_name, OPTION_STR),
    OPTION(common_options, connect_timeout, OPTION_INT),
    OPTION(common_options, unidirectional, OPTION_BOOL),
    OPTION(common_options, debug, OPTION_BOOL),
    {0},
};

static void *field(void *options, const struct option *o)
{
    return (char *)options + o->offset;
}

static const void *const_field(const void *options, const struct option *o)
{
    return (const char *)options + o->offset;
}

/* Goes over the common options, then the method's. */
static const struct option *next_option(const struct method *m, const struct option *o)
{
    if (o == NULL)
        return common;
    o++;
    if (o == &common[sizeof common / sizeof *common - 1])
        o = m->options;
    return o->name == NULL ? NULL : o;
}

#define EACH_OPTION(o, m)                                                                          \
    const struct option *o = next_option(m, NULL);                                                 \
    o != NULL;                                                                                     \
    o = next_option(m, o)

/* --- copying -----------------------------------------------------------------------------------
 */

static void free_list(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free(list);
}

static char **copy_list(const char *const *list)
{
    size_t count = 0;

    while (list[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = strdup(list[i]);
        if (copy[i] == NULL) {
            free_list(copy);
            return NULL;
        }
    }
    return copy;
}

static bool is_text(const struct option *o)
{
    return o->type == OPTION_STR || o->type == OPTION_WORD || o->type == OPTION_SECRET;
}

/* A process that holds a password leaves none in a core file. 1, not 0: that also keeps the kernel
 * from piping the core to a program (core(5)). */
static void no_core_files(void)
{
    struct rlimit limit;

    if (prlimit(0, RLIMIT_CORE, NULL, &limit) == 0 && limit.rlim_cur > 1) {
        limit.rlim_cur = 1;
        prlimit(0, RLIMIT_CORE, &limit, NULL); /* setrlimit() has a way for old kernels: 2 KB */
    }
}

static char *copy_text(const struct option *o, const char *text)
{
    if (o->type == OPTION_SECRET)
        no_core_files();
    return strdup(text);
}

static int copy_field(void *to, const void *from, const struct option *o)
{
    const char *const *text = const_field(from, o);
    const char *const *const *list = const_field(from, o);
    char *text_copy = NULL, **list_copy = NULL;

    if (is_text(o)) {
        if (*text != NULL && (text_copy = copy_text(o, *text)) == NULL)
            return error_nomem();
        memcpy(field(to, o), &text_copy, sizeof text_copy);
    } else if (o->type == OPTION_LIST) {
        if (*list != NULL && (list_copy = copy_list(*list)) == NULL)
            return error_nomem();
        memcpy(field(to, o), &list_copy, sizeof list_copy);
    } else if (o->type == OPTION_INT) {
        memcpy(field(to, o), const_field(from, o), sizeof(int));
    } else {
        memcpy(field(to, o), const_field(from, o), sizeof(bool));
    }
    return 0;
}

void *options_copy(const struct method *m, const void *options)
{
    void *copy = calloc(1, m->options_size);

    if (copy == NULL) {
        error_nomem();
        return NULL;
    }
    for (EACH_OPTION(o, m)) {
        if (copy_field(copy, options, o) < 0) {
            options_free(m, copy);
            return NULL;
        }
    }
    return copy;
}

void options_wipe(const struct method *m, void *options)
{
    for (EACH_OPTION(o, m)) {
        char *p, *none = NULL;
        if (o->type != OPTION_SECRET)
            continue;
        memcpy(&p, field(options, o), sizeof p);
        memcpy(field(options, o), &none, sizeof none);
        if (p != NULL)
            explicit_bzero(p, strlen(p));
        free(p);
    }
}

void options_free(const struct method *m, void *options)
{
    if (options == NULL)
        return;
    options_wipe(m, options);
    for (EACH_OPTION(o, m)) {
        void *p;
        memcpy(&p, field(options, o), is_text(o) || o->type == OPTION_LIST ? sizeof p : 0);
        if (is_text(o))
            free(p);
        else if (o->type == OPTION_LIST)
            free_list(p);
    }
    free(options);
}

/* --- over the wire -----------------------------------------------------------------------------
 */

static int pickle_list(struct buf *out, const char *const *list)
{
    if (pickle_list_open(out) < 0)
        return -1;
    for (; *list != NULL; list++) {
        if (pickle_str(out, *list, strlen(*list)) < 0)
            return -1;
    }
    return pickle_list_close(out);
}

/* NULL, 0 or false. */
static bool is_default(const void *options, const struct option *o)
{
    static const char none[sizeof(void *)];
    size_t size = o->type == OPTION_INT    ? sizeof(int)
                  : o->type == OPTION_BOOL ? sizeof(bool)
                                           : sizeof(void *);

    return memcmp(const_field(options, o), none, size) == 0;
}

static int pickle_field(struct buf *out, const void *options, const struct option *o)
{
    const char *const *text = const_field(options, o);
    const char *const *const *list = const_field(options, o);
    const int *number = const_field(options, o);
    const bool *truth = const_field(options, o);

    switch (o->type) {
    case OPTION_STR:
    case OPTION_WORD:
        return pickle_str(out, *text, strlen(*text));
    case OPTION_SECRET:
        no_core_files();
        return pickle_secret(out, *text, strlen(*text));
    case OPTION_LIST:
        return pickle_list(out, *list);
    case OPTION_INT:
        return pickle_int(out, *number);
    case OPTION_BOOL:
        return pickle_bool(out, *truth);
    }
    return -1;
}

/* Only what is not the default is said: fifty contexts behind a host are fifty such dicts. */
int options_pickle(const struct method *m, const void *options, struct buf *out)
{
    if (pickle_dict_open(out) < 0)
        return -1;
    for (EACH_OPTION(o, m)) {
        if (is_default(options, o))
            continue;
        if (pickle_str(out, o->name, strlen(o->name)) < 0 || pickle_field(out, options, o) < 0)
            return -1;
    }
    return pickle_dict_close(out);
}

static int list_from_value(void *options, const struct option *o, const struct mito_value *v)
{
    size_t count = mito_value_length(v);
    char **list;

    if (count > LIST_MAX)
        return error_set(MITO_E_TOO_LARGE, "option %s: more than %d items", o->name, LIST_MAX);
    list = calloc(count + 1, sizeof *list);
    if (list == NULL)
        return error_nomem();
    memcpy(field(options, o), &list, sizeof list); /* freed with the options from here on */
    for (size_t i = 0; i < count; i++) {
        const char *text = mito_value_str(mito_value_item(v, i), NULL);
        if (text == NULL)
            return -1;
        list[i] = strdup(text);
        if (list[i] == NULL)
            return error_nomem();
    }
    return 0;
}

static int field_from_value(void *options, const struct option *o, const struct mito_value *v)
{
    int64_t number;
    bool truth;
    const char *text;
    char *copy;

    if (v == NULL || mito_value_type(v) == MITO_NONE)
        return 0;
    switch (o->type) {
    case OPTION_STR:
    case OPTION_WORD:
    case OPTION_SECRET:
        text = mito_value_str(v, NULL);
        if (text == NULL)
            return -1;
        copy = copy_text(o, text);
        memcpy(field(options, o), &copy, sizeof copy);
        return copy == NULL ? error_nomem() : 0;
    case OPTION_LIST:
        return list_from_value(options, o, v);
    case OPTION_INT:
        if (mito_value_int(v, &number) < 0 || number < INT32_MIN || number > INT32_MAX)
            return error_set(MITO_E_RANGE, "option %s", o->name);
        memcpy(field(options, o), &(int){(int)number}, sizeof(int));
        return 0;
    case OPTION_BOOL:
        if (mito_value_bool(v, &truth) < 0)
            return -1;
        memcpy(field(options, o), &truth, sizeof truth);
        return 0;
    }
    return -1;
}

/* A misspelt option would be one that is not obeyed. */
static int check_keys(const struct method *m, const struct mito_value *dict)
{
    for (size_t i = 0; i < mito_value_length(dict); i++) {
        const char *key = mito_value_str(mito_value_key(dict, i), NULL);
        bool known = false;
        if (key == NULL)
            return -1;
        for (EACH_OPTION(o, m))
            known |= strcmp(o->name, key) == 0;
        if (!known)
            return error_set(MITO_E_INVALID, "%s has no option \"%.40s\"", m->name, key);
    }
    return 0;
}

void *options_from_value(const struct method *m, const struct mito_value *dict)
{
    if (check_keys(m, dict) < 0)
        return NULL;
    void *options = calloc(1, m->options_size);

    if (options == NULL) {
        error_nomem();
        return NULL;
    }
    for (EACH_OPTION(o, m)) {
        if (field_from_value(options, o, mito_value_get(dict, o->name)) < 0) {
            options_free(m, options);
            return NULL;
        }
    }
    return options;
}
