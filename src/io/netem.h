/* A slow link in memory: holds messages as a network with delay and limited rate would
 * ("test your design"). One struct netem is one direction of one stream. */
#ifndef IO_NETEM_H
#define IO_NETEM_H

#include <stdbool.h>

#include "io/broker.h"
#include "io/message.h"

struct netem_config {
    int64_t delay_us;  /* what a round trip takes longer: half of it each way */
    int64_t rate_bits; /* per second, in each direction; 0: unlimited */
};

/* "delay 250ms rate 10mbit", either part may be missing; units us ms s, bit kbit mbit gbit.
 * -1 with MITO_E_INVALID. An empty text or NULL is no delay. */
int netem_parse(struct netem_config *config, const char *text);
static inline bool netem_active(const struct netem_config *c)
{
    return c->delay_us > 0 || c->rate_bits > 0;
}

struct netem {
    struct netem_config config;
    struct broker *broker;
    struct list held;   /* of messages, by due time */
    int64_t busy_until; /* ns: until then the link is sending what it has */
    struct timer timer;
    void (*release)(void *arg, struct message *m); /* NULL for m: the end, see netem_end */
    void *arg;
    bool ending;
};

void netem_init(struct netem *n, struct broker *b, const struct netem_config *config,
                void (*release)(void *arg, struct message *m), void *arg);
/* Takes the message over and releases it when its time has come. */
void netem_hold(struct netem *n, struct message *m);
/* After everything that is held, release(arg, NULL) is called: the end of the stream. */
void netem_end(struct netem *n);
void netem_clear(struct netem *n); /* frees what is held; nothing is released any more */

#endif
