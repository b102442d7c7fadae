#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct mito_router *tree;

static size_t descriptors_before;

/* --- records ----------------------------------------------------------------------------------
 */

enum { RECORDS_MAX = 50000 };

static struct kept_record *records[RECORDS_MAX];
static size_t record_count;
static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t record_came = PTHREAD_COND_INITIALIZER;

/* Of a flood the first ones. */
static void keep_record(void *arg, const struct mito_log_record *record)
{
    struct kept_record *kept;

    (void)arg;
    pthread_mutex_lock(&record_lock);
    if (record_count < RECORDS_MAX) {
        kept = malloc(sizeof *kept);
        *kept = (struct kept_record){.level = record->level, .context_id = record->context_id};
        kept->context_name = strdup(record->context_name);
        kept->logger = strdup(record->logger);
        kept->text = strdup(record->text);
        records[record_count++] = kept;
        pthread_cond_broadcast(&record_came);
    }
    pthread_mutex_unlock(&record_lock);
}

static void forget_records(void)
{
    for (size_t i = 0; i < record_count; i++) {
        free(records[i]->context_name);
        free(records[i]->logger);
        free(records[i]->text);
        free(records[i]);
    }
    record_count = 0;
}

static bool is_wanted(const struct kept_record *r, int64_t context_id, const char *logger,
                      const char *part)
{
    return (context_id < 0 || r->context_id == (uint32_t)context_id) &&
           (logger == NULL || strcmp(r->logger, logger) == 0) && strstr(r->text, part) != NULL;
}

const struct kept_record *tree_record(int64_t context_id, const char *logger, const char *part,
                                      int timeout)
{
    const struct kept_record *found = NULL;
    struct timespec until;
    size_t looked_at = 0;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout / 1000;
    until.tv_nsec += timeout % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&record_lock);
    for (;;) {
        for (; looked_at < record_count && found == NULL; looked_at++) {
            if (is_wanted(records[looked_at], context_id, logger, part))
                found = records[looked_at];
        }
        if (found != NULL || rc != 0)
            break;
        rc = pthread_cond_timedwait(&record_came, &record_lock, &until);
    }
    pthread_mutex_unlock(&record_lock);
    return found;
}

size_t tree_count_records(int64_t context_id, const char *logger, const char *part)
{
    size_t count = 0;

    pthread_mutex_lock(&record_lock);
    for (size_t i = 0; i < record_count; i++)
        count += is_wanted(records[i], context_id, logger, part);
    pthread_mutex_unlock(&record_lock);
    return count;
}

const struct kept_record *tree_record_at(int64_t context_id, const char *logger, const char *part,
                                         size_t n)
{
    const struct kept_record *found = NULL;

    pthread_mutex_lock(&record_lock);
    for (size_t i = 0; i < record_count && found == NULL; i++) {
        if (is_wanted(records[i], context_id, logger, part) && n-- == 0)
            found = records[i];
    }
    pthread_mutex_unlock(&record_lock);
    return found;
}

/* --- a router per test ------------------------------------------------------------------------
 */

static void start(const struct mito_router_options *options)
{
    struct mito_router_options with_log = {0};

    if (options != NULL)
        with_log = *options;
    if (with_log.log == NULL)
        with_log.log = keep_record;
    tree = mito_router_new(&with_log);
    if (tree == NULL)
        fail_msg("mito_router_new: %s", mito_error());
}

int tree_open(void **state)
{
    (void)state;
    descriptors_before = count_descriptors();
    start(NULL);
    return 0;
}

void tree_reopen(const struct mito_router_options *options)
{
    mito_router_free(tree);
    forget_records();
    start(options);
}

int64_t tree_free(void)
{
    int64_t before = now_ms();

    mito_router_free(tree);
    tree = NULL;
    return now_ms() - before;
}

int tree_close(void **state)
{
    (void)state;
    tree_free();
    if (count_child_processes() != 0) {
        print_error("%zu processes stay\n", count_child_processes());
        return -1;
    }
    if (count_descriptors() != descriptors_before) {
        print_error("%zu descriptors before, %zu after\n", descriptors_before, count_descriptors());
        return -1;
    }
    forget_records();
    return 0;
}

