#include "job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "opening.h"
#include "remote.h"
#include "session.h"
#include "signals.h"

enum {
    KILL_PATIENCE_MS = 5000,      /* for a command that was told to stop to have stopped */
    INTERRUPT_PATIENCE_MS = 2000, /* the same once the user wants to leave */
    OWN_PATIENCE_MS = 5000,       /* then, for what is being opened to be ended */
    IN_FLIGHT_MAX = 32 << 20,     /* bytes on their way of all commands: below what queues hold */
    BUSY_MS = 20,                 /* between two looks at deadlines and signals */
};

struct job {
    const struct job_options *options;
    struct plan *plan;
    struct session session;
    struct opening opening;
    struct report report;
    struct mito_value *argv;
    struct target *targets;
    struct target **active;
    size_t active_count;
    size_t next; /* of the plan's targets: not begun yet */
    size_t unfinished;
    int interrupted; /* by this signal; SIGPIPE also when output could not be written */
    bool write_failed;
    bool failed, unreachable;
};

/* ------------------------------------------------------------------------------------------- */
/* The end of a target                                                                           */
/* ------------------------------------------------------------------------------------------- */

/* Ends the topmost context on the way to this one that nothing needs any more. Does not wait. When
 * the user wants to leave, the router's end does it for all. Those that mitosis serve keeps stay.
 */
static void release_contexts(const struct job *job, struct node *node)
{
    bool served = job->session.server != NULL;
    struct node *top = NULL;
    for (; node != NULL; node = node->parent) {
        bool stays = served && !node->hop->method->own;
        if (--node->unfinished == 0 && node->state == NODE_UP && !stays)
            top = node;
    }
    if (top == NULL || (job->interrupted != 0 && !served))
        return;
    (void)mito_context_shutdown(top->context, 0); /* what is not gone by now is killed */
    for (struct node *below = top; below != NULL; below = node_next(top, below)) {
        if (below->state == NODE_UP)
            below->state = NODE_ENDED;
    }
}

static void deactivate(struct job *job, struct target *t)
{
    if (t->rx == NULL)
        return;
    for (size_t i = 0; i < job->active_count; i++) {
        if (job->active[i] == t) {
            job->active[i] = job->active[--job->active_count];
            break;
        }
    }
    mito_select_remove(job->session.select, t->rx);
    mito_sender_free(t->flow);
    mito_receiver_free(t->rx);
    t->flow = NULL;
    t->rx = NULL;
}

static void finish(struct job *job, struct target *t, enum outcome outcome)
{
    t->outcome = outcome;
    t->took = t->state == TARGET_QUEUED ? 0 : now_ms() - t->since;
    t->state = TARGET_FINISHED;
    job->unreachable |= outcome == OUTCOME_UNREACHABLE;
    job->failed |= outcome == OUTCOME_FAILED || t->code != 0 || t->signal != 0;
    job->unfinished--;
    deactivate(job, t);
    report_finished(&job->report, t);
    t->value = NULL; /* it goes with the message */
    release_contexts(job, t->node);
    free(t->error);
    t->error = NULL;
}

static void finish_failed(struct job *job, struct target *t, enum outcome outcome,
                          const char *error)
{
    if (t->error == NULL)
        t->error = memory_text(error);
    t->code = -1;
    if (outcome == OUTCOME_UNREACHABLE)
        report_lost(&job->report, &t->node->label, 1, t->error);
    finish(job, t, outcome);
}

/* ------------------------------------------------------------------------------------------- */
/* Opening and starting                                                                          */
/* ------------------------------------------------------------------------------------------- */

/* Asks the command to end; its result is still waited for, for a while. */
static void stop_command(struct target *t, int patience)
{
    t->deadline = now_ms() + patience;
    t->stopping = true;
    if (t->flow != NULL)
        (void)mito_send(t->flow, ""); /* if it fails, so does the call */
}

static int call(struct job *job, struct target *t, int window)
{
    struct mito_context *context = t->node->context;
    if (job->options->python != NULL)
        return python_run_call(job->options->python, context, t->rx, t, job->argv, window);
    return mito_call_async(context, &run_command, t->rx, t, "vri", job->argv, t->rx, window);
}

