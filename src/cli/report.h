/* What the user gets to see of a run. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "gather.h"
#include "json.h"
#include "out.h"
#include "target.h"

enum report_mode {
    REPORT_PREFIX, /* line by line, each behind the name of its host */
    REPORT_PLAIN,  /* line by line */
    REPORT_GROUP,  /* at the end, hosts with the same output together */
    REPORT_JSON,   /* one object per host when it has finished */
};

struct report {
    enum report_mode mode;
    bool alone;  /* there is one host only */
    size_t kept; /* bytes of output that are kept, over all hosts */
    struct out streams[2];
    struct gather outputs[2];
    struct gather endings; /* how commands ended, where it was not well */
    struct json json;
};

void report_start(struct report *r, enum report_mode mode, size_t hosts);
/* Output of a host: stream 0 is stdout, 1 is stderr. */
void report_output(struct report *r, struct target *t, int stream, const char *data, size_t length);
/* The host has finished. */
void report_finished(struct report *r, struct target *t);
/* A node failed, and these hosts with it: shown as one. Before report_finished() of each. */
void report_lost(struct report *r, const char *const *hosts, size_t count, const char *error);
/* Writes what is pending. The errno of a stream that can no longer be written, or 0. */
int report_flush(struct report *r);
/* Shows what is shown at the end. The result is that of report_flush(). */
int report_end(struct report *r);

#endif
