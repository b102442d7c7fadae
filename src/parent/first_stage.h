/* The first stage: what a POSIX sh on a bare target does to receive an image and start it.
 *
 * It is one line that any login shell takes (also fish, csh): sh -c and single-quoted words
 * without quotes, backslashes, exclamation marks or newlines in them. It talks back in lines that
 * begin with FIRST_STAGE_MARK; whatever else comes before is noise of login scripts.
 *
 *     MITO_000 KIND     a shell is there, on that kind of machine (uname -m); it waits for
 *                       "gz SIZE\n" or "raw SIZE\n" and so many bytes
 *     MITO_RAW          no gzip here: send it plain
 *     MITO_ARCH KIND    it is not that kind of machine but this one: an image that is being sent
 *                       already is thrown away, another one is wanted
 *     MITO_AGAIN        the image did not fit where it was put, or came damaged: it is wanted once
 *                       more, for another place
 *     MITO_PLACE WHAT   no place for the image; WHAT was tried
 *     MITO_WRITE PLACE  nothing more came that could be written there
 *     MITO_002          (said by the image itself) up; frames follow
 */
#ifndef PARENT_FIRST_STAGE_H
#define PARENT_FIRST_STAGE_H

#include <stdbool.h>

#include "base/buf.h"

#define FIRST_STAGE_MARK "MITO_"

/* The line. `config` is a word from child_config_encode(); `kind` (kind.h) is that of the image
 * which comes unless ARCH is said; eager: it is being sent already, and there is an end to wait
 * for. */
int first_stage_command(struct buf *out, const char *config, int kind, bool eager);

#endif
