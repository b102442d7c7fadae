/* Copies that are made of another executable than the program's own file. */
#include "tree.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a process runs. */
static const char *exe_of(pid_t pid)
{
    static char exe[PATH_MAX];
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    memset(exe, 0, sizeof exe);
    assert_true(readlink(path, exe, sizeof exe - 1) > 0);
    return exe;
}

static void another_image(void **state)
{
    struct stat st;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    void *image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(image != MAP_FAILED);
    assert_string_equal(exe_of(tree_pid_of(tree_local())), exe_of(getpid()));
    assert_int_equal(mito_set_image(image, (size_t)st.st_size), 0);
    munmap(image, (size_t)st.st_size);
    close(fd);
    struct mito_context *child = tree_local();
    assert_non_null(strstr(exe_of(tree_pid_of(child)), "memfd:mitosis"));
    assert_non_null(strstr(exe_of(tree_pid_of(tree_local(.via = child))), "memfd:mitosis"));
}

static void no_image(void **state)
{
    (void)state;
    assert_int_equal(mito_set_image(NULL, 10), -1);
    assert_error(MITO_E_INVALID, "image");
    /* What cannot be executed is not found out before it is tried. */
    assert_int_equal(mito_set_image("nonsense", 8), 0);
    assert_null(mito_local(tree));
    assert_error(MITO_E_SYSTEM, "local.");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {TREE_TEST(another_image), TREE_TEST(no_image)};

    mito_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
