/* Two-way streaming: numbers go to a copy, squares come back, as long as somebody sends. */
#include <inttypes.h>
#include <mitosis.h>
#include <stdio.h>

/* Takes the sender for the answers; its first message there is the sender for the numbers. */
MITO_FUNCTION(square_all)
{
    MITO_AUTO_RECEIVER numbers = mito_receiver_new(mito_call_router(call));
    MITO_AUTO_SENDER squares = NULL;
    struct mito_message *m;
    int64_t count = 0;

    if (numbers == NULL || mito_args(call, "t", &squares) < 0 ||
        mito_send(squares, "r", numbers) < 0)
        return -1;
    while ((m = mito_receive(numbers, MITO_FOREVER)) != NULL) {
        int64_t n;
        int rc = mito_message_read(m, "i", &n);
        mito_message_free(m);
        if (rc < 0 || mito_send(squares, "i", n * n) < 0)
            return -1;
        count++;
    }
    if (mito_error_code() != MITO_E_CLOSED || mito_sender_close(squares) < 0)
        return -1;
    return mito_return(call, "i", count);
}

/* Starts the function and joins the two directions in one object. */
static struct mito_channel *open_channel(struct mito_context *copy, struct mito_receiver *done)
{
    struct mito_receiver *squares = mito_receiver_new(mito_context_router(copy));
    struct mito_sender *numbers = NULL;

    if (squares == NULL || mito_call_async(copy, &square_all, done, NULL, "r", squares) < 0)
        return NULL;
    MITO_AUTO_MESSAGE first = mito_receive(squares, 10000);
    if (first == NULL || mito_message_read(first, "t", &numbers) < 0)
        return NULL;
    return mito_channel_new(squares, numbers);
}

static int stream(struct mito_channel *channel, struct mito_receiver *done)
{
    struct mito_message *m;
    int64_t square, sum = 0, count;

    for (int i = 1; i <= 1000; i++) /* the copy answers meanwhile */
        if (mito_channel_send(channel, "i", i) < 0)
            return -1;
    mito_channel_close(channel); /* our direction: the function's loop ends, then it closes its */
    while ((m = mito_channel_receive(channel, 10000)) != NULL) {
        if (mito_message_read(m, "i", &square) == 0)
            sum += square;
        mito_message_free(m);
    }
    MITO_AUTO_MESSAGE result = mito_receive(done, 10000);
    if (result == NULL || mito_message_read(result, "i", &count) < 0)
        return -1;
    printf("%" PRId64 " squares, their sum is %" PRId64 "\n", count, sum);
    return 0;
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    struct mito_context *copy = mito_local(router);
    struct mito_receiver *done = mito_receiver_new(router);
    struct mito_channel *channel = NULL;
    int rc = -1;

    if (copy != NULL && done != NULL && (channel = open_channel(copy, done)) != NULL)
        rc = stream(channel, done);
    if (rc < 0)
        fprintf(stderr, "channel: %s\n", mito_error());
    mito_channel_free(channel);
    mito_receiver_free(done);
    mito_router_free(router);
    return rc < 0;
}
