/* The contexts that `mitosis serve` keeps for later commands; both sides.
 *
 * What the server is asked, by calls:
 *   warm_version() -> its version
 *   warm_find(via: int, key) -> (found, context): what was opened with that hop behind that context
 *   warm_keep(via: int, key, context) -> None: has been opened, is to be kept
 */
#ifndef CLI_WARM_H
#define CLI_WARM_H

#include "cli.h"
#include "mitosis.h"

/* Does a command of our version listen there, and not another program? -1 with a complaint. */
int warm_check(struct mito_context *server, const char *path, struct complaint *why);
/* What was opened by that hop behind `via` (NULL: the server itself); NULL when there is none. A
 * reference. */
struct mito_context *warm_find_context(struct mito_context *server, struct mito_context *via,
                                       const char *key);
void warm_keep_context(struct mito_context *server, struct mito_context *via, const char *key,
                       struct mito_context *context);

/* In the server, when the router is gone. */
void warm_forget_all(void);

#endif
