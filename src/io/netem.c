#include "io/netem.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

static int64_t unit_of(const char *unit, const char *const names[], const int64_t factors[])
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(unit, names[i]) == 0)
            return factors[i];
    }
    return 0;
}

static int64_t quantity(const char *word, const char *const names[], const int64_t factors[])
{
    const char *unit = word;
    uint64_t number = text_number(&unit);
    int64_t factor = unit_of(unit, names, factors);

    if (unit == word || number > 100000000 || factor == 0)
        return -1;
    return (int64_t)number * factor;
}

int netem_parse(struct netem_config *config, const char *text)
{
    static const char *const times[] = {"us", "ms", "s", NULL};
    static const int64_t time_factors[] = {1, 1000, 1000000};
    static const char *const rates[] = {"bit", "kbit", "mbit", "gbit", NULL};
    static const int64_t rate_factors[] = {1, 1000, 1000000, 1000000000};
    char copy[128], *rest = copy;

    *config = (struct netem_config){0};
    if (text == NULL)
        return 0;
    if (strlen(text) >= sizeof copy)
        return error_set(MITO_E_INVALID, "MITOSIS_NETEM: too long");
    strcpy(copy, text);
    for (char *word; (word = text_word(&rest, " ,")) != NULL;) {
        char *amount = text_word(&rest, " ,");
        int64_t value = -1;
        if (amount != NULL && strcmp(word, "delay") == 0)
            value = config->delay_us = quantity(amount, times, time_factors);
        else if (amount != NULL && strcmp(word, "rate") == 0)
            value = config->rate_bits = quantity(amount, rates, rate_factors);
        if (value < 0)
            return error_set(MITO_E_INVALID,
                             "MITOSIS_NETEM: '%s' is not like \"delay 250ms rate 10mbit\"", text);
    }
    return 0;
}

void netem_init(struct netem *n, struct broker *b, const struct netem_config *config,
                void (*release)(void *arg, struct message *m), void *arg)
{
    *n = (struct netem){.config = *config, .broker = b, .release = release, .arg = arg};
    list_init(&n->held);
}

static void release_due(void *arg)
{
    struct netem *n = arg;

    while (!list_empty(&n->held)) {
        struct message *m = list_first(&n->held, struct message, link);
        if (m->due > clock_ns()) {
            timer_set(n->broker, &n->timer, m->due / 1000000 + 1, release_due, n);
            return;
        }
        list_remove(&m->link);
        n->release(n->arg, m);
    }
    if (n->ending) {
        n->ending = false;
        n->release(n->arg, NULL);
    }
}

void netem_hold(struct netem *n, struct message *m)
{
    int64_t now = clock_ns();
    int64_t start = n->busy_until > now ? n->busy_until : now;

    if (n->config.rate_bits > 0)
        start += (int64_t)((double)message_size(m) * 8e9 / (double)n->config.rate_bits);
    n->busy_until = start;
    m->due = start + n->config.delay_us * 500;
    list_append(&n->held, &m->link);
    if (!n->timer.set)
        timer_set(n->broker, &n->timer, m->due / 1000000 + 1, release_due, n);
}

void netem_end(struct netem *n)
{
    int64_t now = clock_ns();

    n->ending = true;
    if (list_empty(&n->held)) /* the end takes its time to travel as well */
        timer_set(n->broker, &n->timer, (now + n->config.delay_us * 500) / 1000000 + 1, release_due,
                  n);
}

void netem_clear(struct netem *n)
{
    struct message *m;

    timer_cancel(&n->timer);
    n->ending = false;
    list_each(m, &n->held, link)
    {
        list_remove(&m->link);
        message_free(m);
    }
}
