#include "parent/method.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row per connection method. */
static const struct method *const methods[] = {
    &method_local,
    &method_ssh,
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

void argv_addf(struct argv *a, const char *format, ...)
{
    va_list ap;
    char *word = NULL;

    va_start(ap, format);
    if (vasprintf(&word, format, ap) < 0)
        word = NULL;
    va_end(ap);
    if (word == NULL)
        a->failed = true;
    else
        argv_add(a, word);
    free(word);
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
