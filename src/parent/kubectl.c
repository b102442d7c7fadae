/* Connection method "kubectl": kubectl exec, in a container of a pod. */
#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_kubectl_options, pod, OPTION_WORD),
    OPTION(mito_kubectl_options, namespace, OPTION_WORD),
    OPTION(mito_kubectl_options, container, OPTION_WORD),
    OPTION(mito_kubectl_options, kubectl_path, OPTION_STR),
    OPTION(mito_kubectl_options, kubectl_args, OPTION_LIST),
    {0},
};

static int command(const void *opts, const char *shell_command, struct argv *out)
{
    const struct mito_kubectl_options *o = opts;

    argv_add(out, o->kubectl_path != NULL ? o->kubectl_path : "kubectl");
    argv_add_list(out, o->kubectl_args);
    argv_add(out, "exec");
    argv_add(out, "--stdin");
    argv_add_option(out, "--namespace", o->namespace);
    argv_add_option(out, "--container", o->container);
    argv_add(out, o->pod);
    argv_add(out, "--");
    argv_add_shell(out, shell_command);
    return argv_done(out);
}

static const struct saying sayings[] = {
    {"container not found", MITO_E_NO_CONTAINER, "no such container in the pod; check container"},
    {"is not valid for pod", MITO_E_NO_CONTAINER, "no such container in the pod; check container"},
    {"(NotFound)", MITO_E_NO_CONTAINER, "no such pod or namespace; check pod and namespace"},
    {"completed pod", MITO_E_STOPPED, "the pod has ended"},
    {"is not running", MITO_E_STOPPED, "the pod is not running"},
    {"(Forbidden)", MITO_E_NOT_ALLOWED, "the cluster does not let us; check our role there"},
    {"nauthorized", MITO_E_PERMISSION, "the cluster does not know us; check the kubeconfig"},
    {"onnection refused", MITO_E_REFUSED, "the cluster refuses connections; check the kubeconfig"},
    {"was refused", MITO_E_REFUSED, "the cluster refuses connections; check the kubeconfig"},
    {"no such host", MITO_E_UNREACHABLE, "the cluster cannot be reached; check the kubeconfig"},
    {"executable file not found", MITO_E_NO_SHELL, "no POSIX sh in the container"},
    {0},
};

const struct method method_kubectl = {
    .name = "kubectl",
    .options_size = sizeof(struct mito_kubectl_options),
    .options = options,
    .target = offsetof(struct mito_kubectl_options, pod),
    .command = command,
    .eager = true,
    .sayings = sayings,
};
