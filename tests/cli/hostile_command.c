/* In place of src/cli/remote_exec.c: a run_command() that does what its first argument says, none
 * of it well. test_hostile.sh builds the command with it. */
#define MITO_MODULE "cli"
#include "remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct side {
    struct mito_call *call;
    struct mito_router *router;
    struct mito_receiver *flow;
    struct mito_sender *output;
    uint32_t victim; /* the context of another host */
};

static int send_text(const struct side *s, int stream, const char *text)
{
    return mito_request(s->output, s->flow, NULL, "iy", stream, text, strlen(text));
}

static int honest(const struct side *s)
{
    mito_send(s->output, "r", s->flow);
    send_text(s, 1, "honest\n");
    return mito_return(s->call, "iii", 0, 0, 7);
}

static int flood(const struct side *s)
{
    static char chunk[1 << 20];
    mito_send(s->output, "r", s->flow);
    memset(chunk, 'x', sizeof chunk);
    for (int i = 0; i < 500; i++)
        mito_send(s->output, "iy", 1, (const void *)chunk, sizeof chunk);
    return mito_return(s->call, "iii", 0, 0, 500 * (int64_t)sizeof chunk);
}

static int deaf(const struct side *s)
{
    mito_send(s->output, "r", s->flow);
    for (;;)
        sleep(1000);
    return -1;
}

static int mute(const struct side *s)
{
    (void)s;
    for (;;)
        sleep(1000);
    return -1;
}

static int stream_three(const struct side *s)
{
    mito_send(s->output, "r", s->flow);
    send_text(s, 3, "x\n");
    return deaf(s);
}

static int negative_stream(const struct side *s)
{
    mito_send(s->output, "r", s->flow);
    send_text(s, -5, "x\n");
    return deaf(s);
}

static int other_types(const struct side *s)
{
    mito_send(s->output, "r", s->flow);
    mito_send(s->output, "{ss}", "stdout", "x");
    return deaf(s);
}

static int output_first(const struct side *s)
{
    send_text(s, 1, "x\n");
    return deaf(s);
}

static int other_status(const struct side *s)
{
    mito_send(s->output, "r", s->flow);
    return mito_return(s->call, "iii", -1, 4711, 0);
}

static int other_result(const struct side *s)
{
    mito_send(s->output, "r", s->flow);
    return mito_return(s->call, "s", "fine");
}

static int lies_about_total(const struct side *s)
{
    mito_send(s->output, "r", s->flow);
    send_text(s, 1, "some\n");
    return mito_return(s->call, "iii", 0, 0, 1000);
}

static int closes(const struct side *s)
{
    mito_send(s->output, "r", s->flow);
    mito_sender_close(s->output);
    return deaf(s);
}

static int escapes(const struct side *s)
{
    return mito_fail(s->call, MITO_E_USER, "\033[2J\nmitosis: honest: \302\233 %%s%%n");
}

/* Passes off another context's shutdown as its own receiver: what the master sends there to stop
 * this command would end the other host's. */
static int aims_at_another(const struct side *s)
{
    enum { SHUTDOWN = 106 };
    struct mito_context *victim = mito_context_by_id(s->router, s->victim);
    struct mito_sender *sender = mito_sender_new(victim, SHUTDOWN);
    mito_send(s->output, "t", sender);
    return deaf(s);
}

static const struct {
    const char *name;
    int (*run)(const struct side *side);
} sides[] = {
    {"flood", flood},
    {"deaf", deaf},
    {"mute", mute},
    {"stream-three", stream_three},
    {"negative-stream", negative_stream},
    {"other-types", other_types},
    {"output-first", output_first},
    {"other-status", other_status},
    {"other-result", other_result},
    {"lies-about-total", lies_about_total},
    {"closes", closes},
    {"escapes", escapes},
    {"aims-at-another", aims_at_another},
};

/* argv: what to do, and in which context (the master's ids: 1, then 1002, 2003 ...) to do it. The
 * others are honest, after a while. */
MITO_FUNCTION_FLAGS(run_command, MITO_CONCURRENT)
{
    const struct mito_value *list = NULL;
    struct side s = {.call = call, .router = mito_call_router(call)};
    size_t length = 0;
    if (mito_args(call, "vri", &list, &s.output, NULL) < 0)
        return -1;
    s.flow = mito_receiver_new(s.router);
    struct mito_context *self = mito_context_self(s.router);
    const char *name = mito_value_bytes(mito_value_item(list, 0), &length);
    if (mito_context_id(self) != 1) {
        usleep(1200000);
        return honest(&s);
    }
    s.victim = 1002;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        if (strlen(sides[i].name) == length && memcmp(sides[i].name, name, length) == 0)
            return sides[i].run(&s);
    }
    return mito_fail(call, MITO_E_USER, "no such side");
}