static void start_command(struct job *job, struct target *t)
{
    size_t window = IN_FLIGHT_MAX / job->options->parallel;
    t->state = TARGET_RUNNING;
    t->since = now_ms();
    t->deadline = job->options->timeout_ms > 0 ? t->since + job->options->timeout_ms : INT64_MAX;
    if (call(job, t, window < WINDOW_MAX ? (int)window : WINDOW_MAX) < 0)
        finish_failed(job, t, OUTCOME_UNREACHABLE, mito_error());
}

/* A node failed: all targets behind it are lost, and are shown as one. */
static void lose_subtree(struct job *job, struct node *top)
{
    const char **labels = NULL;
    size_t count = 0, capacity = 0;
    for (struct node *node = top; node != NULL; node = node_next(top, node)) {
        if (!node->is_target || node->target->state == TARGET_FINISHED)
            continue;
        labels = memory_grow(labels, count, &capacity, sizeof *labels);
        labels[count++] = node->label;
    }
    if (count > 0)
        report_lost(&job->report, labels, count, top->error);
    free(labels);
    for (struct node *node = top; node != NULL; node = node_next(top, node)) {
        if (!node->is_target || node->target->state == TARGET_FINISHED)
            continue;
        node->target->error = memory_text(top->error);
        node->target->code = -1;
        finish(job, node->target, OUTCOME_UNREACHABLE);
    }
}

static void on_opened(void *arg, struct node *node)
{
    struct job *job = arg;
    if (node->state == NODE_FAILED)
        lose_subtree(job, node);
    else if (node->is_target && node->target->state == TARGET_OPENING)
        start_command(job, node->target);
    else if (node->hop->method->own) /* the user has left meanwhile */
        (void)mito_context_shutdown(node->context, 0);
}

static void begin(struct job *job, struct target *t)
{
    t->since = now_ms();
    t->deadline = INT64_MAX;
    t->state = TARGET_OPENING;
    t->rx = mito_receiver_new(job->session.router);
    if (t->rx == NULL || mito_select_add(job->session.select, t->rx) < 0) {
        finish_failed(job, t, OUTCOME_FAILED, mito_error());
        return;
    }
    job->active[job->active_count++] = t;
    if (t->node->state == NODE_UP)
        start_command(job, t);
    else
        opening_want(&job->opening, t->node);
}

static void fill(struct job *job)
{
    while (job->active_count < job->options->parallel && job->next < job->plan->target_count) {
        struct target *t = job->plan->targets[job->next++]->target;
        if (t->state == TARGET_QUEUED)
            begin(job, t);
    }
}

/* ------------------------------------------------------------------------------------------- */
/* Messages from contexts, which may say anything                                                */
/* ------------------------------------------------------------------------------------------- */

static void lose(struct job *job, struct target *t, const char *error)
{
    t->error = memory_text(error); /* before the next call of the library can change it */
    if (t->flow != NULL)
        mito_sender_close(t->flow);
    finish_failed(job, t, OUTCOME_UNREACHABLE, "");
}

/* Why it was to stop. */
static char *why_stopped(const struct job *job, const struct target *t)
{
    if (t->timed_out)
        return memory_printf("timed out after %g s", (double)job->options->timeout_ms / 1e3);
    return memory_text("interrupted");
}

/* What a failed call says about the context: gone, or alive and unable. */
static enum outcome outcome_of(int code)
{
    return code == MITO_E_DEAD || code == MITO_E_CRASHED || code == MITO_E_CLOSED ||
                   code == MITO_E_OVERFLOW
               ? OUTCOME_UNREACHABLE
               : OUTCOME_FAILED;
}

static int read_result(const struct job *job, struct target *t, struct mito_message *message,
                       int64_t *code, int64_t *number, int64_t *total)
{
    const struct mito_value *values = NULL;
    if (job->options->python == NULL)
        return mito_message_read(message, "iii", code, number, total);
    int result = mito_message_read(message, "iiiv", code, number, total, &values);
    t->value = result == 0 ? mito_value_item(values, 0) : NULL;
    return result;
}

/* The call has failed. Python that does not stop when it is told to ends with its context. */
static void receive_failure(struct job *job, struct target *t)
{
    enum outcome outcome = outcome_of(mito_error_code());
    if (job->options->python != NULL && t->stopping && outcome == OUTCOME_UNREACHABLE) {
        t->error = why_stopped(job, t);
        outcome = OUTCOME_FAILED;
    }
    finish_failed(job, t, outcome, mito_error());
}

