#include "parent/method.h"

#include <stdlib.h>
#include <string.h>

#include "base/format.h"

/* One row per connection method. */
static const struct method *const methods[] = {
    &method_local,  &method_ssh,     &method_sudo,    &method_su,     &method_doas, &method_docker,
    &method_podman, &method_buildah, &method_kubectl, &method_lxc,    &method_lxd,  &method_incus,
    &method_jail,   &method_setns,   &method_fork,    &method_python,
};

const struct method *method_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i]->name, name) == 0)
            return methods[i];
    }
    error_set(MITO_E_INVALID, "no connection method of that name");
    return NULL;
}

/* --- argument vectors --------------------------------------------------------------------------
 */

void argv_add(struct argv *a, const char *word)
{
    char **words = realloc(a->words, (a->count + 2) * sizeof *words);

    if (words == NULL) {
        a->failed = true;
        return;
    }
    a->words = words;
    a->words[a->count] = strdup(word);
    a->words[a->count + 1] = NULL;
    if (a->words[a->count] == NULL)
        a->failed = true;
    else
        a->count++;
}

void argv_add_number(struct argv *a, const char *option, int number)
{
    char word[64];

    format_to(word, sizeof word, "%s%d", option, number);
    argv_add(a, word);
}

void argv_add_list(struct argv *a, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++)
        argv_add(a, *words);
}

void argv_add_option(struct argv *a, const char *option, const char *value)
{
    if (value == NULL)
        return;
    argv_add(a, option);
    argv_add(a, value);
}

void argv_add_shell(struct argv *a, const char *shell_command)
{
    argv_add(a, "sh");
    argv_add(a, "-c");
    argv_add(a, shell_command);
}

int argv_done(const struct argv *a)
{
    return a->failed ? error_nomem() : 0;
}

void argv_free(struct argv *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->words[i]);
    free(a->words);
    *a = (struct argv){0};
}

/* --- checking options --------------------------------------------------------------------------
 */

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

int check_word(const char *method, const char *what, const char *word)
{
    if (*word == '\0')
        return error_set(MITO_E_INVALID, "%s: no %s given", method, what);
    if (*word == '-' || strchr(word, ' ') != NULL || has_control(word))
        return error_set(MITO_E_INVALID, "%s: not a %s", method, what);
    return 0;
}

static int check_secret(const char *method, const char *what, const char *secret)
{
    enum { SECRET_MAX = 1000 };

    if (has_control(secret)) /* a terminal would act on it */
        return error_set(MITO_E_INVALID, "%s: a control character in the %s", method, what);
    if (strlen(secret) > SECRET_MAX)
        return error_set(MITO_E_INVALID, "%s: a %s of more than %d bytes", method, what,
                         SECRET_MAX);
    return 0;
}

static const char *text_at(const void *options, size_t offset)
{
    const char *text;

    memcpy(&text, (const char *)options + offset, sizeof text);
    return text;
}

static const char *name_at(const struct method *m, size_t offset)
{
    const struct option *o = m->options;

    while (o->offset != offset)
        o++;
    return o->name;
}

static int check_target(const struct method *m, const void *options)
{
    bool given = m->target == 0 || text_at(options, m->target) != NULL;
    bool other = m->other_target != 0 && text_at(options, m->other_target) != NULL;

    if (given && other && m->target != 0)
        return error_set(MITO_E_INVALID, "%s: both %s and %s given", m->name, name_at(m, m->target),
                         name_at(m, m->other_target));
    if (!given && !other && m->default_target == NULL)
        return error_set(MITO_E_INVALID, "%s: no %s given", m->name, name_at(m, m->target));
    return 0;
}

int options_check(const struct method *m, const void *options)
{
    if (check_target(m, options) < 0)
        return -1;
    for (const struct option *o = m->options; o->name != NULL; o++) {
        bool word = o->type == OPTION_WORD, secret = o->type == OPTION_SECRET;
        const char *text = word || secret ? text_at(options, o->offset) : NULL;
        if ((word && text != NULL && check_word(m->name, o->name, text) < 0) ||
            (secret && text != NULL && check_secret(m->name, o->name, text) < 0))
            return -1;
    }
    return m->check != NULL ? m->check(options) : 0;
}

const char *options_secret(const struct method *m, const void *options)
{
    const char *secret = NULL;

    for (const struct option *o = m->options; o->name != NULL && secret == NULL; o++) {
        if (o->type == OPTION_SECRET)
            secret = text_at(options, o->offset);
    }
    return secret;
}

const char *method_target(const struct method *m, const void *options)
{
    const char *target = m->target != 0 ? text_at(options, m->target) : NULL;

    if (target == NULL && m->other_target != 0)
        target = text_at(options, m->other_target);
    return target != NULL ? target : m->default_target != NULL ? m->default_target : "";
}
