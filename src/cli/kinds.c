#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

const struct kind kinds[KINDS] = {
    {"x86_64", "x86_64-linux-gnu"},   {"aarch64", "aarch64-linux-gnu"},
    {"armv7", "arm-linux-gnueabihf"}, {"riscv64", "riscv64-linux-gnu"},
    {"i386", "i686-linux-gnu"},
};

#if defined __x86_64__
#define OWN "x86_64"
#elif defined __aarch64__
#define OWN "aarch64"
#elif defined __arm__
#define OWN "armv7"
#elif defined __riscv
#define OWN "riscv64"
#elif defined __i386__
#define OWN "i386"
#else
#error "no name for this kind of machine"
#endif

const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

const struct kind *kind_own(void)
{
    return kind_find(OWN);
}

/* Where the directories of the kinds are: MITOSIS_LIBDIR, or where `make install` puts them, beside
 * the directory of the command. */
static char *directory(void)
{
    const char *given = getenv("MITOSIS_LIBDIR");
    char exe[4096];
    if (given != NULL && *given != '\0')
        return memory_text(given);
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[length > 0 ? length : 0] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(exe, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    return memory_printf("%s/lib/mitosis", exe);
}

char *kind_compiler(const struct kind *k)
{
    char *dir = directory();
    char *path = memory_printf("%s/%s/cc", dir, k->name);
    free(dir);
    return path;
}

bool kind_is_installed(const struct kind *k)
{
    char *path = kind_compiler(k);
    bool is = access(path, X_OK) == 0;
    free(path);
    return is;
}

/* The triplet as the names of Debian's packages have it. */
static void package_suffix(const struct kind *k, char *out, size_t size)
{
    snprintf(out, size, "%s", k->triplet);
    for (; *out != '\0'; out++)
        *out = *out == '_' ? '-' : *out;
}

int kind_missing(const struct kind *k, struct complaint *why)
{
    char *path = kind_compiler(k), package[64];
    package_suffix(k, package, sizeof package);
    complain(why,
             "nothing to compile for %s with: there is no %s. Install the package gcc-%s, then "
             "run 'make targets install' in the sources of Mitosis",
             k->name, path, package);
    free(path);
    return -1;
}

static bool is_on_path(const char *name)
{
    const char *at = getenv("PATH");
    bool found = false;
    while (at != NULL && *at != '\0' && !found) {
        int length = (int)strcspn(at, ":");
        char *path = memory_printf("%.*s/%s", length, at, name);
        found = access(path, X_OK) == 0;
        free(path);
        at += length + (at[length] == ':');
    }
    return found;
}

char *kind_tool(const struct kind *k, const char *name, struct complaint *why)
{
    char *full = memory_printf("%s-%s", k->triplet, name);
    if (is_on_path(full))
        return full;
    if (k == kind_own() && is_on_path(name)) {
        free(full);
        return memory_text(name);
    }
    char package[64];
    package_suffix(k, package, sizeof package);
    complain(why, "there is no %s here; install the package binutils-%s", full, package);
    free(full);
    return NULL;
}