static void receive_result(struct job *job, struct target *t, struct mito_message *message)
{
    int64_t code = 0, number = 0, total = 0;
    if (read_result(job, t, message, &code, &number, &total) < 0) {
        receive_failure(job, t);
        return;
    }
    if (code < 0 || code > 255 || number < 0 || number > 127) {
        lose(job, t, "an exit status that cannot be");
        return;
    }
    t->code = (int)code;
    t->signal = (int)number;
    if (t->stopping) {
        t->error = why_stopped(job, t);
        finish(job, t, OUTCOME_FAILED);
    } else if (total != t->received) {
        lose(job, t, "some of the output was lost");
    } else {
        finish(job, t, OUTCOME_ENDED);
    }
}

static int receive_output(struct job *job, struct target *t, struct mito_message *message)
{
    int64_t stream = 0;
    const void *data = NULL;
    size_t length = 0;
    if (mito_message_read(message, "iy", &stream, &data, &length) < 0 || stream < 1 || stream > 2)
        return -1;
    t->received += (int64_t)length;
    report_output(&job->report, t, (int)stream - 1, data, length);
    (void)mito_message_reply(message, ""); /* if it fails, so does the call */
    return 0;
}

/* The command's receiver. One in another context is refused: what we send carries our authority,
 * and is not to be aimed by a context at its neighbours. */
static int receive_flow(struct target *t, struct mito_message *message)
{
    if (mito_message_read(message, "r", &t->flow) < 0)
        return -1;
    MITO_AUTO_CONTEXT owner = mito_sender_context(t->flow);
    if (owner != NULL && mito_context_id(owner) == mito_context_id(t->node->context))
        return 0;
    mito_sender_free(t->flow);
    t->flow = NULL;
    return -1;
}

static void receive_from_command(struct job *job, struct target *t, struct mito_message *message)
{
    if (mito_message_src_id(message) != mito_context_id(t->node->context))
        return; /* somebody else's attempt to speak for this host */
    if (t->flow != NULL) {
        if (receive_output(job, t, message) < 0)
            lose(job, t, "output that cannot be read");
    } else if (receive_flow(t, message) < 0) {
        lose(job, t, "a message that cannot be read");
    } else if (t->stopping) {
        (void)mito_send(t->flow, "");
    }
}

static void receive(struct job *job, struct target *t)
{
    MITO_AUTO_MESSAGE message = mito_receive(t->rx, 0);
    if (message == NULL && mito_error_code() == MITO_E_TIMEOUT)
        return;
    if (message == NULL)
        lose(job, t, mito_error());
    else if (mito_message_tag(message) == t)
        receive_result(job, t, message);
    else if (t->state == TARGET_RUNNING)
        receive_from_command(job, t, message);
}

static void dispatch(struct job *job, struct mito_receiver *rx)
{
    if (rx == job->opening.rx) {
        opening_receive(&job->opening);
        return;
    }
    for (size_t i = 0; i < job->active_count; i++) { /* a few dozen */
        if (job->active[i]->rx == rx) {
            receive(job, job->active[i]);
            return;
        }
    }
}

/* ------------------------------------------------------------------------------------------- */
/* Time and signals                                                                              */
/* ------------------------------------------------------------------------------------------- */

static int64_t first_deadline(const struct job *job)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < job->active_count; i++) {
        if (job->active[i]->deadline < first)
            first = job->active[i]->deadline;
    }
    return first;
}

static void expire(struct job *job)
{
    int64_t now = now_ms();
    for (size_t i = job->active_count; i-- > 0;) { /* backwards: the last may take a place */
        struct target *t = job->active[i];
        if (t->deadline > now)
            continue;
        if (!t->stopping) {
            t->timed_out = true;
            stop_command(t, KILL_PATIENCE_MS);
            continue;
        }
        t->error = why_stopped(job, t);
        finish_failed(job, t, OUTCOME_FAILED, "");
    }
}

/* Commands that run get a moment to end; the rest is not begun. */
static void interrupt(struct job *job, int number)
{
    job->interrupted = number;
    job->opening.no_more = true;
    for (size_t i = 0; i < job->plan->target_count; i++) {
        struct target *t = &job->targets[i];
        if (t->state == TARGET_RUNNING)
            stop_command(t, INTERRUPT_PATIENCE_MS);
        else if (t->state != TARGET_FINISHED)
            finish_failed(job, t, OUTCOME_FAILED, "interrupted");
    }
}

