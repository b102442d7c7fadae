#include "parent/kind.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/map.h"

enum { LEARNT_MAX = 4096 };

const struct kind kinds[KIND_COUNT] = {
    [KIND_X86_64] = {"x86_64", "x86_64|amd64", KIND_I386},
    [KIND_AARCH64] = {"aarch64", "aarch64|arm64", KIND_ARMV7},
    [KIND_ARMV7] = {"armv7", "armv7*|armv8*", -1},
    [KIND_I386] = {"i386", "i?86", -1},
    [KIND_RISCV64] = {"riscv64", "riscv64", -1},
};

const int kind_own =
#if defined(__x86_64__)
    KIND_X86_64;
#elif defined(__aarch64__)
    KIND_AARCH64;
#elif defined(__arm__)
    KIND_ARMV7;
#elif defined(__i386__)
    KIND_I386;
#elif defined(__riscv) && __riscv_xlen == 64
    KIND_RISCV64;
#else
#error "this kind of machine has no row here yet"
#endif

int kind_by_name(const char *name, size_t length)
{
    for (int k = 0; k < KIND_COUNT; k++) {
        if (strlen(kinds[k].name) == length && memcmp(kinds[k].name, name, length) == 0)
            return k;
    }
    return -1;
}

/* One of the alternatives in `patterns`? */
static bool matches(const char *patterns, const char *text)
{
    const char *t = text;

    for (const char *p = patterns;; p++) {
        if (*p == '*' || ((*p == '|' || *p == '\0') && *t == '\0'))
            return true;
        if (*p != '\0' && *t != '\0' && (*p == '?' || *p == *t)) {
            t++;
            continue;
        }
        p = strchr(p, '|');
        if (p == NULL)
            return false;
        t = text;
    }
}

int kind_of_machine(const char *machine)
{
    for (int k = 0; k < KIND_COUNT; k++) {
        if (matches(kinds[k].machines, machine))
            return k;
    }
    return -1;
}

/* By a hash of the name: two that have the same one cost each other a round trip, no more. */
static struct map learnt;

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

int kind_guess(const char *context_name)
{
    const struct kind *k = map_get(&learnt, hash_of(context_name));

    return k != NULL ? (int)(k - kinds) : kind_own;
}

void kind_learn(const char *context_name, int kind)
{
    uint32_t hash = hash_of(context_name);

    if (kind == kind_own)
        map_remove(&learnt, hash);
    else if (learnt.count < LEARNT_MAX || map_get(&learnt, hash) != NULL)
        map_set(&learnt, hash, (void *)(uintptr_t)&kinds[kind]);
}
