/* Pseudo terminals: nothing typed comes back, lines are told as they are, both ends close. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/pty.h"

static void test_pty(void **state)
{
    (void)state;
    struct pty pty;
    struct termios t;
    char text[20];
    assert_int_equal(pty_open(&pty), 0);
    assert_true(fcntl(pty.fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(pty.fd, F_GETFL) & O_NONBLOCK);
    int other = open(pty.name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(other >= 0);
    assert_int_equal(tcgetattr(other, &t), 0);
    assert_int_equal(t.c_lflag & (ECHO | ECHONL), 0);
    assert_int_equal(write(pty.fd, "secret\n", 7), 7);
    assert_int_equal(read(other, text, sizeof text), 7);
    assert_memory_equal(text, "secret\n", 7);
    assert_int_equal(read(pty.fd, text, sizeof text), -1); /* no echo */
    assert_int_equal(write(other, "a\nb", 3), 3);
    struct pollfd p = {.fd = pty.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 60000), 1);
    assert_int_equal(read(pty.fd, text, sizeof text), 3); /* no carriage return */
    assert_memory_equal(text, "a\nb", 3);
    close(other);
    pty_close(&pty);
    assert_int_equal(pty.fd, -1);
    pty_close(&pty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pty)};
    return cmocka_run_group_tests_name("pty", tests, NULL, NULL);
}
