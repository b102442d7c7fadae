/* mitosis run: a command in many contexts at once. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

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
    OPTION_PYTHON,
    OPTION_SCRIPT,
    OPTION_PYTHON_PATH,
};

struct run_options {
    struct job_options job;
    struct python_run python;
    struct host_options hosts;
};

static const struct option long_options[] = {
    HOST_LONG_OPTIONS,
    {"parallel", required_argument, NULL, OPTION_PARALLEL},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"group", no_argument, NULL, OPTION_GROUP},
    {"json", no_argument, NULL, OPTION_JSON},
    {"no-prefix", no_argument, NULL, OPTION_NO_PREFIX},
    {"python", required_argument, NULL, OPTION_PYTHON},
    {"script", required_argument, NULL, OPTION_SCRIPT},
    {"python-path", required_argument, NULL, OPTION_PYTHON_PATH},
    {0},
};

static int set_mode(struct job_options *options, enum report_mode mode, struct complaint *why)
{
    if (options->mode != REPORT_PREFIX && options->mode != mode)
        return complain(why, "--group, --json and --no-prefix exclude each other");
    options->mode = mode;
    return 0;
}

static int set_once(const char **out, const char *option, const char *value, struct complaint *why)
{
    if (*out != NULL)
        return complain(why, "%s is given twice", option);
    if (*value == '\0')
        return complain(why, "%s: nothing is given", option);
    *out = value;
    return 0;
}

static int take_python_option(struct python_run *python, int option, struct complaint *why)
{
    if (option == OPTION_PYTHON_PATH)
        return set_once(&python->interpreter, "--python-path", optarg, why);
    if (option == OPTION_PYTHON ? python->script != NULL : python->expression != NULL)
        return complain(why, "--python and --script exclude each other");
    if (option == OPTION_PYTHON)
        return set_once(&python->expression, "--python", optarg, why);
    return set_once(&python->script, "--script", optarg, why);
}

static int take_option(struct run_options *options, int option, char *const *argv,
                       struct complaint *why)
{
    int64_t number = 0;
    switch (option) {
    case OPTION_PARALLEL:
        if (!number_parse(optarg, 1, PARALLEL_MAX, &number))
            return complain(why, "--parallel: '%s' is not in 1 to %d", optarg, PARALLEL_MAX);
        options->job.parallel = (size_t)number;
        return 0;
    case OPTION_TIMEOUT:
        if (!seconds_parse(optarg, &options->job.timeout_ms))
            return complain(why, "--timeout: bad number of seconds '%s'", optarg);
        return 0;
    case OPTION_GROUP:
        return set_mode(&options->job, REPORT_GROUP, why);
    case OPTION_JSON:
        return set_mode(&options->job, REPORT_JSON, why);
    case OPTION_NO_PREFIX:
        return set_mode(&options->job, REPORT_PLAIN, why);
    case OPTION_PYTHON:
    case OPTION_SCRIPT:
    case OPTION_PYTHON_PATH:
        return take_python_option(&options->python, option, why);
    default:
        return host_options_take(&options->hosts, option, argv, why);
    }
}

/* What is run: a command, an expression, or a script with arguments. */
static int settle_what(struct run_options *options, struct complaint *why)
{
    struct python_run *python = &options->python;
    const char *first = options->job.argv[0];
    if (python->expression == NULL && python->script == NULL) {
        if (python->interpreter != NULL)
            return complain(why, "--python-path is for --python and --script");
        return first == NULL || *first == '\0' ? complain(why, "no command to run") : 0;
    }
    if (python->expression != NULL && first != NULL)
        return complain(why, "--python takes no command and no arguments, such as '%s'", first);
    options->job.python = python;
    return python_run_read(python, why);
}

static int make_plan(struct run_options *options, struct plan *plan, struct complaint *why)
{
    char *hop = options->job.python != NULL ? python_run_hop(options->job.python) : NULL;
    int result = host_options_plan(&options->hosts, hop, plan, why);
    free(hop);
    if (result == 0 && plan->target_count == 0)
        result = complain(why, "no hosts: name them with -H, -f or --local");
    return result;
}

/* 0 to go on, 1 when help was asked for, -1 with a complaint. */
static int read_arguments(struct run_options *options, struct plan *plan, int argc, char **argv,
                          struct complaint *why)
{
    int option = 0, result = 0;
    opterr = 0;
    while (result == 0 &&
           (option = getopt_long(argc, argv, "+:" HOST_SHORT_OPTIONS, long_options, NULL)) != -1)
        result = option == 'h' ? 1 : take_option(options, option, argv, why);
    options->job.argv = argv + optind;
    if (result == 0)
        result = settle_what(options, why);
    if (result == 0)
        result = make_plan(options, plan, why);
    names_free(&options->hosts.routes);
    return result == 0 ? host_options_ask(&options->hosts, plan, why) : result;
}

static int run(const struct subcommand *self, int argc, char **argv)
{
    struct run_options options = {.job.parallel = PARALLEL_DEFAULT};
    struct plan plan = {.first = NULL};
    struct complaint why;
    int status = STATUS_OK;
    int result = read_arguments(&options, &plan, argc, argv, &why);
    if (result < 0)
        status = host_options_refused(&why);
    else if (result > 0)
        status = print_help(self);
    else
        status = job_run(&plan, &options.job);
    plan_free(&plan);
    python_run_free(&options.python);
    return status;
}

const struct subcommand cmd_run = {
    .name = "run",
    .summary = "run a command in many contexts at once",
    .help =
        "usage: mitosis run [-H LIST]... [-f FILE]... [--local N] [--via ROUTE] [--sudo[=USER]]\n"
        "                   [--ask-pass] [--ask-ssh-pass] [--connect PATH] [--parallel N]\n"
        "                   [--timeout S] [--group | --json | --no-prefix]\n"
        "                   {[--] COMMAND [ARG]... | --python EXPRESSION | --script FILE "
        "[ARG]...}\n"
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
        "  --python EXPR     evaluate a Python expression there, as in 'platform.node()'\n"
        "  --script FILE     call main(ARG...) of a Python file there\n"
        "  --python-path P   the interpreter there (python3)\n"
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
