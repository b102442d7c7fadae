/* What a command line of the compiler driver asks for. */
#ifndef CLI_CC_JOB_H
#define CLI_CC_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "cli.h"
#include "kinds.h"
#include "tool.h"

enum cc_word_kind {
    CC_OPTION,     /* for every compiler; or the value of one */
    CC_OWN_OPTION, /* for that of this machine alone: dependencies, and what chooses processors */
    CC_SOURCE,
    CC_OBJECT, /* or another input of the linker */
    CC_ARCHIVE,
    CC_LIBRARY, /* -lNAME */
};

struct cc_word {
    enum cc_word_kind kind;
    const char *text;
};

struct cc_job {
    struct cc_word *words; /* but -o, and our own options */
    size_t count, capacity;
    size_t sources, inputs;
    struct words directories; /* of -L */
    const char *output;       /* of -o, or NULL */
    const char *bind;         /* of --bind: this program gets the images */
    bool compiles;            /* -c: no linking */
    bool debugs;              /* -g */
    bool strips;              /* -s: nothing for debuggers is kept */
    bool colours;             /* the user said whether */
    const char *passes;       /* why all of it is for this machine's compiler alone, or NULL */
    struct words passed;      /* that command line: all but our own options */
    const struct kind *targets[KINDS];
    size_t target_count; /* the first is this machine's own */
    char **texts;        /* that were made here */
    size_t text_count, text_capacity;
};

/* Reads the arguments up to the NULL; they must stay. -1 with a complaint. */
int cc_job_read(struct cc_job *job, char **arguments, struct complaint *why);
void cc_job_free(struct cc_job *job);
/* The path as it stands, but with `suffix` instead of its own, and without its directory. */
char *cc_job_output_for(const char *source, const char *suffix);

#endif
