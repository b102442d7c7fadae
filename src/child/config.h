/* What a parent tells a new child on its command line: one word that no shell touches. */
#ifndef CHILD_CONFIG_H
#define CHILD_CONFIG_H

#include "base/buf.h"
#include "child/enter.h"
#include "child/image.h"
#include "core/router.h"

/* argv[1] of a child; argv[2] is its configuration, argv[3] (optional) a directory to remove. */
#define CHILD_ARGUMENT "mitosis-child"
/* The child says this on stdout when it is up; frames follow. */
#define CHILD_UP "MITO_002\n"

struct child_config {
    struct router_config router; /* parent_ids is allocated by the parser, owned by the caller */
    char title[128];             /* what argv[0] is to read: mitosis:user@host:pid */
    char name[100];              /* of the context */
    struct enter enter;
    char images[IMAGE_HASHES_MAX]; /* see child/image.h */
};

int child_config_encode(struct buf *out, const struct child_config *c);
/* -1 with MITO_E_MALFORMED. */
int child_config_parse(struct child_config *c, const char *text);

#endif
