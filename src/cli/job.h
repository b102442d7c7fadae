/* Runs one command on all targets of a plan. */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "plan.h"
#include "python_run.h"
#include "report.h"

enum { PARALLEL_DEFAULT = 64, PARALLEL_MAX = 4096 };

struct job_options {
    char *const *argv;
    const struct python_run *python; /* what is run, with these arguments; NULL: a command */
    size_t parallel;                 /* targets at a time */
    int64_t timeout_ms;              /* of the command on one host; 0: none */
    enum report_mode mode;
};

/* Returns the exit status. */
int job_run(struct plan *plan, const struct job_options *options);

#endif
