/* What the measurements share: samples, the references, the table. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mitosis.h"

/* Says why and exits with 2: a benchmark that cannot measure has no result. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* --- samples.c ------------------------------------------------------------------------------- */

enum { ROUNDS_MAX = 64 };

struct samples {
    double at[ROUNDS_MAX];
    int count;
};

struct summary {
    double median, low, high; /* low and high: the quartiles */
};

void samples_add(struct samples *s, double value);
struct summary samples_summary(struct samples *s); /* sorts them */

/* Ours and the reference, in turn, so that what else the machine does meets both alike. Each
 * function does one round and returns what it measured. */
struct duel {
    double (*ours)(void *arg);
    double (*reference)(void *arg);
    void *arg;
    int rounds;
    struct samples our_samples, reference_samples;
};

/* Fights that many rounds, after one of each that is not counted. May be called again, with other
 * processes: where the scheduler once puts two processes they stay, and one on each processor talk
 * several times slower than both on one. Several sittings make that luck a part of the samples. */
void duel_fight(struct duel *d);
void duel_result(struct duel *d, struct summary *ours, struct summary *reference);

/* --- reference.c ----------------------------------------------------------------------------- */

/* Processes on the other end of a bare socketpair(2): the least that any answer can cost. */
enum { HOPS_MAX = 16 };
struct reference {
    pid_t pids[HOPS_MAX];
    int count;
    int fd;
};

/* Kinds; each ends at the end of its input.
 *   answer IN OUT   writes OUT bytes for every IN that it has read
 *   sink TOTAL 0    reads TOTAL bytes in pieces of a blob, writes one byte, and again
 *   source TOTAL 0  reads one byte, writes TOTAL bytes in pieces of a blob, and again */
struct reference reference_start(const char *kind, size_t a, size_t b);
/* `hops` processes in a row, of which all but the last pass on what comes, both ways. */
struct reference reference_relay(int hops, size_t in, size_t out);
void reference_end(struct reference *r);

/* What main() is in such a process; returns when this is none. */
void reference_main(int argc, char **argv);

void read_fully(int fd, void *data, size_t size);
void write_fully(int fd, const void *data, size_t size);

/* --- table.c --------------------------------------------------------------------------------- */

enum demand { DEMAND_NOTHING, RATIO_AT_MOST, RATIO_AT_LEAST, VALUE_AT_MOST };

struct row {
    const char *key; /* finds the numbers of others: mitogen.KEY */
    const char *name, *unit;
    struct summary ours, reference; /* a median of 0: there is none */
    enum demand demand;
    double bound;
};

void table_add(const struct row *row);
int table_print(void); /* how many demands are not met */
/* Mitogen, a master in C with Python contexts, and all in C: what all three have been measured for.
 */
void table_print_sides(void);

/* Numbers that other programs measured, one "KEY VALUE" a line. */
void numbers_load(const char *path);
void numbers_add(const char *prefix, const char *key, double value);
bool numbers_find(const char *prefix, const char *key, double *out);

/* --- the measurements --------------------------------------------------------------------------
 */

enum { BLOB_SIZE = 1024 * 1024 };

struct bench {
    struct mito_router *router;
    const char *ssh_config; /* of a host "good"; NULL: none there */
    const char *far;        /* the directory that link.c tells of; NULL: there is no link */
    const char *functions;  /* the directory of functions.py; NULL: no Python contexts */
};

void bench_call(struct bench *b);
void bench_pipeline(struct bench *b);
void bench_start(struct bench *b);
void bench_throughput(struct bench *b);
void bench_chain(struct bench *b);
void bench_memory(struct bench *b);
void bench_size(struct bench *b);
void bench_ssh(struct bench *b);
void bench_link(struct bench *b);
void bench_bastion(struct bench *b);
void bench_sides(struct bench *b);

/* ssh.c: how long a program takes that must succeed, in ms. */
double run_to_end(const char *const *argv);

/* memory.c, in KiB: pages that no other process shares; those that are shared divided among all;
 * all of them. */
struct memory {
    double private, pss, rss;
};
struct memory memory_of(pid_t pid);

/* functions.c: what the children do. */
MITO_DECLARE_FUNCTION(empty);
MITO_DECLARE_FUNCTION(process_id);
MITO_DECLARE_FUNCTION(sink_open);
MITO_DECLARE_FUNCTION(sink_drain);
MITO_DECLARE_FUNCTION(source);

struct mito_context *start_child(struct bench *b);
void end_child(struct mito_context *child);
pid_t child_pid(struct mito_context *child);
void call_empty(struct mito_context *child);
/* Bytes of the two frames that an empty call and its answer are. */
void call_frame_sizes(size_t *request, size_t *answer);

#endif
