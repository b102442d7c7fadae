/* Connection methods: one file and one row each.
 *
 * A method says which options it has, how it names the context, and what is run. All the rest
 * (the first stage, the image, timeouts, errors) is the same for all of them (connection.c). */
#ifndef PARENT_METHOD_H
#define PARENT_METHOD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "child/enter.h"
#include "mitosis.h"
#include "wire/value.h"

enum option_type {
    OPTION_STR,
    OPTION_WORD,   /* const char *: may stand where an option could; see check_word() */
    OPTION_SECRET, /* const char *, kept out of logs and wiped when it is freed */
    OPTION_INT,
    OPTION_BOOL,
    OPTION_LIST /* const char *const * */
};

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
void argv_add_number(struct argv *a, const char *option, int number);        /* in one word */
void argv_add_list(struct argv *a, const char *const *words);                /* NULL: none */
void argv_add_option(struct argv *a, const char *option, const char *value); /* unless NULL */
/* The first stage for a program that runs an argument vector: sh -c and the line. */
void argv_add_shell(struct argv *a, const char *shell_command);
int argv_done(const struct argv *a); /* 0, or -1 when something could not be added */
void argv_free(struct argv *a);

/* Where a diagnosis starts from: what is known of a connection that failed. */
struct symptoms {
    const char *said;  /* the last lines on stderr; never NULL */
    const char *noise; /* the first bytes that came instead of our first stage; never NULL */
    bool typed;        /* the password was asked for, and typed */
    int status;        /* of the process, as from waitpid(2) */
};

/* What a program says when it fails, and what that means: a table, in the order in which one
 * decides over the other; the last row has no text. */
struct saying {
    const char *said;
    int code;
    const char *sentence;
};

/* The first of the sayings that was said, on stderr or (docker) stdout. False when none was. */
bool saying_find(const struct saying *sayings, const struct symptoms *s, struct error *out);

/* A name that may stand on a command line where an option could: not empty, no '-' in front, no
 * blank or control character. -1 with MITO_E_INVALID. */
int check_word(const char *method, const char *what, const char *word);

enum terminal {
    TERMINAL_NEVER,
    TERMINAL_FOR_PASSWORD, /* when a password was given */
    TERMINAL_ALWAYS,       /* it asks there, or insists on one */
};

struct child_config;

struct method {
    const char *name;
    size_t options_size;
    const struct option *options; /* ends with a NULL name */
    /* The field (OPTION_WORD) that says where it leads, and what that is when it is NULL; with no
     * such default it must be given, or else the other one. The context is named after it:
     * "ssh.db1". 0: after its id. */
    size_t target, other_target;
    const char *default_target;
    /* What there is to check besides the types of the options; -1 with MITO_E_INVALID. May be NULL.
     */
    int (*check)(const void *options);
    /* The command line. `shell_command` is one line for a POSIX-or-not login shell that runs the
     * first stage; NULL for a method that starts the image itself (local). */
    int (*command)(const void *options, const char *shell_command, struct argv *out);
    /* Starts the image directly, without shell and first stage. */
    bool direct;
    /* Direct, and no program is started: the copy is made by fork(2), see forking.h. */
    bool forks;
    /* Direct, and no copy of ours: another program that speaks the protocol, made of a module of
     * that name, which is asked for first. Fills the command line and what the program reads on its
     * standard input; `module` is the decoded payload. NULL: a copy of ours. */
    const char *module;
    int (*program)(const void *options, const struct child_config *config,
                   const struct mito_value *module, struct argv *argv, struct buf *input);
    const char *mark; /* that its lines begin with, instead of ours */
    /* For a direct method: the namespaces that the copy enters before it serves. May be NULL. */
    int (*enter)(const void *options, struct enter *out);
    /* Nothing but our first stage reads what is written to the process: the image may be sent
     * before the other side has said a word, which saves a round trip. */
    bool eager;
    enum terminal terminal;
    /* It asks for a password on standard error, too, and reads it from standard input. */
    bool asks_on_stderr;
    /* What it says when it fails before the first stage speaks. May be NULL. */
    const struct saying *sayings;
    /* For a program that takes a container that is not there for a stopped one (MITO_E_STOPPED):
     * the command line that asks once more then. What that says counts as well. May be NULL. */
    int (*inquiry)(const void *options, struct argv *out);
    /* Instead, where a table is not enough: finds code and sentence; false when it knows nothing
     * better than the generic text. */
    bool (*diagnose)(const struct symptoms *s, struct error *out);
};

extern const struct method method_buildah, method_doas, method_docker, method_fork, method_incus,
    method_jail, method_kubectl, method_local, method_lxc, method_lxd, method_podman, method_setns,
    method_python, method_ssh, method_su, method_sudo;

const struct method *method_by_name(const char *name);

/* The value of its target. Never NULL. */
const char *method_target(const struct method *m, const void *options);
/* -1 with MITO_E_INVALID when something is missing or malformed. */
int options_check(const struct method *m, const void *options);
const char *options_secret(const struct method *m, const void *options); /* NULL: none */
/* A deep copy of an options struct, without `via`; to be released with options_free. */
void *options_copy(const struct method *m, const void *options);
void options_free(const struct method *m, void *options);
void options_wipe(const struct method *m, void *options); /* sets its secrets to NULL */
/* As a dict, and back: what crosses the wire to a context that connects for another. */
int options_pickle(const struct method *m, const void *options, struct buf *out);
void *options_from_value(const struct method *m, const struct mito_value *dict);

#endif
