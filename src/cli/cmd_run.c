/* mitosis run: a command in many contexts at once. */
#include <getopt.h>
#include <stdio.h>

#include "cli.h"
#include "host_options.h"
#include "job.h"
#include "number.h"

enum {
    OPTION_PARALLEL = OPTION_OTHER,
    OPTION_TIMEOUT,
    OPTION_GROUP,
    OPTION_JSON,
    OPTION_NO_PREFIX,
};

static const struct option long_options[] = {
    HOST_LONG_OPTIONS,
    {"parallel", required_argument, NULL, OPTION_PARALLEL},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"group", no_argument, NULL, OPTION_GROUP},
    {"json", no_argument, NULL, OPTION_JSON},
    {"no-prefix", no_argument, NULL, OPTION_NO_PREFIX},
    {0},
};

static int set_mode(struct job_options *options, enum report_mode mode, struct complaint *why)
{
    if (options->mode != REPORT_PREFIX && options->mode != mode)
        return complain(why, "--group, --json and --no-prefix exclude each other");
    options->mode = mode;
    return 0;
}

static int take_option(struct job_options *options, struct host_options *hosts, int option,
                       char *const *argv, struct complaint *why)
{
    int64_t number = 0;
    switch (option) {
    case OPTION_PARALLEL:
        if (!number_parse(optarg, 1, PARALLEL_MAX, &number))
            return complain(why, "--parallel: '%s' is not in 1 to %d", optarg, PARALLEL_MAX);
        options->parallel = (size_t)number;
        return 0;
    case OPTION_TIMEOUT:
        if (!seconds_parse(optarg, &options->timeout_ms))
            return complain(why, "--timeout: bad number of seconds '%s'", optarg);
        return 0;
    case OPTION_GROUP:
        return set_mode(options, REPORT_GROUP, why);
    case OPTION_JSON:
        return set_mode(options, REPORT_JSON, why);
    case OPTION_NO_PREFIX:
        return set_mode(options, REPORT_PLAIN, why);
    default:
        return host_options_take(hosts, option, argv, why);
    }
}

/* 0 to go on, 1 when help was asked for, -1 with a complaint. */
static int read_arguments(struct job_options *options, struct plan *plan, int argc, char **argv,
                          struct complaint *why)
{
    struct host_options hosts = {.via = NULL};
    int option = 0, result = 0;
    opterr = 0;
    while (result == 0 &&
           (option = getopt_long(argc, argv, "+:" HOST_SHORT_OPTIONS, long_options, NULL)) != -1)
        result = option == 'h' ? 1 : take_option(options, &hosts, option, argv, why);
    options->argv = argv + optind;
    if (result == 0)
        result = host_options_plan(&hosts, plan, why);
    names_free(&hosts.routes);
    if (result == 0 && plan->target_count == 0)
        result = complain(why, "no hosts: name them with -H, -f or --local");
    if (result == 0 && (options->argv[0] == NULL || options->argv[0][0] == '\0'))
        result = complain(why, "no command to run");
    return result == 0 ? host_options_ask(&hosts, plan, why) : result;
}

static int run(const struct subcommand *self, int argc, char **argv)
{
    struct job_options options = {.parallel = PARALLEL_DEFAULT};
    struct plan plan = {.first = NULL};
    struct complaint why;
    int status = STATUS_OK;
    int result = read_arguments(&options, &plan, argc, argv, &why);
    if (result < 0)
        status = host_options_refused(&why);
    else if (result > 0)
        status = print_help(self);
    else
        status = job_run(&plan, &options);
    plan_free(&plan);
    return status;
}

const struct subcommand cmd_run = {
    .name = "run",
    .summary = "run a command in many contexts at once",
    .help =
        "usage: mitosis run [-H LIST]... [-f FILE]... [--local N] [--via ROUTE] [--sudo[=USER]]\n"
        "                   [--ask-pass] [--ask-ssh-pass] [--connect PATH] [--parallel N]\n"
        "                   [--timeout S] [--group | --json | --no-prefix] [--] COMMAND [ARG]...\n"
        "\n"
        "  -H, --hosts LIST  hosts, routes and ranges: web[01-20],admin@bastion/db1\n"
        "  -f, --file FILE   the same from a file, '-' for standard input; # starts a comment\n"
        "  --local N         N contexts on this machine\n"
        "  --via ROUTE       start from there; opened once\n"
        "  --sudo[=USER]     end every route with the hop sudo:USER\n"
        "  --ask-pass        ask for the password of the hops of sudo, su and doas\n"
        "  --ask-ssh-pass    ask for the password of the hops of ssh\n"
        "  --connect PATH    through the mitosis serve that listens there\n"
        "  --parallel N      at most so many hosts at a time (64)\n"
        "  --timeout S       end a command that runs for more than S seconds\n"
        "  --group           show hosts with the same output together, at the end\n"
        "  --json            show one JSON object a line for each host\n"
        "  --no-prefix       show lines without the name of the host\n"
        "\n"
        "A route is hops joined by '/'. A hop is "
        "[METHOD:]TARGET[?OPTION=VALUE[&OPTION=VALUE]...]:\n"
        "  [ssh:][USER@]HOST[:PORT]           local:[NAME]\n"
        "  sudo:[USER]                        su:[USER], doas:[USER]\n"
        "  docker:[USER@]CONTAINER            podman:, buildah:, jail: likewise\n"
        "  docker:[USER@]?image=IMAGE         podman: likewise\n"
        "  lxc:CONTAINER                      lxd:, incus: likewise\n"
        "  kubectl:POD                        setns:[USER@]PID\n"
        "  setns:[USER@]CONTAINER?kind=KIND   docker, podman, lxc, lxd, incus, machinectl\n"
        "Their options are those of the library, see mitosis(1).\n"
        "In values %XX stands for a byte; a slash is %2F.\n"
        "\n"
        "Exit status: 0 all went well, 1 a command failed, 2 bad usage, 3 a host was not "
        "reached.\n",
    .run = run,
};
