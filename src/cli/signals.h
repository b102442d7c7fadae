/* Signals that end the command. The first one is only noted: the tree is taken down in order. A
 * second one ends this process at once, and the tree takes itself down. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "cli.h"

/* Catches SIGINT, SIGTERM and SIGHUP (unless it is ignored, as by nohup or in the background).
 * More than once is once. */
int signals_start(struct complaint *why);
/* Readable once one has been caught: poll it, never read it. */
int signals_fd(void);
/* The first that was caught; 0 when there was none. */
int signals_caught(void);

#endif