/* Output could not be written. When who reads it has gone, that is the end, as for any filter. */
static void note_write_error(struct job *job, int error)
{
    if (error == 0 || job->interrupted != 0)
        return;
    job->write_failed = error != EPIPE;
    if (job->write_failed)
        print_error("cannot write: %s", strerror(error));
    interrupt(job, SIGPIPE);
}

static void loop(struct job *job)
{
    for (;;) {
        fill(job);
        note_write_error(job, report_flush(&job->report));
        if (signals_caught() != 0 && job->interrupted == 0)
            interrupt(job, signals_caught());
        if (job->unfinished == 0)
            return;
        struct mito_receiver *rx = session_wait(&job->session, first_deadline(job));
        for (int64_t end = now_ms() + BUSY_MS; rx != NULL;) {
            dispatch(job, rx);
            rx = now_ms() < end ? session_wait(&job->session, 0) : NULL;
        }
        expire(job);
    }
}

static bool own_under_way(const struct job *job)
{
    for (struct node *node = NULL; (node = plan_next(job->plan, node)) != NULL;) {
        if (node->state == NODE_OPENING && node->hop->method->own)
            return true;
    }
    return false;
}

/* What is opened behind mitosis serve for this run alone would stay there: it is waited for, and
 * ended. */
static void end_own(struct job *job)
{
    int64_t until = now_ms() + OWN_PATIENCE_MS;
    while (job->session.server != NULL && own_under_way(job) && now_ms() < until) {
        struct mito_receiver *rx = session_wait(&job->session, until);
        if (rx != NULL)
            dispatch(job, rx);
    }
}

/* ------------------------------------------------------------------------------------------- */
/* All of it                                                                                     */
/* ------------------------------------------------------------------------------------------- */

static struct mito_value *list_of(char *const *argv)
{
    struct mito_value *list = mito_value_new_list();
    for (; list != NULL && *argv != NULL; argv++) {
        struct mito_value *item = mito_value_new_bytes(*argv, strlen(*argv));
        if (item == NULL || mito_value_append(list, item) < 0) {
            mito_value_free(list);
            return NULL;
        }
    }
    return list;
}

static void make_targets(struct job *job)
{
    job->unfinished = job->plan->target_count;
    job->targets = memory_zeroed(job->unfinished, sizeof *job->targets);
    job->active = memory_zeroed(job->options->parallel, sizeof *job->active);
    for (size_t i = 0; i < job->unfinished; i++) {
        job->targets[i].node = job->plan->targets[i];
        job->plan->targets[i]->target = &job->targets[i];
    }
}

static int exit_status(const struct job *job)
{
    if (job->write_failed)
        return STATUS_FAILED;
    if (job->interrupted != 0)
        return 128 + job->interrupted;
    return job->unreachable ? STATUS_UNREACHABLE : job->failed ? STATUS_FAILED : STATUS_OK;
}

/* What Python contexts need comes from the master: from mitosis serve, if there is one. */
static int serve_python(const struct job *job)
{
    if (job->options->python == NULL || job->session.server != NULL)
        return 0;
    return python_run_serve_own(job->options->python, job->session.router);
}

int job_run(struct plan *plan, const struct job_options *options)
{
    enum { DESCRIPTORS = 8 }; /* of one context that is being opened, at most */
    struct job job = {.options = options, .plan = plan};
    struct complaint why;
    if (session_start(&job.session, options->parallel * DESCRIPTORS, plan->connect, &why) < 0) {
        print_error("%s", why.text);
        return STATUS_UNREACHABLE;
    }
    make_targets(&job);
    report_start(&job.report, options->mode, plan->target_count);
    job.argv = list_of(options->argv);
    if (job.argv != NULL && serve_python(&job) == 0 &&
        opening_start(&job.opening, &job.session, plan, on_opened, &job) == 0) {
        loop(&job);
        end_own(&job);
    } else {
        print_error("%s", mito_error());
        job.unreachable = true;
    }
    note_write_error(&job, report_end(&job.report));
    opening_stop(&job.opening);
    session_end(&job.session);
    mito_value_free(job.argv);
    free(job.targets);
    free(job.active);
    return exit_status(&job);
}
