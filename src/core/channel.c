#include <stdlib.h>

#include "base/err.h"
#include "mitosis.h"

struct mito_channel {
    struct mito_receiver *rx;
    struct mito_sender *tx;
};

struct mito_channel *mito_channel_new(struct mito_receiver *rx, struct mito_sender *tx)
{
    struct mito_channel *c = malloc(sizeof *c);

    if (c == NULL) {
        mito_receiver_free(rx);
        mito_sender_free(tx);
        error_nomem();
        return NULL;
    }
    *c = (struct mito_channel){.rx = rx, .tx = tx};
    return c;
}

struct mito_message *mito_channel_receive(struct mito_channel *c, int timeout)
{
    return mito_receive(c->rx, timeout);
}

struct mito_receiver *mito_channel_receiver(struct mito_channel *c)
{
    return c->rx;
}

struct mito_sender *mito_channel_sender(struct mito_channel *c)
{
    return c->tx;
}

int mito_channel_close(struct mito_channel *c)
{
    return mito_sender_close(c->tx);
}

void mito_channel_free(struct mito_channel *c)
{
    if (c == NULL)
        return;
    mito_sender_close(c->tx);
    mito_sender_free(c->tx);
    mito_receiver_free(c->rx);
    free(c);
}
