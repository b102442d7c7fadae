/* mitosis serve: keeps contexts for later commands, which come through a unix socket. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "number.h"
#include "python_run.h"
#include "session.h"
#include "signals.h"
#include "tool.h"
#include "warm.h"

enum { OPTION_IDLE = 256, OPTION_MODULES };

struct serve_options {
    const char *path;
    int64_t idle_ms;      /* 0: for ever */
    struct words modules; /* directories of Python modules */
};

/* When it is to be looked again whether nobody has been there for long enough. */
static int64_t next_look(const struct serve_options *options, int64_t idle)
{
    if (options->idle_ms == 0)
        return INT64_MAX;
    return now_ms() + options->idle_ms - (idle > 0 ? idle : 0);
}

static void wait_for_end(struct session *session, struct mito_listener *listener,
                         const struct serve_options *options)
{
    while (signals_caught() == 0) {
        int64_t idle = mito_listener_idle(listener);
        if (options->idle_ms > 0 && idle >= options->idle_ms)
            return;
        session_wait(session, next_look(options, idle));
    }
}

static int serve(const struct serve_options *options)
{
    enum { DESCRIPTORS = 4096 };
    struct session session;
    struct complaint why;
    if (session_start(&session, DESCRIPTORS, NULL, &why) < 0) {
        print_error("%s", why.text);
        return STATUS_UNREACHABLE;
    }
    struct mito_listener *listener = NULL;
    if (python_run_serve(session.router, options->modules.items) == 0)
        listener = mito_listen(session.router, .path = options->path);
    if (listener == NULL) {
        print_error("%s", mito_error());
    } else {
        wait_for_end(&session, listener, options);
        mito_listener_free(listener);
    }
    session_end(&session);
    return listener == NULL ? STATUS_USAGE : STATUS_OK;
}

static int add_modules(struct serve_options *options, const char *path, struct complaint *why)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return complain(why, "--modules: %s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return complain(why, "--modules: %s is no directory", path);
    words_add(&options->modules, path);
    return 0;
}

/* 0 to go on, 1 when help was asked for, -1 with a complaint. */
static int read_arguments(struct serve_options *options, int argc, char **argv,
                          struct complaint *why)
{
    static const struct option long_options[] = {
        {"idle-timeout", required_argument, NULL, OPTION_IDLE},
        {"modules", required_argument, NULL, OPTION_MODULES},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1) {
        if (option == 'h')
            return 1;
        if (option == ':')
            return complain(why, "option %s needs a value", argv[optind - 1]);
        if (option == OPTION_MODULES) {
            if (add_modules(options, optarg, why) < 0)
                return -1;
        } else if (option != OPTION_IDLE) {
            return complain(why, "unknown option %s", argv[optind - 1]);
        } else if (!seconds_parse(optarg, &options->idle_ms)) {
            return complain(why, "--idle-timeout: bad number of seconds '%s'", optarg);
        }
    }
    if (argv[optind] == NULL)
        return complain(why, "no path to listen on");
    if (argv[optind + 1] != NULL)
        return complain(why, "more than one path");
    options->path = argv[optind];
    return 0;
}

static int run(const struct subcommand *self, int argc, char **argv)
{
    struct serve_options options = {.path = NULL};
    struct complaint why;
    int status = STATUS_OK;
    int result = read_arguments(&options, argc, argv, &why);
    if (result < 0)
        status = print_complaint(&why);
    else
        status = result > 0 ? print_help(self) : serve(&options);
    words_free(&options.modules);
    return status;
}

const struct subcommand cmd_serve = {
    .name = "serve",
    .summary = "keep contexts open for later commands",
    .help =
        "usage: mitosis serve [--idle-timeout S] [--modules DIR]... PATH\n"
        "\n"
        "Listens on a unix socket at PATH, for run --connect PATH and tree --connect PATH: the\n"
        "contexts that they open stay open behind this process, and later ones use them again.\n"
        "Only processes of the same user, and root's, are let in. Ends on SIGTERM, SIGINT and\n"
        "SIGHUP, and all contexts with it.\n"
        "\n"
        "  --idle-timeout S  end when nobody has been connected for S seconds\n"
        "  --modules DIR     has Python modules for the scripts of later commands\n"
        "\n"
        "Exit status: 0 ended when it was told to, 2 bad usage, or it cannot listen there.\n",
    .run = run,
};
