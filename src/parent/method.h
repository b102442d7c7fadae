/* Connection methods: one file and one row each.
 *
 * A method says which options it has, how it names the context, and what is run. All the rest
 * (the first stage, the image, timeouts, errors) is the same for all of them (connection.c). */
#ifndef PARENT_METHOD_H
#define PARENT_METHOD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "mitosis.h"
#include "wire/value.h"

enum option_type { OPTION_STR, OPTION_INT, OPTION_BOOL, OPTION_LIST /* const char *const * */ };

struct option {
    const char *name; /* as on the wire and in the struct */
    enum option_type type;
    size_t offset;
};

#define OPTION(struct_name, field, type)                                                           \
    {                                                                                              \
#field, type, offsetof(struct struct_name, field)                                          \
    }

/* What every options struct begins with. */
struct common_options {
    MITO_COMMON_OPTIONS;
};

/* An argument vector being built; every string is its own copy. */
struct argv {
    char **words; /* NULL-terminated */
    size_t count;
    bool failed; /* out of memory: reported by argv_done */
};

void argv_add(struct argv *a, const char *word);
void argv_addf(struct argv *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
int argv_done(const struct argv *a); /* 0, or -1 when something could not be added */
void argv_free(struct argv *a);

/* Where a diagnosis starts from: what is known of a connection that failed. */
struct symptoms {
    const char *said;     /* the last lines on stderr; never NULL */
    bool reached_a_shell; /* our first stage spoke */
    int status;           /* of the process, as from waitpid(2) */
};

struct method {
    const char *name;
    size_t options_size;
    const struct option *options; /* ends with a NULL name */
    /* Checks what is given; -1 with MITO_E_INVALID. May be NULL. */
    int (*check)(const void *options);
    /* The name of the context, "ssh.db1"; `id` makes it unique where nothing else does. */
    void (*name_context)(const void *options, uint32_t id, char *out, size_t size);
    /* The command line. `shell_command` is one line for a POSIX-or-not login shell that runs the
     * first stage; NULL for a method that starts the image itself (local). */
    int (*command)(const void *options, const char *shell_command, struct argv *out);
    /* Starts the image directly, without shell and first stage. */
    bool direct;
    /* Nothing but our first stage reads what is written to the process: the image may be sent
     * before the other side has said a word, which saves a round trip. */
    bool eager;
    /* Finds the code and the sentence for a failure before the first stage spoke; false when it
     * knows nothing better than the generic text. May be NULL. */
    bool (*diagnose)(const struct symptoms *s, struct error *out);
};

extern const struct method method_local, method_ssh;

const struct method *method_by_name(const char *name);

/* A deep copy of an options struct, without `via`; to be released with options_free. */
void *options_copy(const struct method *m, const void *options);
void options_free(const struct method *m, void *options);
/* As a dict, and back: what crosses the wire to a context that connects for another. */
int options_pickle(const struct method *m, const void *options, struct buf *out);
void *options_from_value(const struct method *m, const struct mito_value *dict);

#endif
