/* Contexts in containers of every kind, for tests/e2e/test_containers.sh, which has brought up the
 * engines (tests/hosts/engines-up; names are in the environment) and a box with accounts. A product
 * program: it must run in a root of busybox alone. Prints "ok NAME" or "not ok NAME" lines. */
#include "judge.h"

#include <mitosis.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct mito_router *router;

/* --- functions ---------------------------------------------------------------------------------
 */

/* () -> uid, pid, whether this is the containers' root */
MITO_FUNCTION(look_around)
{
    bool inside = access("/home/app", F_OK) == 0 && access("/etc/debian_version", F_OK) != 0;

    return mito_return(call, "iib", (int)getuid(), (int)getpid(), inside);
}

MITO_FUNCTION(sleep_long)
{
    (void)call;
    sleep(60);
    return 0;
}

/* --- judging -----------------------------------------------------------------------------------
 */

static const char *name_of(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL ? value : "missing-in-the-environment";
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void expect_end(struct mito_context *context)
{
    if (mito_context_shutdown(context, 5000) < 0)
        judge(false, "  ends", "%s", mito_error());
}

/* It is up, is that user, and is in a container. */
static bool expect_inside(const char *what, struct mito_context *context, int expected_uid)
{
    int64_t uid = -1;
    bool inside = false;

    if (context == NULL || mito_call(context, &look_around, "", "iib", &uid, NULL, &inside) < 0) {
        judge(false, what, "%s", mito_error());
        return false;
    }
    judge(uid == expected_uid && inside, what, "uid %d, %s", (int)uid,
          inside ? "inside" : "outside");
    return true;
}

/* And something can be started from there. */
static void expect_up(const char *what, struct mito_context *context, int expected_uid)
{
    int64_t uid = -1;
    bool inside = false;

    if (!expect_inside(what, context, expected_uid))
        return;
    struct mito_context *below = mito_local(router, .via = context);
    if (below == NULL || mito_call(below, &look_around, "", "iib", &uid, NULL, &inside) < 0)
        judge(false, "  local from there", "%s", mito_error());
    else
        judge(inside && uid == expected_uid, "  local from there", "uid %d", (int)uid);
    expect_end(context);
}

/* Where there is no /proc, nothing can be started from there. */
static void expect_jail(const char *what, struct mito_context *context, int expected_uid)
{
    if (!expect_inside(what, context, expected_uid))
        return;
    judge(mito_local(router, .via = context) == NULL && strstr(mito_error(), "/proc") != NULL,
          "  no local from there", "%s", mito_error());
    expect_end(context);
}

static void expect_failure(const char *what, struct mito_context *context, int code,
                           const char *part)
{
    judge(context == NULL && mito_error_code() == code && strstr(mito_error(), part) != NULL, what,
          "%s: %s", mito_error_name(mito_error_code()),
          context != NULL ? "it is up" : mito_error());
}

/* --- each engine -------------------------------------------------------------------------------
 */

enum { ROOT = 0, APP = 1000 };

static void docker(void)
{
    const char *up = name_of("MT_DOCKER_CONTAINER"), *image = name_of("MT_DOCKER_IMAGE");
    static const char *const nowhere[] = {"-H", "unix:///nowhere/docker", NULL};

    expect_up("docker", mito_docker(router, .container = up), ROOT);
    expect_up("docker username", mito_docker(router, .container = up, .username = "app"), APP);
    expect_up("docker image", mito_docker(router, .image = image, .username = "app"), APP);
    expect_failure("docker no container", mito_docker(router, .container = "nosuch"),
                   MITO_E_NO_CONTAINER, "docker.nosuch: ");
    expect_failure("docker no image", mito_docker(router, .image = "nosuch"), MITO_E_NO_CONTAINER,
                   "image");
    expect_failure("docker stopped", mito_docker(router, .container = name_of("MT_DOCKER_STOPPED")),
                   MITO_E_STOPPED, "start it");
    expect_failure("docker no user", mito_docker(router, .container = up, .username = "nobodyhere"),
                   MITO_E_NO_USER, "username");
    expect_failure("docker no daemon", mito_docker(router, .container = up, .docker_args = nowhere),
                   MITO_E_UNREACHABLE, "daemon");
    expect_failure("docker no tool",
                   mito_docker(router, .container = up, .docker_path = "/nowhere/docker"),
                   MITO_E_NO_TOOL, "/nowhere/docker");
    expect_failure("docker two targets", mito_docker(router, .container = up, .image = image),
                   MITO_E_INVALID, "both");
    expect_failure("docker no target", mito_docker(router), MITO_E_INVALID, "no container");
}

static void podman(void)
{
    const char *up = name_of("MT_PODMAN_CONTAINER");

    expect_up("podman", mito_podman(router, .container = up), ROOT);
    expect_up("podman username", mito_podman(router, .container = up, .username = "app"), APP);
    expect_up("podman image", mito_podman(router, .image = name_of("MT_PODMAN_IMAGE")), ROOT);
    expect_failure("podman no container", mito_podman(router, .container = "nosuch"),
                   MITO_E_NO_CONTAINER, "podman.nosuch: ");
    expect_failure("podman stopped", mito_podman(router, .container = name_of("MT_PODMAN_STOPPED")),
                   MITO_E_STOPPED, "start it");
    expect_failure("podman no user", mito_podman(router, .container = up, .username = "nobodyhere"),
                   MITO_E_NO_USER, "username");
}

/* Of two clients, each with the variable that says where its daemon is. */
static void no_daemon(void)
{
    char *lxd = strdup(name_of("LXD_DIR")), *incus = strdup(name_of("INCUS_DIR"));

    setenv("LXD_DIR", "/nowhere", 1);
    expect_failure("lxd no daemon", mito_lxd(router, .container = "c"), MITO_E_UNREACHABLE,
                   "daemon");
    setenv("LXD_DIR", lxd, 1);
    setenv("INCUS_DIR", "/nowhere", 1);
    expect_failure("incus no daemon", mito_incus(router, .container = "c"), MITO_E_UNREACHABLE,
                   "daemon");
    setenv("INCUS_DIR", incus, 1);
    free(lxd);
    free(incus);
}

static void other_engines(void)
{
    expect_up("buildah", mito_buildah(router, .container = name_of("MT_BUILDAH_CONTAINER")), ROOT);
    expect_failure("buildah no container", mito_buildah(router, .container = "nosuch"),
                   MITO_E_NO_CONTAINER, "buildah.nosuch: ");
    expect_up("lxc", mito_lxc(router, .container = name_of("MT_LXC_CONTAINER")), ROOT);
    expect_failure("lxc stopped", mito_lxc(router, .container = name_of("MT_LXC_STOPPED")),
                   MITO_E_STOPPED, "start it");
    expect_failure("lxc no container", mito_lxc(router, .container = "nosuch"), MITO_E_NO_CONTAINER,
                   "lxc.nosuch: ");
    expect_up("lxd", mito_lxd(router, .container = name_of("MT_LXD_CONTAINER")), ROOT);
    expect_failure("lxd stopped", mito_lxd(router, .container = name_of("MT_LXD_STOPPED")),
                   MITO_E_STOPPED, "start it");
    expect_failure("lxd no container", mito_lxd(router, .container = "nosuch"), MITO_E_NO_CONTAINER,
                   "lxd.nosuch: ");
    expect_up("incus", mito_incus(router, .container = name_of("MT_INCUS_CONTAINER")), ROOT);
    expect_failure("incus stopped", mito_incus(router, .container = name_of("MT_INCUS_STOPPED")),
                   MITO_E_STOPPED, "start it");
    expect_failure("incus no container", mito_incus(router, .container = "nosuch"),
                   MITO_E_NO_CONTAINER, "incus.nosuch: ");
    expect_failure("incus no tool", mito_incus(router, .container = "c", .incus_path = "/no/incus"),
                   MITO_E_NO_TOOL, "/no/incus");
}

static void clusters_and_jails(void)
{
    const char *pod = name_of("MT_KUBE_POD"), *jail = name_of("MT_JEXEC_JAIL");

    expect_up("kubectl", mito_kubectl(router, .pod = pod), ROOT);
    expect_up("kubectl container",
              mito_kubectl(router, .pod = pod, .container = name_of("MT_KUBE_CONTAINER")), ROOT);
    expect_failure("kubectl no pod", mito_kubectl(router, .pod = "nosuch"), MITO_E_NO_CONTAINER,
                   "pod and namespace");
    expect_failure("kubectl no container", mito_kubectl(router, .pod = pod, .container = "nosuch"),
                   MITO_E_NO_CONTAINER, "container");
    expect_failure("kubectl stopped", mito_kubectl(router, .pod = name_of("MT_KUBE_STOPPED")),
                   MITO_E_STOPPED, "ended");
    expect_jail("jail", mito_jail(router, .container = jail), ROOT);
    expect_jail("jail username", mito_jail(router, .container = jail, .username = "app"), APP);
    expect_failure("jail no jail", mito_jail(router, .container = "nosuch"), MITO_E_NO_CONTAINER,
                   "jail.nosuch: ");
}

static void namespaces(void)
{
    static const struct {
        const char *kind, *up, *stopped;
    } kinds[] = {{"docker", "MT_DOCKER_CONTAINER", "MT_DOCKER_STOPPED"},
                 {"podman", "MT_PODMAN_CONTAINER", "MT_PODMAN_STOPPED"},
                 {"lxc", "MT_LXC_CONTAINER", "MT_LXC_STOPPED"},
                 {"lxd", "MT_LXD_CONTAINER", "MT_LXD_STOPPED"},
                 {"incus", "MT_INCUS_CONTAINER", "MT_INCUS_STOPPED"},
                 {"machinectl", "MT_MACHINECTL_MACHINE", NULL}};
    char what[100];

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *kind = kinds[i].kind;
        snprintf(what, sizeof what, "setns %s", kind);
        expect_up(what, mito_setns(router, .kind = kind, .container = name_of(kinds[i].up)), ROOT);
        snprintf(what, sizeof what, "setns %s no container", kind);
        expect_failure(what, mito_setns(router, .kind = kind, .container = "nosuch"),
                       MITO_E_NO_CONTAINER, "setns.nosuch: ");
        if (kinds[i].stopped == NULL)
            continue;
        snprintf(what, sizeof what, "setns %s stopped", kind);
        expect_failure(what,
                       mito_setns(router, .kind = kind, .container = name_of(kinds[i].stopped)),
                       MITO_E_STOPPED, "start it");
    }
    const char *up = name_of("MT_DOCKER_CONTAINER");
    expect_up("setns username",
              mito_setns(router, .kind = "docker", .container = up, .username = "app"), APP);
    expect_failure("setns no user",
                   mito_setns(router, .kind = "docker", .container = up, .username = "nobodyhere"),
                   MITO_E_NO_USER, "username");
    expect_failure("setns no process", mito_setns(router, .pid = 4194303), MITO_E_NO_CONTAINER,
                   "no such process");
    expect_failure("setns no tool",
                   mito_setns(router, .kind = "docker", .container = up, .tool_path = "/nowhere/d"),
                   MITO_E_NO_TOOL, "tool");
    expect_failure("setns no kind", mito_setns(router, .container = up), MITO_E_INVALID, "kind");
    expect_failure("setns wrong kind", mito_setns(router, .container = up, .kind = "chroot"),
                   MITO_E_INVALID, "kind");
}

