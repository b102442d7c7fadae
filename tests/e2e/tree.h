/* What the end-to-end tests share: a router whose records are kept, contexts, processes, time. */
#ifndef E2E_TREE_H
#define E2E_TREE_H

#include "unit/cmocka_all.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#elif __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

/* How many times slower things may be than what a test demands. */
#define SLOWNESS (UNDER_TSAN ? 4 : UNDER_ASAN ? 2 : 1)

enum { PATIENCE = 30000 }; /* ms to wait for what must happen: reached only when it does not */

/* --- a router per test ------------------------------------------------------------------------ */

/* The router of the test that runs. */
extern struct mito_router *tree;

/* Around every test: starts `tree`; frees it and checks that no process and no descriptor stays. */
int tree_open(void **state);
int tree_close(void **state);
#define TREE_TEST(function) cmocka_unit_test_setup_teardown(function, tree_open, tree_close)
/* In place of the one that tree_open() made, whose records are forgotten. */
void tree_reopen(const struct mito_router_options *options);
/* Frees `tree` before the test is over; says how many ms that took. */
int64_t tree_free(void);

/* A local child that must come up: tree_local(.via = other). */
#define tree_local(...) tree_up_(mito_local(tree __VA_OPT__(, ) __VA_ARGS__), __LINE__)
struct mito_context *tree_up_(struct mito_context *context, int line);

/* The next message, which must come; or the end with that code, which must come instead. */
struct mito_message *tree_receive(struct mito_receiver *rx);
#define tree_receive_error(rx, code)                                                               \
    do {                                                                                           \
        assert_null(mito_receive(rx, PATIENCE));                                                   \
        assert_error(code, "");                                                                    \
    } while (0)

/* --- records ---------------------------------------------------------------------------------- */

struct kept_record {
    enum mito_level level;
    uint32_t context_id;
    char *context_name, *logger, *text;
};

/* Waits for a record: context_id, or -1 for any; logger, or NULL for any; `part` is in its text.
 * NULL when none came in time. Valid until tree_close(). */
const struct kept_record *tree_record(int64_t context_id, const char *logger, const char *part,
                                      int timeout);
/* How many there are now; the n-th of them, from 0. */
size_t tree_count_records(int64_t context_id, const char *logger, const char *part);
const struct kept_record *tree_record_at(int64_t context_id, const char *logger, const char *part,
                                         size_t n);

/* --- functions that every test program has -----------------------------------------------------
 */

MITO_DECLARE_FUNCTION(tree_pid);   /* () -> pid */
MITO_DECLARE_FUNCTION(tree_spin);  /* () runs for ever, without any system call */
MITO_DECLARE_FUNCTION(tree_echo);  /* (any value) -> the same */
MITO_DECLARE_FUNCTION(tree_block); /* (sender t): sends it the sender of a receiver ("r"), waits for
                                    * a message there, returns None */

pid_t tree_pid_of(struct mito_context *context);

/* A call of tree_block, under way: what it waits for is sent with tree_unblock(). */
struct blocked {
    struct mito_receiver *rx;
    struct mito_sender *word;
};
void tree_block_main(struct blocked *b, struct mito_context *context);
void tree_unblock(struct blocked *b);

/* --- processes and time ------------------------------------------------------------------------
 */

int64_t now_ms(void);
void sleep_ms(int ms);
/* Is there no such process any more (a zombie is none)? Waits up to `timeout` ms. */
bool pid_gone(pid_t pid, int timeout);
/* The letter of its state in /proc, 0 when there is none. */
char pid_state(pid_t pid);
size_t count_descriptors(void);
/* Processes whose parent is this one, zombies too. */
size_t count_child_processes(void);

#endif
