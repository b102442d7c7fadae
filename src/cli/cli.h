/* What every file of the command shares: exit codes, complaints, subcommands. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* Exit status of the command. What is worse wins: unreachable over failed. */
enum {
    STATUS_OK = 0,
    STATUS_FAILED = 1,      /* some command failed */
    STATUS_USAGE = 2,       /* bad input; nothing was started */
    STATUS_UNREACHABLE = 3, /* some context could not be reached, or was lost */
};

/* Why input was refused: one line, filled by whoever refuses. */
struct complaint {
    char text[512];
};

/* Fills it (long texts are cut) and returns -1. */
int complain(struct complaint *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "prefix: " in front of what is there and returns -1. */
int complain_prefix(struct complaint *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "mitosis: text" and a newline on stderr, control characters made visible. */
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The complaint likewise; returns STATUS_USAGE. */
int print_complaint(const struct complaint *why);

/* One subcommand: its file ends in one of these. `run` gets argv from its own name on and returns
 * the exit status. */
struct subcommand {
    const char *name;
    const char *summary;
    const char *help;
    int (*run)(const struct subcommand *self, int argc, char **argv);
};

/* Its help on stdout; returns the exit status. */
int print_help(const struct subcommand *subcommand);

extern const struct subcommand cmd_run;
extern const struct subcommand cmd_serve;
extern const struct subcommand cmd_tree;
extern const struct subcommand cmd_cc;
extern const struct subcommand cmd_image;

#endif
