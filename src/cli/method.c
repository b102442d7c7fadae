/* The methods and their options. A method is one row of `methods`, and a table of its options. */
#include "method.h"

#include <string.h>

/* clang-format off */

/* A field has the name of its option; a list has it in the plural. */
#define ROW(method, field, kind) {#field, kind, offsetof(struct mito_##method##_options, field)}
#define LIST(method, field)      {#field, TEXTS, offsetof(struct mito_##method##_options, field##s)}
#define COMMON /* the end of every table */                                                        \
    ROW(local, remote_name, WORD),                                                                 \
    ROW(local, connect_timeout, SECONDS),                                                          \
    ROW(local, unidirectional, TRUTH),                                                             \
    ROW(local, debug, TRUTH),                                                                      \
    {0}

static const struct method_option local[] = {
    {"name", WORD, offsetof(struct local_options, name)},
    COMMON,
};

static const struct method_option ssh[] = {
    ROW(ssh, hostname, WORD),
    ROW(ssh, username, WORD),
    ROW(ssh, port, PORT),
    ROW(ssh, identity_file, TEXT),
    ROW(ssh, identities_only, TRUTH),
    ROW(ssh, password, SECRET),
    ROW(ssh, check_host_keys, HOST_KEYS),
    ROW(ssh, compression, TRUTH),
    ROW(ssh, keepalive_interval, INTERVAL),
    ROW(ssh, keepalive_count, COUNT),
    ROW(ssh, ssh_debug_level, LEVEL),
    ROW(ssh, ssh_path, TEXT),
    LIST(ssh, ssh_arg),
    COMMON,
};

static const struct method_option sudo[] = {
    ROW(sudo, username, WORD),
    ROW(sudo, password, SECRET),
    ROW(sudo, sudo_path, TEXT),
    ROW(sudo, set_home, TRUTH),
    ROW(sudo, preserve_env, TRUTH),
    ROW(sudo, login, TRUTH),
    ROW(sudo, selinux_role, WORD),
    ROW(sudo, selinux_type, WORD),
    LIST(sudo, sudo_arg),
    COMMON,
};

static const struct method_option su[] = {
    ROW(su, username, WORD),
    ROW(su, password, SECRET),
    ROW(su, su_path, TEXT),
    COMMON,
};

static const struct method_option doas[] = {
    ROW(doas, username, WORD),
    ROW(doas, password, SECRET),
    ROW(doas, doas_path, TEXT),
    COMMON,
};

static const struct method_option docker[] = {
    ROW(docker, container, WORD),
    ROW(docker, image, WORD),
    ROW(docker, username, WORD),
    ROW(docker, docker_path, TEXT),
    LIST(docker, docker_arg),
    COMMON,
};

static const struct method_option podman[] = {
    ROW(podman, container, WORD),
    ROW(podman, image, WORD),
    ROW(podman, username, WORD),
    ROW(podman, podman_path, TEXT),
    LIST(podman, podman_arg),
    COMMON,
};

static const struct method_option buildah[] = {
    ROW(buildah, container, WORD),
    ROW(buildah, username, WORD),
    ROW(buildah, buildah_path, TEXT),
    LIST(buildah, buildah_arg),
    COMMON,
};

static const struct method_option kubectl[] = {
    ROW(kubectl, pod, WORD),
    ROW(kubectl, namespace, WORD),
    ROW(kubectl, container, WORD),
    ROW(kubectl, kubectl_path, TEXT),
    LIST(kubectl, kubectl_arg),
    COMMON,
};

static const struct method_option lxc[] = {
    ROW(lxc, container, WORD),
    ROW(lxc, lxc_attach_path, TEXT),
    LIST(lxc, lxc_arg),
    COMMON,
};

static const struct method_option lxd[] = {
    ROW(lxd, container, WORD),
    ROW(lxd, lxc_path, TEXT),
    LIST(lxd, lxd_arg),
    COMMON,
};

static const struct method_option incus[] = {
    ROW(incus, container, WORD),
    ROW(incus, incus_path, TEXT),
    LIST(incus, incus_arg),
    COMMON,
};

static const struct method_option jail[] = {
    ROW(jail, container, WORD),
    ROW(jail, username, WORD),
    ROW(jail, jexec_path, TEXT),
    COMMON,
};

static const struct method_option setns[] = {
    ROW(setns, container, WORD),
    ROW(setns, kind, CONTAINER_KIND),
    ROW(setns, pid, COUNT),
    ROW(setns, username, WORD),
    ROW(setns, tool_path, TEXT),
    COMMON,
};

static const struct method_option python[] = {
    ROW(python, python_path, WORD),
    COMMON,
};

static const struct method methods[] = {
    {.name = "ssh", .options = ssh}, /* the first is the one that need not be named */
    {.name = "local", .options = local, .fallback = "local"},
    {.name = "fork", .options = local, .fallback = "fork"},
    {.name = "sudo", .options = sudo, .fallback = "root", .account = true},
    {.name = "su", .options = su, .fallback = "root", .account = true},
    {.name = "doas", .options = doas, .fallback = "root", .account = true},
    {.name = "docker", .options = docker, .instead = "image"},
    {.name = "podman", .options = podman, .instead = "image"},
    {.name = "buildah", .options = buildah},
    {.name = "kubectl", .options = kubectl},
    {.name = "lxc", .options = lxc},
    {.name = "lxd", .options = lxd},
    {.name = "incus", .options = incus},
    {.name = "jail", .options = jail},
    {.name = "setns", .options = setns, .instead = "pid", .with = "kind"},
    {.name = "python", .options = python, .fallback = "python3", .own = true},
};
/* clang-format on */

const struct method *method_default(void)
{
    return &methods[0];
}

const struct method *method_named(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strlen(methods[i].name) == length && memcmp(methods[i].name, name, length) == 0)
            return &methods[i];
    }
    return NULL;
}

const struct method_option *method_option_named(const struct method *method, const char *name)
{
    for (const struct method_option *option = method->options; option->name != NULL; option++) {
        if (strcmp(option->name, name) == 0)
            return option;
    }
    return NULL;
}
