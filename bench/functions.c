/* What the children do, and how the measurements get at them. */
#include "bench.h"

#include <unistd.h>

#include "base/buf.h"
#include "core/call.h"
#include "wire/frame.h"
#include "wire/pickle.h"

MITO_FUNCTION(empty)
{
    return mito_args(call, "");
}

MITO_FUNCTION(process_id)
{
    return mito_return(call, "i", getpid());
}

static struct mito_receiver *sink_receiver;

/* A sender to the receiver that sink_drain empties. */
MITO_FUNCTION(sink_open)
{
    if (sink_receiver == NULL)
        sink_receiver = mito_receiver_new(mito_call_router(call));
    return sink_receiver == NULL ? -1 : mito_return(call, "r", sink_receiver);
}

/* Receives that many blobs and returns how many bytes they were. */
MITO_FUNCTION(sink_drain)
{
    int64_t count, bytes = 0;

    if (mito_args(call, "i", &count) < 0)
        return -1;
    while (count-- > 0) {
        MITO_AUTO_MESSAGE m = mito_receive(sink_receiver, 10000);
        const void *data;
        size_t length;
        if (m == NULL || mito_message_read(m, "y", &data, &length) < 0)
            return -1;
        bytes += (int64_t)length;
    }
    return mito_return(call, "i", bytes);
}

/* Sends that many blobs. */
MITO_FUNCTION(source)
{
    static char blob[BLOB_SIZE];
    MITO_AUTO_SENDER to = NULL;
    int64_t count;

    if (mito_args(call, "ti", &to, &count) < 0)
        return -1;
    while (count-- > 0) {
        if (mito_send(to, "y", blob, sizeof blob) < 0)
            return -1;
    }
    return 0;
}

struct mito_context *start_child(struct bench *b)
{
    struct mito_context *child = mito_local(b->router);

    if (child == NULL)
        die("%s", mito_error());
    return child;
}

void end_child(struct mito_context *child)
{
    if (mito_context_shutdown(child, 10000) < 0)
        die("%s", mito_error());
    mito_context_unref(child);
}

pid_t child_pid(struct mito_context *child)
{
    int64_t pid;

    if (mito_call(child, &process_id, "", "i", &pid) < 0)
        die("%s", mito_error());
    return (pid_t)pid;
}

void call_empty(struct mito_context *child)
{
    if (mito_call(child, &empty, "", "") < 0)
        die("%s", mito_error());
}

void call_frame_sizes(size_t *request, size_t *answer)
{
    AUTO_BUF call = {0}, none = {0};

    if (call_payload_begin(&call, NULL, empty.module, empty.name) < 0 ||
        pickle_tuple_open(&call) < 0 || pickle_tuple_close(&call) < 0 ||
        call_payload_end(&call) < 0 || pickle_begin(&none) < 0 || pickle_none(&none) < 0 ||
        pickle_end(&none) < 0)
        die("%s", mito_error());
    *request = FRAME_HEADER_SIZE + call.length;
    *answer = FRAME_HEADER_SIZE + none.length;
}
