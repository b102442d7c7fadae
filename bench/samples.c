#include "bench.h"

#include <stdlib.h>

void samples_add(struct samples *s, double value)
{
    if (s->count == ROUNDS_MAX)
        die("more than %d rounds", ROUNDS_MAX);
    s->at[s->count++] = value;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The value at a fraction of the sorted samples, between its two neighbours. */
static double quantile(const struct samples *s, double fraction)
{
    double place = fraction * (s->count - 1);
    int below = (int)place, above = below + 1 < s->count ? below + 1 : below;

    return s->at[below] + (s->at[above] - s->at[below]) * (place - below);
}

struct summary samples_summary(struct samples *s)
{
    if (s->count == 0)
        die("no samples");
    qsort(s->at, (size_t)s->count, sizeof s->at[0], ascending);
    return (struct summary){quantile(s, 0.5), quantile(s, 0.25), quantile(s, 0.75)};
}

void duel_fight(struct duel *d)
{
    d->ours(d->arg);
    d->reference(d->arg);
    for (int i = 0; i < d->rounds; i++) {
        samples_add(&d->our_samples, d->ours(d->arg));
        samples_add(&d->reference_samples, d->reference(d->arg));
    }
}

void duel_result(struct duel *d, struct summary *ours, struct summary *reference)
{
    *ours = samples_summary(&d->our_samples);
    *reference = samples_summary(&d->reference_samples);
}
