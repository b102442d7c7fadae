#include "cc_job.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "scratch.h"

/* With their value in the next argument, unless it is joined to them. */
static const char *const with_value[] = {
    "-x",
    "-I",
    "-L",
    "-D",
    "-U",
    "-B",
    "-T",
    "-u",
    "-z",
    "-e",
    "-A",
    "-include",
    "-imacros",
    "-idirafter",
    "-iprefix",
    "-iwithprefix",
    "-isystem",
    "-iquote",
    "-isysroot",
    "-iwithprefixbefore",
    "-Xlinker",
    "-Xassembler",
    "-Xpreprocessor",
    "--param",
    "-aux-info",
    "-wrapper",
    "-dumpbase",
    "-dumpdir",
    "-specs",
    NULL,
};
static const char *const dependencies_with_value[] = {"-MF", "-MT", "-MQ", NULL};
static const char *const dependencies[] = {"-MD", "-MMD", "-MP", "-MG", NULL};
/* What is no making of objects or programs. */
static const char *const questions[] = {
    "-E",
    "-S",
    "-M",
    "-MM",
    "-fsyntax-only",
    "--version",
    "-###",
    "-dumpversion",
    "-dumpmachine",
    "-dumpspecs",
    "-dumpfullversion",
    "-shared",
    "--target-help",
    NULL,
};
static const char *const source_suffixes[] = {
    "c", "C", "cc", "cp", "cpp", "cxx", "c++", "i", "ii", "s", "S", "sx", NULL,
};

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, text) == 0)
            return true;
    }
    return false;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void add(struct cc_job *job, enum cc_word_kind kind, const char *text)
{
    job->words = memory_grow(job->words, job->count, &job->capacity, sizeof *job->words);
    job->words[job->count++] = (struct cc_word){kind, text};
}

static const char *keep(struct cc_job *job, char *text)
{
    job->texts = memory_grow(job->texts, job->text_count, &job->text_capacity, sizeof *job->texts);
    job->texts[job->text_count++] = text;
    return text;
}

/* --- response files: @FILE, as gcc reads them ------------------------------------------------- */

/* The next word at *at, or NULL at the end. */
static char *next_word(const char **at)
{
    struct bytes word = {0};
    char quote = '\0';
    while (isspace((unsigned char)**at))
        ++*at;
    if (**at == '\0')
        return NULL;
    for (; **at != '\0' && (quote != '\0' || !isspace((unsigned char)**at)); ++*at) {
        if (**at == '\\' && (*at)[1] != '\0')
            bytes_add_char(&word, *++*at);
        else if (**at == quote)
            quote = '\0';
        else if (quote == '\0' && (**at == '\'' || **at == '"'))
            quote = **at;
        else
            bytes_add_char(&word, **at);
    }
    return bytes_take_text(&word);
}

static int expand(struct cc_job *job, const char *argument, struct words *out, int depth,
                  struct complaint *why)
{
    enum { DEPTH_MAX = 20 };
    struct bytes content = {0};
    char *word = NULL;
    if (argument[0] != '@' || file_read(argument + 1, &content, why) < 0) {
        bytes_free(&content);
        words_add(out, argument); /* gcc takes it literally when there is no such file */
        return 0;
    }
    if (depth == DEPTH_MAX) {
        bytes_free(&content);
        return complain(why, "cc: %s: too many files in one another", argument);
    }
    const char *at = keep(job, bytes_take_text(&content));
    int result = 0;
    while (result == 0 && (word = next_word(&at)) != NULL)
        result = expand(job, keep(job, word), out, depth + 1, why);
    return result;
}

/* --- words ------------------------------------------------------------------------------------ */

static void add_file(struct cc_job *job, const char *text, bool has_language)
{
    const char *dot = strrchr(file_name(text), '.');
    const char *suffix = dot == NULL ? "" : dot + 1;
    bool is_source = has_language || is_one_of(suffix, source_suffixes);
    add(job, is_source ? CC_SOURCE : strcmp(suffix, "a") == 0 ? CC_ARCHIVE : CC_OBJECT, text);
    job->sources += is_source;
    job->inputs++;
    if (strcmp(text, "-") == 0)
        job->passes = "standard input is read";
}

/* Those that say something about the whole job. They are passed on as well. */
static void note(struct cc_job *job, const char *text)
{
    if (strcmp(text, "-c") == 0)
        job->compiles = true;
    else if (strcmp(text, "-s") == 0)
        job->strips = true;
    else if (begins(text, "-g"))
        job->debugs = strcmp(text, "-g0") != 0;
    else if (is_one_of(text, questions) || begins(text, "-print-"))
        job->passes = text;
    job->colours = job->colours || begins(text, "-fdiagnostics-color") ||
                   begins(text, "-fno-diagnostics-color");
}

