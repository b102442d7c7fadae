#include "base/block.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALLEST = 64 * 1024,      /* from here on blocks are kept, in powers of two ... */
    LARGEST = 4 * 1024 * 1024, /* ... up to here */
    KEPT_MOST = 8,             /* blocks */
    KEPT_BYTES = 8 * 1024 * 1024,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    void *block;
    size_t size;
} kept[KEPT_MOST];
static size_t kept_bytes;

static size_t round_up(size_t size)
{
    size_t rounded = SMALLEST;

    while (rounded < size)
        rounded *= 2;
    return rounded;
}

static void *take_kept(size_t size)
{
    void *block = NULL;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < KEPT_MOST && block == NULL; i++) {
        if (kept[i].block != NULL && kept[i].size == size) {
            block = kept[i].block;
            kept[i].block = NULL;
            kept_bytes -= size;
        }
    }
    pthread_mutex_unlock(&lock);
    return block;
}

void *block_new(size_t *size)
{
    void *block = NULL;

    if (*size >= SMALLEST && *size <= LARGEST) {
        *size = round_up(*size);
        block = take_kept(*size);
    }
    return block != NULL ? block : malloc(*size);
}

void block_free(void *block, size_t size)
{
    if (block != NULL && size >= SMALLEST && size <= LARGEST) {
        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < KEPT_MOST && block != NULL && kept_bytes + size <= KEPT_BYTES; i++) {
            if (kept[i].block == NULL) {
                kept[i].block = block;
                kept[i].size = size;
                kept_bytes += size;
                block = NULL;
            }
        }
        pthread_mutex_unlock(&lock);
    }
    free(block);
}

void *block_resize(void *block, size_t size, size_t used, size_t *new_size)
{
    if (size < SMALLEST && *new_size < SMALLEST)
        return realloc(block, *new_size);
    if (size > LARGEST && *new_size > LARGEST)
        return realloc(block, *new_size); /* moves pages, not bytes */
    void *larger = block_new(new_size);
    if (larger == NULL)
        return NULL;
    if (used > 0)
        memcpy(larger, block, used);
    block_free(block, size);
    return larger;
}

bool block_any_kept(void)
{
    pthread_mutex_lock(&lock);
    bool any = kept_bytes > 0;
    pthread_mutex_unlock(&lock);
    return any;
}

void block_release_kept(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < KEPT_MOST; i++) {
        free(kept[i].block);
        kept[i].block = NULL;
    }
    kept_bytes = 0;
    pthread_mutex_unlock(&lock);
}

void block_after_fork(void)
{
    memset(kept, 0, sizeof kept);
    kept_bytes = 0;
    pthread_mutex_init(&lock, NULL);
}
