/* Crashes of this process: what a child says before it dies of one. */
#ifndef CHILD_CRASH_H
#define CHILD_CRASH_H

#include "mitosis.h"

/* What the words of a child begin with whose function called exit(3): its parent adds the status.
 */
#define LAST_WORDS_EXIT "called exit(3)"

/* The function that the calling thread runs; NULL: none. */
extern __thread const struct mito_function *running_function;

/* From now on a fatal signal is told to the parent before the process dies of it. A handler that is
 * there already stays, and one that the program sets later takes our place. */
void crash_watch(void);

/* For the handler, when the thread's own stack is used up. Lives in the outermost function of each
 * thread that runs functions: the deep end of the stack never reaches it. */
struct crash_stack {
    char bytes[16 * 1024];
};
void crash_use_stack(struct crash_stack *stack);

/* The program calls exit(3). With the lock held. */
void crash_say_exit(void);

#endif
