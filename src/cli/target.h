/* One host of a run: where its command stands, and what came of it. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "mitosis.h"
#include "plan.h"

enum target_state { TARGET_QUEUED, TARGET_OPENING, TARGET_RUNNING, TARGET_FINISHED };

enum outcome {
    OUTCOME_ENDED,       /* by itself: code and signal say how */
    OUTCOME_FAILED,      /* it could not be run, ran too long, or was interrupted */
    OUTCOME_UNREACHABLE, /* the context was not reached, or was lost */
};

struct target {
    struct node *node;
    enum target_state state;

    struct mito_receiver *rx; /* while active */
    struct mito_sender *flow; /* once the command has been started */
    int64_t since;            /* ms: when opening its context, then when its command began */
    int64_t deadline;         /* ms: when patience ends */
    bool stopping;
    bool timed_out;
    int64_t received; /* bytes of output */

    struct bytes output[2]; /* stdout, stderr: what is kept of it, or the line that has not ended */
    bool cut;               /* there was more than is kept */
    const struct mito_value *value; /* the result of Python, while it is reported; NULL: none that
                                       can be told */

    enum outcome outcome;
    int code, signal;
    char *error;  /* NULL when OUTCOME_ENDED */
    int64_t took; /* ms */
};

#endif
