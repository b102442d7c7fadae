/* Descriptors: close-on-exec, out of the way of low numbers, closed in bulk. */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/fd.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void check_pair(const int pair[2], bool nonblocking)
{
    for (int i = 0; i < 2; i++) {
        assert_true(pair[i] >= FD_OUT_OF_THE_WAY);
        assert_true(fcntl(pair[i], F_GETFD) & FD_CLOEXEC);
    }
    assert_int_equal((fcntl(pair[0], F_GETFL) & O_NONBLOCK) != 0, nonblocking);
    assert_int_equal(fcntl(pair[1], F_GETFL) & O_NONBLOCK, 0);
}

static void test_pairs(void **state)
{
    (void)state;
    int s[2], p[2], number;
    char c;
    assert_int_equal(fd_socketpair(s, false), 0);
    check_pair(s, false);
    fd_close(&s[0]);
    fd_close(&s[1]);
    assert_int_equal(fd_socketpair(s, true), 0);
    check_pair(s, true);
    assert_int_equal(fd_pipe(p), 0);
    check_pair(p, true);
    assert_true(fd_is_socket(s[0]));
    assert_false(fd_is_socket(p[0]));
    assert_int_equal(fd_write_all(p[1], "x", 1), 0);
    assert_int_equal(read(p[0], &c, 1), 1);
    number = p[0];
    errno = EDOM;
    fd_close(&p[0]);
    fd_close(&p[0]);
    assert_int_equal(p[0], -1);
    assert_int_equal(errno, EDOM);
    assert_false(is_open(number));
    fd_close(&p[1]);
    fd_close(&s[0]);
    fd_close(&s[1]);
}

static void test_close_from(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int s[2], t[2];
        if (fd_socketpair(s, false) < 0 || fd_socketpair(t, false) < 0)
            _exit(1);
        fd_close_from(3, t[0]);
        _exit(is_open(s[0]) || is_open(s[1]) || is_open(t[1]) || !is_open(t[0]) || !is_open(0));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_close_from),
    };
    return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
