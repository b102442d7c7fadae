/* Spreads work over N copies: who has finished a piece gets the next one. Which number below a
 * million takes the most steps to 1, when even ones are halved and odd ones become 3n + 1?
 *     map [copies] */
#include <inttypes.h>
#include <mitosis.h>
#include <stdio.h>
#include <stdlib.h>

enum { END = 1000000, PIECE = 20000, COPIES_MAX = 64 };

MITO_FUNCTION(longest)
{
    int64_t first, last, best = 0, most = -1;

    if (mito_args(call, "ii", &first, &last) < 0)
        return -1;
    for (int64_t start = first; start < last; start++) {
        int64_t steps = 0;
        for (int64_t n = start; n != 1; steps++)
            n = n % 2 == 0 ? n / 2 : 3 * n + 1;
        if (steps > most) {
            most = steps;
            best = start;
        }
    }
    return mito_return(call, "ii", best, most);
}

struct worker {
    struct mito_context *context;
    struct mito_receiver *answers;
    int pieces;
};

/* The next piece, if there is one. How many calls that makes, -1 on failure. */
static int give(struct worker *w, int64_t *next)
{
    int64_t first = *next;

    if (first >= END)
        return 0;
    *next += PIECE;
    return mito_call_async(w->context, &longest, w->answers, w, "ii", first, *next) < 0 ? -1 : 1;
}

static int start(struct mito_router *router, struct mito_select *select, struct worker *w)
{
    w->context = mito_local(router);
    w->answers = mito_receiver_new(router);
    if (w->context == NULL || w->answers == NULL)
        return -1;
    return mito_select_add(select, w->answers);
}

static int map(struct mito_router *router, struct mito_select *select, struct worker *workers,
               int count)
{
    int64_t next = 1, best = 0, most = -1;
    int under_way = 0;

    for (int i = 0; i < count; i++) {
        int given = start(router, select, &workers[i]) < 0 ? -1 : give(&workers[i], &next);
        if (given < 0)
            return -1;
        under_way += given;
    }
    while (under_way > 0) {
        struct mito_receiver *rx = mito_select_wait(select, MITO_FOREVER);
        MITO_AUTO_MESSAGE m = rx != NULL ? mito_receive(rx, 0) : NULL;
        int64_t number, steps;
        if (m == NULL || mito_message_read(m, "ii", &number, &steps) < 0)
            return -1;
        if (steps > most || (steps == most && number < best)) {
            most = steps;
            best = number;
        }
        struct worker *w = mito_message_tag(m);
        w->pieces++;
        int given = give(w, &next);
        if (given < 0)
            return -1;
        under_way += given - 1;
    }
    printf("%" PRId64 " takes %" PRId64 " steps\n", best, most);
    return 0;
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct worker workers[COPIES_MAX] = {0};
    int count = argc > 1 ? atoi(argv[1]) : 4;

    if (count < 1 || count > COPIES_MAX) {
        fprintf(stderr, "map: 1 to %d copies\n", COPIES_MAX);
        return 2;
    }
    struct mito_router *router = mito_router_new(NULL);
    struct mito_select *select = router != NULL ? mito_select_new(router) : NULL;
    int rc = select != NULL ? map(router, select, workers, count) : -1;
    if (rc < 0)
        fprintf(stderr, "map: %s\n", mito_error());
    for (int i = 0; i < count && rc == 0; i++)
        printf("%s did %d pieces\n", mito_context_name(workers[i].context), workers[i].pieces);
    mito_select_free(select);
    for (int i = 0; i < count; i++)
        mito_receiver_free(workers[i].answers);
    mito_router_free(router);
    return rc < 0;
}
