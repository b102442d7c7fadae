/* Compiling and linking for several kinds of machine. */
#ifndef CLI_CC_BUILD_H
#define CLI_CC_BUILD_H

#include "cc_job.h"
#include "scratch.h"

/* Each returns the exit status: that of a compiler which failed, after it has said why itself, or
 * STATUS_FAILED after a message. */

/* -c: makes fat objects. */
int cc_compile(const struct cc_job *job, struct scratch *scratch);
/* Makes a program for this machine with images for the other kinds bound to it; or, with --bind,
 * images alone, which are bound to a program that is there. */
int cc_link(const struct cc_job *job, struct scratch *scratch);

#endif
