/* Grows a tree of nine copies of this program on this machine, has each count a share of the primes
 * below 900000, ends them all, and looks whether anything of them stayed behind. `make demo` */
#include <errno.h>
#include <inttypes.h>
#include <mitosis.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 3, GRANDCHILDREN = 2, COPIES = CHILDREN * (1 + GRANDCHILDREN) };
enum { SHARE = 100000, PRIMES_BELOW_900000 = 71274, PATIENCE = 30000 };

/* The children, then the grandchildren in the order of their parents. */
static struct copy {
    struct mito_context *context;
    int64_t pid, ppid, primes;
} copies[COPIES];
static sem_t log_lines; /* counts what came */

MITO_FUNCTION(count_primes)
{
    int64_t first, count, primes = 0;

    if (mito_args(call, "ii", &first, &count) < 0)
        return -1;
    printf("I am pid %d and start at %" PRId64 "\n", getpid(), first);
    for (int64_t n = first < 2 ? 2 : first; n < first + count; n++) {
        int64_t divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        primes += divisor * divisor > n;
    }
    mito_log(mito_call_router(call), MITO_INFO, "found %" PRId64 " primes", primes);
    return mito_return(call, "iii", getpid(), getppid(), primes);
}

/* Runs on a thread of its own for each line that a copy printed or logged. */
static void show_log(void *arg, const struct mito_log_record *record)
{
    char line[200];

    (void)arg;
    mito_log_format(record, line, sizeof line);
    printf("    %s\n", line);
    sem_post(&log_lines);
}

/* Children start side by side; each gets its own children as soon as it is up. */
static int grow(struct mito_router *router)
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(router);

    for (int i = 0; i < CHILDREN; i++)
        if (rx == NULL || mito_local_async(router, rx, &copies[i]) < 0)
            return -1;
    for (int up = 0; up < COPIES; up++) {
        MITO_AUTO_MESSAGE m = mito_receive(rx, PATIENCE);
        struct copy *c = m != NULL ? mito_message_tag(m) : NULL;
        if (c == NULL || mito_message_read(m, "c", &c->context) < 0)
            return -1;
        size_t below = CHILDREN + (size_t)(c - copies) * GRANDCHILDREN;
        for (size_t i = below; i < below + GRANDCHILDREN && i < COPIES; i++)
            if (mito_local_async(router, rx, &copies[i], .via = c->context) < 0)
                return -1;
    }
    return 0;
}

/* Calls the function in all copies at once. */
static int compute(struct mito_router *router)
{
    MITO_AUTO_RECEIVER rx = mito_receiver_new(router);
    int64_t total = 0;

    for (int i = 0; i < COPIES; i++)
        if (rx == NULL || mito_call_async(copies[i].context, &count_primes, rx, &copies[i], "ii",
                                          i * SHARE, SHARE) < 0)
            return -1;
    for (int i = 0; i < COPIES; i++) {
        MITO_AUTO_MESSAGE m = mito_receive(rx, PATIENCE);
        struct copy *c = m != NULL ? mito_message_tag(m) : NULL;
        if (c == NULL || mito_message_read(m, "iii", &c->pid, &c->ppid, &c->primes) < 0)
            return -1;
        total += c->primes;
    }
    struct timespec deadline = {.tv_sec = time(NULL) + PATIENCE / 1000};
    for (int i = 0; i < 2 * COPIES; i++)
        if (sem_timedwait(&log_lines, &deadline) < 0)
            return mito_fail(NULL, MITO_E_TIMEOUT, "not every line of the copies came");
    printf("%" PRId64 " primes below %d\n", total, COPIES * SHARE);
    return total == PRIMES_BELOW_900000 ? 0 : mito_fail(NULL, MITO_E_USER, "that is wrong");
}

/* True when each copy is a child of the process that it should be a child of. */
static bool draw_tree(void)
{
    bool right = true;

    for (int i = 0; i < CHILDREN; i++) {
        const struct copy *c = &copies[i], *below = &copies[CHILDREN + i * GRANDCHILDREN];
        printf("+- %s, pid %" PRId64 "\n", mito_context_name(c->context), c->pid);
        right &= c->ppid == getpid();
        for (int j = 0; j < GRANDCHILDREN; j++) {
            printf("|  +- %s, pid %" PRId64 "\n", mito_context_name(below[j].context),
                   below[j].pid);
            right &= below[j].ppid == c->pid;
        }
    }
    return right;
}

/* Processes that still run, and places where an image may be put that still have one. */
static int count_leftovers(void)
{
    static const char *const places[] = {"/dev/shm", "/run", "/tmp", "/var/tmp", "."};
    int count = waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
    char path[64];

    for (int i = 0; i < COPIES; i++) {
        count += copies[i].pid > 0 && (kill((pid_t)copies[i].pid, 0) == 0 || errno != ESRCH);
        for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
            snprintf(path, sizeof path, "%s/.mitosis-%" PRId64, places[j], copies[i].pid);
            count += access(path, F_OK) == 0;
        }
    }
    return count;
}

int main(int argc, char **argv)
{
    mito_start(argc, argv); /* in a copy: serves calls, never returns */
    struct mito_router *router = mito_router_new(&(struct mito_router_options){.log = show_log});
    bool right = false;

    setvbuf(stdout, NULL, _IOLBF, 0);
    sem_init(&log_lines, 0, 0);
    printf("pid %d grows a tree of %d copies of itself\n", getpid(), COPIES);
    if (router == NULL || grow(router) < 0 || compute(router) < 0)
        fprintf(stderr, "demo: %s\n", mito_error());
    else
        right = draw_tree();
    mito_router_free(router);

    int leftovers = count_leftovers();
    printf("all ended; processes and files that stayed behind: %d\n", leftovers);
    return right && leftovers == 0 ? 0 : 1;
}