/* Adds the option, and the argument behind it if that is its value: then true. */
static bool add_option(struct cc_job *job, const char *text, const char *next)
{
    bool joined = strlen(text) > 2;
    bool depends = is_one_of(text, dependencies_with_value);
    if (begins(text, "-l") && (joined || next != NULL)) {
        add(job, CC_LIBRARY, joined ? text : keep(job, memory_printf("-l%s", next)));
        job->inputs++;
        return !joined;
    }
    if (begins(text, "-L") && (joined || next != NULL))
        words_add(&job->directories, joined ? text + 2 : next);
    note(job, text);
    if (next != NULL && (depends || is_one_of(text, with_value))) {
        add(job, depends ? CC_OWN_OPTION : CC_OPTION, text);
        add(job, depends ? CC_OWN_OPTION : CC_OPTION, next);
        return true;
    }
    bool is_own = is_one_of(text, dependencies) || begins(text, "-Wp,-M") || begins(text, "-m") ||
                  begins(text, "-MF") || begins(text, "-MT") || begins(text, "-MQ");
    add(job, is_own ? CC_OWN_OPTION : CC_OPTION, text);
    return false;
}

static int read_words(struct cc_job *job, const struct words *from, const char **targets,
                      struct complaint *why)
{
    bool has_language = false;
    for (size_t i = 0; i < from->count; i++) {
        const char *text = from->items[i], *next = from->items[i + 1];
        if (begins(text, "--targets=")) {
            *targets = text + strlen("--targets=");
            continue;
        }
        if (begins(text, "--bind=")) {
            job->bind = text + strlen("--bind=");
            continue;
        }
        words_add(&job->passed, text);
        if (begins(text, "-o")) {
            if (text[2] == '\0' && next == NULL)
                return complain(why, "cc: option -o needs a value");
            job->output = text[2] != '\0' ? text + 2 : next;
            i += text[2] == '\0';
        } else if (text[0] != '-' || text[1] == '\0') {
            add_file(job, text, has_language);
            continue;
        } else {
            i += add_option(job, text, next);
        }
        if (begins(text, "-x"))
            has_language = strcmp(text[2] != '\0' ? text + 2
                                  : next != NULL  ? next
                                                  : "",
                                  "none") != 0;
        if (i < from->count && from->items[i] != text)
            words_add(&job->passed, from->items[i]);
    }
    return 0;
}

/* --- targets ---------------------------------------------------------------------------------- */

static bool has_target(const struct cc_job *job, const struct kind *kind)
{
    for (size_t i = 0; i < job->target_count; i++) {
        if (job->targets[i] == kind)
            return true;
    }
    return false;
}

static int add_target(struct cc_job *job, const struct kind *kind, struct complaint *why)
{
    if (has_target(job, kind))
        return 0;
    if (!kind_is_installed(kind)) {
        kind_missing(kind, why);
        return complain_prefix(why, "cc");
    }
    job->targets[job->target_count++] = kind;
    return 0;
}

/* Those of the list, or all that are installed. This machine's own is always one of them. */
static int choose_targets(struct cc_job *job, const char *list, struct complaint *why)
{
    if (list == NULL)
        list = getenv("MITOSIS_TARGETS");
    int result = add_target(job, kind_own(), why);
    for (size_t i = 0; i < KINDS && list == NULL && result == 0; i++) {
        if (kind_is_installed(&kinds[i]))
            result = add_target(job, &kinds[i], why);
    }
    while (list != NULL && *list != '\0' && result == 0) {
        size_t length = strcspn(list, ",");
        char *name = memory_text_n(list, length);
        const struct kind *kind = kind_find(name);
        if (kind == NULL)
            result = complain(why, "cc: unknown kind of machine '%s'; see mitosis cc --help", name);
        else
            result = add_target(job, kind, why);
        free(name);
        list += length + (list[length] == ',');
    }
    return result;
}

int cc_job_read(struct cc_job *job, char **arguments, struct complaint *why)
{
    struct words all = {.items = NULL};
    const char *targets = NULL;
    int result = 0;
    *job = (struct cc_job){.words = NULL};
    for (; *arguments != NULL && result == 0; arguments++)
        result = expand(job, *arguments, &all, 0, why);
    if (result == 0)
        result = read_words(job, &all, &targets, why);
    words_free(&all);
    if (result == 0)
        result = choose_targets(job, targets, why);
    if (job->passes == NULL && job->inputs == 0)
        job->passes = "there are no files";
    return result;
}

void cc_job_free(struct cc_job *job)
{
    for (size_t i = 0; i < job->text_count; i++)
        free(job->texts[i]);
    free(job->texts);
    free(job->words);
    words_free(&job->directories);
    words_free(&job->passed);
    *job = (struct cc_job){.words = NULL};
}

char *cc_job_output_for(const char *source, const char *suffix)
{
    const char *name = file_name(source), *dot = strrchr(name, '.');
    int length = dot == NULL ? (int)strlen(name) : (int)(dot - name);
    return memory_printf("%.*s%s", length, name, suffix);
}
