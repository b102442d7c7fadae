#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "hosts.h"
#include "memory.h"
#include "printable.h"

enum {
    LINE_LIMIT = 256 << 10,     /* bytes of a line; the rest becomes a line of its own */
    KEEP_LIMIT = 16 << 20,      /* bytes kept of one host */
    KEEP_LIMIT_TOTAL = 1 << 30, /* and of all */
    JSON_PENDING = 64 << 10,
    RED = 31,
    FIRST_COLOUR = 32, /* green, yellow, blue, magenta, cyan; red is for stderr */
    COLOURS = 5,
};

static void write_json(void *arg, const char *data, size_t length)
{
    struct out *out = arg;
    out_bytes(out, data, length);
    if (out->pending.length >= JSON_PENDING)
        out_flush(out);
}

void report_start(struct report *r, enum report_mode mode, size_t hosts)
{
    *r = (struct report){.mode = mode, .alone = hosts == 1};
    out_open(&r->streams[0], STDOUT_FILENO);
    out_open(&r->streams[1], STDERR_FILENO);
    r->json.write = write_json;
    r->json.arg = &r->streams[0];
}

/* What was written to the other stream first is to be seen first. */
static struct out *stream_of(struct report *r, int stream)
{
    out_flush(&r->streams[!stream]);
    return &r->streams[stream];
}

static void show_line(struct report *r, const struct target *t, int stream, const char *line,
                      size_t length, bool ended)
{
    struct out *out = stream_of(r, stream);
    if (r->mode == REPORT_PREFIX) {
        int colour = stream == 1 ? RED : FIRST_COLOUR + (int)(t->node->index % COLOURS);
        out_coloured(out, colour, t->node->label);
        out_text(out, ": ");
    }
    out_foreign(out, line, length);
    if (ended || r->mode == REPORT_PREFIX || out->terminal)
        out_end_line(out);
    else if (out->pending.length > LINE_LIMIT)
        out_flush(out);
}

/* Shows whole lines; keeps the last one until the rest of it comes. */
static void stream_lines(struct report *r, struct target *t, int stream, const char *data,
                         size_t length)
{
    struct bytes *held = &t->output[stream];
    const char *newline = NULL;
    while (length > 0 && (newline = memchr(data, '\n', length)) != NULL) {
        size_t line = (size_t)(newline - data);
        if (held->length > 0) {
            bytes_add(held, data, line);
            show_line(r, t, stream, held->data, held->length, true);
            held->length = 0;
        } else {
            show_line(r, t, stream, data, line, true);
        }
        data += line + 1;
        length -= line + 1;
    }
    bytes_add(held, data, length);
    bool at_once = r->mode == REPORT_PLAIN && r->alone && !r->streams[stream].terminal;
    if (held->length >= LINE_LIMIT || (at_once && held->length > 0)) {
        show_line(r, t, stream, held->data, held->length, false);
        held->length = 0;
    }
}

static void keep(struct report *r, struct target *t, int stream, const char *data, size_t length)
{
    size_t host = t->output[0].length + t->output[1].length;
    size_t most = KEEP_LIMIT - host;
    if (most > KEEP_LIMIT_TOTAL - r->kept)
        most = KEEP_LIMIT_TOTAL - r->kept;
    if (length > most) {
        length = most;
        t->cut = true;
    }
    bytes_add(&t->output[stream], data, length);
    r->kept += length;
}

void report_output(struct report *r, struct target *t, int stream, const char *data, size_t length)
{
    if (r->mode == REPORT_GROUP || r->mode == REPORT_JSON)
        keep(r, t, stream, data, length);
    else
        stream_lines(r, t, stream, data, length);
}

/* ------------------------------------------------------------------------------------------- */
/* A host has finished                                                                           */
/* ------------------------------------------------------------------------------------------- */

static void finish_json(struct report *r, const struct target *t)
{
    struct json *j = &r->json;
    const char *const keys[] = {"stdout", "stderr"};
    stream_of(r, 0);
    json_begin(j);
    json_text(j, "host", t->node->label, strlen(t->node->label));
    if (t->node->context != NULL)
        json_integer(j, "context", mito_context_id(t->node->context));
    else
        json_null(j, "context");
    bool ended = t->outcome == OUTCOME_ENDED || t->timed_out;
    if (ended && t->signal == 0 && t->code >= 0)
        json_integer(j, "status", t->code);
    else
        json_null(j, "status");
    if (ended && t->signal != 0)
        json_integer(j, "signal", t->signal);
    else
        json_null(j, "signal");
    for (int i = 0; i < 2; i++)
        json_text(j, keys[i], t->output[i].data, t->output[i].length);
    if (t->value != NULL)
        json_value(j, "value", t->value);
    if (t->error != NULL)
        json_text(j, "error", t->error, strlen(t->error));
    else
        json_null(j, "error");
    json_thousandths(j, "seconds", t->took);
    if (t->cut)
        json_true(j, "truncated");
    json_end(j);
}

