/* Python contexts on other hosts, for tests/e2e/test_containers.sh, which has brought up a box
 * with accounts and a container of lxc that has Python, and made modules in a directory, the
 * argument. Prints "ok NAME" or "not ok NAME" lines. */
#include "judge.h"

#include <mitosis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"

static struct mito_router *router;

/* () -> uid */
MITO_FUNCTION(uid)
{
    return mito_return(call, "i", (int)getuid());
}

static const char *name_of(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL ? value : "missing-in-the-environment";
}

/* A big one comes back as it went. */
static void expect_blob(struct mito_context *python)
{
    enum { SIZE = 2 * 1024 * 1024 };
    unsigned char *sent = malloc(SIZE);
    void *came = NULL;
    size_t length = 0;

    for (size_t i = 0; sent != NULL && i < SIZE; i++)
        sent[i] = (unsigned char)(i * 7 + i / 256);
    int rc = mito_call_python(python, "served", "echo", "y", (const void *)sent, (size_t)SIZE, "y",
                              &came, &length);
    judge(rc == 0 && length == SIZE && memcmp(came, sent, SIZE) == 0, "  a big blob", "%s",
          rc < 0 ? mito_error() : "came back");
    free(came);
    free(sent);
}

static void expect_exception(struct mito_context *python)
{
    int rc = mito_call_python(python, "served", "fail", "s", "oops", "");
    const char *text = mito_error();

    judge(rc < 0 && mito_error_code() == MITO_E_REMOTE &&
              strstr(text, "ValueError: oops") != NULL && strstr(text, "served.py") != NULL,
          "  an exception and its traceback", "%s", text);
}

/* It starts behind `via`, as the same user, and its modules come from here. */
static void expect_python(const char *what, struct mito_context *via, bool inside)
{
    int64_t pid = 0, expected = -1, user = -2, value = 0;
    bool container = false;
    struct mito_context *python =
        via != NULL ? mito_python(router, .via = via, .python_path = PYTHON) : NULL;

    if (python == NULL || mito_call_python(python, "os", "getpid", "", "i", &pid) < 0) {
        judge(false, what, "%s", mito_error());
        return;
    }
    judge(pid > 0, what, "pid %d", (int)pid);
    int rc = mito_call(via, &uid, "", "i", &expected);
    if (rc == 0)
        rc = mito_call_python(python, "served", "user", "", "ibi", &user, &container, &value);
    judge(rc == 0 && user == expected && container == inside && value == 42,
          "  a module of the master, and what that imports", "%s",
          rc < 0 ? mito_error() : "imported");
    expect_blob(python);
    expect_exception(python);
    judge(mito_context_shutdown(python, 5000) == 0, "  ends", "%s", mito_error());
    judge(mito_call(via, &uid, "", "i", &expected) == 0, "  what is before it lives on", "%s",
          mito_error());
}

static void over_ssh(void)
{
    const char *const ssh_args[] = {"-F", name_of("MT_CONFIG"), NULL};
    const char *password = getenv("MT_PW_admin");
    struct mito_context *ssh =
        mito_ssh(router, .hostname = "admin", .ssh_args = ssh_args, .password = password);

    expect_python("behind ssh", ssh, false);
    expect_python("behind ssh and sudo",
                  ssh != NULL ? mito_sudo(router, .via = ssh, .password = password) : NULL, false);
}

static void in_a_container(void)
{
    struct mito_context *lxc = mito_lxc(router, .container = name_of("MT_LXC_CONTAINER"));

    expect_python("in a container", lxc, true);
    judge(lxc != NULL &&
              mito_python(router, .via = lxc, .python_path = "/usr/bin/nosuchpython") == NULL &&
              mito_error_code() == MITO_E_NO_TOOL &&
              strstr(mito_error(), "/usr/bin/nosuchpython") != NULL,
          "  no such interpreter there", "%s", mito_error());
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    const char *directories[] = {argc > 1 ? argv[1] : ".", NULL};
    struct mito_python_modules modules = {.python_path = PYTHON, .directories = directories};

    router = mito_router_new(NULL);
    if (router == NULL || mito_serve_python(router, &modules) < 0)
        return 1;
    over_ssh();
    in_a_container();
    mito_router_free(router);
    return failures > 0;
}