struct mito_context *tree_up_(struct mito_context *context, int line)
{
    if (context == NULL)
        fail_msg("line %d: %s", line, mito_error());
    return context;
}

struct mito_message *tree_receive(struct mito_receiver *rx)
{
    struct mito_message *m = mito_receive(rx, PATIENCE);

    if (m == NULL)
        fail_msg("mito_receive: %s", mito_error());
    return m;
}

/* --- functions --------------------------------------------------------------------------------
 */

MITO_FUNCTION(tree_pid)
{
    return mito_return(call, "i", getpid());
}

pid_t tree_pid_of(struct mito_context *context)
{
    int64_t pid = 0;

    if (mito_call_timeout(context, PATIENCE, &tree_pid, "", "i", &pid) < 0)
        fail_msg("tree_pid: %s", mito_error());
    return (pid_t)pid;
}

MITO_FUNCTION(tree_spin)
{
    static volatile unsigned long turns;

    (void)call;
    for (;;)
        turns++;
    return 0;
}

MITO_FUNCTION(tree_echo)
{
    const struct mito_value *v;

    if (mito_args(call, "v", &v) < 0)
        return -1;
    return mito_return(call, "v", v);
}

MITO_FUNCTION(tree_block)
{
    MITO_AUTO_SENDER ready = NULL;
    MITO_AUTO_RECEIVER rx = mito_receiver_new(mito_call_router(call));

    if (rx == NULL || mito_args(call, "t", &ready) < 0 || mito_send(ready, "r", rx) < 0)
        return -1;
    MITO_AUTO_MESSAGE m = mito_receive(rx, MITO_FOREVER);
    return m == NULL ? -1 : 0;
}

void tree_block_main(struct blocked *b, struct mito_context *context)
{
    b->rx = mito_receiver_new(tree);
    b->word = NULL;
    assert_non_null(b->rx);
    assert_int_equal(mito_call_no_reply(context, &tree_block, "r", b->rx), 0);
    struct mito_message *m = tree_receive(b->rx);
    assert_int_equal(mito_message_read(m, "t", &b->word), 0);
    mito_message_free(m);
}

void tree_unblock(struct blocked *b)
{
    assert_int_equal(mito_send(b->word, "n"), 0);
    mito_sender_free(b->word);
    mito_receiver_free(b->rx);
}

/* --- processes and time -----------------------------------------------------------------------
 */

int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sleep_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

/* The fields of /proc/PID/stat behind the name, which may contain anything. */
static bool read_stat(pid_t pid, char *state, pid_t *parent)
{
    char path[32], text[1024];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    int number;
    if (at == NULL || sscanf(at + 1, " %c %d", state, &number) != 2)
        return false;
    *parent = number;
    return true;
}

char pid_state(pid_t pid)
{
    char state;
    pid_t parent;

    return read_stat(pid, &state, &parent) ? state : '\0';
}

bool pid_gone(pid_t pid, int timeout)
{
    int64_t until = now_ms() + timeout;

    for (;;) {
        char state = pid_state(pid);
        if (state == '\0' || state == 'Z' || state == 'X')
            return true;
        if (now_ms() >= until)
            return false;
        sleep_ms(5);
    }
}

static size_t count_entries(const char *path, bool (*counts)(const char *name))
{
    DIR *dir = opendir(path);
    size_t count = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.' && (counts == NULL || counts(entry->d_name));
    closedir(dir);
    return count;
}

size_t count_descriptors(void)
{
    return count_entries("/proc/self/fd", NULL) - 1; /* the directory itself */
}

static bool is_our_child(const char *name)
{
    char state;
    pid_t parent;
    int pid = atoi(name);

    return pid > 0 && read_stat(pid, &state, &parent) && parent == getpid();
}

size_t count_child_processes(void)
{
    return count_entries("/proc", is_our_child);
}
