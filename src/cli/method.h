/* Connection methods: the table that says how a hop is written and opened. */
#ifndef CLI_METHOD_H
#define CLI_METHOD_H

#include <stdbool.h>
#include <stddef.h>

#include "mitosis.h"
#include "option.h"

/* What the library is given. Every struct of options begins with MITO_COMMON_OPTIONS. */
union method_options {
    struct local_options {
        MITO_COMMON_OPTIONS;
        const char *name; /* ours: to tell several apart. The library does not see it */
    } local;
    struct mito_ssh_options ssh;
    struct mito_sudo_options sudo;
    struct mito_su_options su;
    struct mito_doas_options doas;
    struct mito_docker_options docker;
    struct mito_podman_options podman;
    struct mito_buildah_options buildah;
    struct mito_kubectl_options kubectl;
    struct mito_lxc_options lxc;
    struct mito_lxd_options lxd;
    struct mito_incus_options incus;
    struct mito_jail_options jail;
    struct mito_setns_options setns;
    struct mito_python_options python;
};

struct method {
    const char *name;
    /* The first is what stands behind "method:", where it has no name; the last has no name. With a
     * "username" further down there can be a "USER@" in front of it, with a "port" a ":PORT". */
    const struct method_option *options;
    const char *fallback; /* for the first; NULL: it must be given */
    const char *instead;  /* or else this one; if it is a number, so can be the target */
    const char *with;     /* is given if and only if the first is */
    bool account; /* leads to another account of the same host, with a password of its own */
    bool own;     /* is opened for one run, on the host where that is: has no place in routes, and
                     is not kept for later runs */
};

/* The first of the table, for a hop that does not name one. */
const struct method *method_default(void);
/* NULL: none. The name need not end with a NUL. */
const struct method *method_named(const char *name, size_t length);
/* NULL: none. */
const struct method_option *method_option_named(const struct method *method, const char *name);

#endif