/* --- chains, and ends --------------------------------------------------------------------------
 */

/* Five kinds deep: a machine, root there, a container, a user in it, another process. */
static void chain(void)
{
    const char *const ssh_args[] = {"-F", name_of("MT_CONFIG"), NULL};
    const char *const docker_args[] = {"-H", name_of("DOCKER_HOST"), NULL};
    int64_t uid = -1, pid = 0;
    bool inside = false;

    struct mito_context *ssh = mito_ssh(router, .hostname = "admin", .ssh_args = ssh_args,
                                        .password = getenv("MT_PW_admin"));
    struct mito_context *sudo =
        ssh ? mito_sudo(router, .via = ssh, .password = getenv("MT_PW_admin")) : NULL;
    struct mito_context *docker =
        sudo ? mito_docker(router, .via = sudo, .container = name_of("MT_DOCKER_CONTAINER"),
                           .docker_args = docker_args, .docker_path = "/usr/bin/docker")
             : NULL;
    struct mito_context *su = docker ? mito_su(router, .via = docker, .username = "app") : NULL;
    struct mito_context *local = su ? mito_local(router, .via = su) : NULL;

    if (local == NULL || mito_call(local, &look_around, "", "iib", &uid, &pid, &inside) < 0)
        judge(false, "chain ssh, sudo, docker, su, local", "%s", mito_error());
    else
        judge(uid == APP && inside, "chain ssh, sudo, docker, su, local", "uid %d", (int)uid);
    if (ssh != NULL)
        judge(mito_context_shutdown(ssh, 5000) == 0, "  ends", "%s", mito_error());
}

