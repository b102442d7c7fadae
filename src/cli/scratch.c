#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

char *scratch_file(struct scratch *s, const char *name, struct complaint *why)
{
    if (s->path == NULL) {
        const char *tmp = getenv("TMPDIR");
        char *path = memory_printf("%s/mitosis.XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
        if (mkdtemp(path) == NULL) {
            complain(why, "cannot make a directory %s: %s", path, strerror(errno));
            free(path);
            return NULL;
        }
        s->path = path;
    }
    return memory_printf("%s/%zu-%s", s->path, s->files++, name);
}

void scratch_remove(struct scratch *s)
{
    if (s->path == NULL)
        return;
    DIR *dir = opendir(s->path);
    struct dirent *entry = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    rmdir(s->path);
    free(s->path);
    *s = (struct scratch){.path = NULL};
}

int file_read(const char *path, struct bytes *out, struct complaint *why)
{
    return file_read_most(path, SIZE_MAX, out, why);
}

int file_read_most(const char *path, size_t most, struct bytes *out, struct complaint *why)
{
    char piece[65536];
    ssize_t n = 0;
    size_t total = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return complain(why, "cannot read %s: %s", path, strerror(errno));
    while (total <= most && (n = read(fd, piece, sizeof piece)) > 0) {
        bytes_add(out, piece, (size_t)n);
        total += (size_t)n;
    }
    int error = errno;
    close(fd);
    if (total > most)
        return complain(why, "%s has more than %zu bytes", path, most);
    return n == 0 ? 0 : complain(why, "cannot read %s: %s", path, strerror(error));
}

static int write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno != EINTR)
            return -1;
        data += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Closes it. */
static int fill(int fd, const void *data, size_t length)
{
    int result = write_all(fd, data, length), error = errno;
    if (close(fd) < 0 && result == 0)
        return -1;
    errno = error;
    return result;
}

/* In the same directory first, then renamed. */
static int replace(const char *path, const void *data, size_t length, mode_t mode)
{
    char *new = memory_printf("%s.XXXXXX", path);
    int fd = mkostemp(new, O_CLOEXEC), result = -1;
    if (fd >= 0) {
        result = fchmod(fd, mode);
        if (fill(fd, data, length) < 0 || result < 0 || rename(new, path) < 0) {
            int error = errno;
            result = -1;
            unlink(new);
            errno = error;
        }
    }
    free(new);
    return result;
}

int file_write(const char *path, const void *data, size_t length, mode_t mode,
               struct complaint *why)
{
    struct stat st;
    int result = 0;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        result = fd < 0 ? -1 : fill(fd, data, length);
    } else {
        result = replace(path, data, length, mode);
    }
    return result == 0 ? 0 : complain(why, "cannot write %s: %s", path, strerror(errno));
}

mode_t file_executable_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0777 & ~mask;
}

const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}