static void finish_group(struct report *r, struct target *t)
{
    if (t->cut)
        bytes_add_text(&t->output[0], "\n[mitosis: the output was longer; the rest is left out]\n");
    for (int i = 0; i < 2; i++) {
        size_t length = t->output[i].length;
        size_t groups = r->outputs[i].distinct;
        gather_add(&r->outputs[i], t->node->label, t->node->index, &t->output[i]);
        if (r->outputs[i].distinct == groups)
            r->kept -= length < r->kept ? length : r->kept; /* another host has the same */
    }
}

static void finish_lines(struct report *r, struct target *t)
{
    for (int i = 0; i < 2; i++) {
        if (t->output[i].length > 0)
            show_line(r, t, i, t->output[i].data, t->output[i].length, false);
    }
}

/* How it ended, for the list at the end; nothing when it was well, or has been told already. */
static void note_ending(struct report *r, const struct target *t)
{
    struct bytes text = {0};
    char *ending = NULL;
    if (t->outcome == OUTCOME_FAILED)
        ending = memory_text(t->error);
    else if (t->outcome == OUTCOME_ENDED && t->signal != 0)
        ending = memory_printf("killed by signal %d (%s)", t->signal, strsignal(t->signal));
    else if (t->outcome == OUTCOME_ENDED && t->code != 0)
        ending = memory_printf("exited with status %d", t->code);
    if (ending != NULL)
        bytes_add_text(&text, ending);
    gather_add(&r->endings, t->node->label, t->node->index, &text);
    free(ending);
}

void report_finished(struct report *r, struct target *t)
{
    if (r->mode == REPORT_JSON) {
        r->kept -= t->output[0].length + t->output[1].length;
        finish_json(r, t);
    } else {
        if (r->mode == REPORT_GROUP)
            finish_group(r, t);
        else
            finish_lines(r, t);
        note_ending(r, t);
    }
    bytes_free(&t->output[0]);
    bytes_free(&t->output[1]);
}

/* ------------------------------------------------------------------------------------------- */
/* Several hosts                                                                                 */
/* ------------------------------------------------------------------------------------------- */

/* "mitosis: web[01-03]: text" on stderr. */
static void show_about(struct report *r, const char *hosts, const char *text, size_t length)
{
    struct out *err = stream_of(r, 1);
    out_text(err, "mitosis: ");
    out_coloured(err, RED, hosts);
    out_text(err, ": ");
    printable_add(&err->pending, text, length, err->utf8);
    out_end_line(err);
}

void report_lost(struct report *r, const char *const *hosts, size_t count, const char *error)
{
    if (r->mode == REPORT_JSON)
        return;
    char *folded = hosts_fold(hosts, count);
    show_about(r, folded, error, strlen(error));
    free(folded);
}

int report_flush(struct report *r)
{
    out_flush(&r->streams[0]);
    out_flush(&r->streams[1]);
    return r->streams[0].error != 0 ? r->streams[0].error : r->streams[1].error;
}

struct showing {
    struct report *report;
    int stream;
};

static void show_group(void *arg, const struct gathered *group, const char *hosts)
{
    static const char rule[] = "---------------";
    struct showing *showing = arg;
    struct out *out = stream_of(showing->report, showing->stream);
    char count[32];
    snprintf(count, sizeof count, " (%zu)", group->count);
    out_text(out, rule);
    out_end_line(out);
    out_coloured(out, showing->stream == 1 ? RED : FIRST_COLOUR, hosts);
    out_text(out, group->count > 1 ? count : "");
    out_end_line(out);
    out_text(out, rule);
    out_end_line(out);
    const char *at = group->text.data, *end = at + group->text.length;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        out_foreign(out, at, (size_t)((newline != NULL ? newline : end) - at));
        out_end_line(out);
        at = newline != NULL ? newline + 1 : end;
    }
}

static void show_ending(void *arg, const struct gathered *group, const char *hosts)
{
    show_about(arg, hosts, group->text.data, group->text.length);
}

int report_end(struct report *r)
{
    for (int i = 0; i < 2; i++) {
        struct showing showing = {.report = r, .stream = i};
        gather_each(&r->outputs[i], show_group, &showing);
        gather_free(&r->outputs[i]);
    }
    gather_each(&r->endings, show_ending, r);
    gather_free(&r->endings);
    int error = report_flush(r);
    out_close(&r->streams[0]);
    out_close(&r->streams[1]);
    return error;
}