static void run(const char *command)
{
    if (system(command) != 0)
        judge(false, command, "it fails");
}

/* The container is killed in the middle of a call: it fails at once, others do not notice. */
static void killed(void)
{
    char command[200];
    struct mito_context *other = mito_podman(router, .container = name_of("MT_PODMAN_CONTAINER"));
    struct mito_context *victim = mito_docker(router, .container = name_of("MT_DOCKER_CONTAINER"));
    struct mito_receiver *rx = mito_receiver_new(router);

    if (other == NULL || victim == NULL || rx == NULL ||
        mito_call_async(victim, &sleep_long, rx, NULL, "") < 0) {
        judge(false, "container killed", "%s", mito_error());
        return;
    }
    snprintf(command, sizeof command, "docker kill %s >/dev/null", name_of("MT_DOCKER_CONTAINER"));
    double start = now_ms();
    run(command);
    struct mito_message *m = mito_receive(rx, 10000);
    int rc = m != NULL ? mito_message_read(m, "") : -1;
    judge(rc < 0 && mito_error_code() == MITO_E_DEAD && strstr(mito_error(), "docker.") != NULL,
          "container killed", "%s after %.0f ms", mito_error(), now_ms() - start);
    mito_message_free(m);
    mito_receiver_free(rx);
    judge(mito_call(other, &look_around, "", "iib", NULL, NULL, NULL) == 0, "  others live on",
          "%s", mito_error());
    snprintf(command, sizeof command, "docker start %s >/dev/null", name_of("MT_DOCKER_CONTAINER"));
    run(command);
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    router = mito_router_new(NULL);
    if (router == NULL)
        return 1;
    docker();
    podman();
    other_engines();
    no_daemon();
    clusters_and_jails();
    namespaces();
    chain();
    killed();
    mito_router_free(router);
    return failures > 0;
}
