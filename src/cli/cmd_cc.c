/* mitosis cc: the compiler, for several kinds of machine at once. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cc_build.h"
#include "cc_job.h"
#include "cli.h"
#include "signals.h"

/* Questions, preprocessing and the like are for this machine's compiler, which takes our place. */
static int pass_on(struct cc_job *job)
{
    struct words argv = {.items = NULL};
    char *compiler = kind_compiler(kind_own());
    words_add(&argv, compiler);
    words_add_all(&argv, job->passed.items);
    execv(compiler, (char *const *)(uintptr_t)argv.items);
    print_error("cc: cannot run %s: %s", compiler, strerror(errno));
    free(compiler);
    words_free(&argv);
    return STATUS_FAILED;
}

static bool is_device(const char *path)
{
    struct stat st;
    return path != NULL && stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int perform(struct cc_job *job)
{
    struct scratch scratch = {.path = NULL};
    struct complaint why;
    if (job->passes != NULL && job->bind != NULL) {
        print_error("cc: --bind makes images, and can't be used here: %s", job->passes);
        return STATUS_USAGE;
    }
    /* An object that goes nowhere (/dev/null) only shows that it compiles. */
    if (job->passes != NULL || (job->compiles && is_device(job->output)))
        return pass_on(job);
    if (signals_start(&why) < 0)
        return print_complaint(&why);
    int status = job->compiles ? cc_compile(job, &scratch) : cc_link(job, &scratch);
    scratch_remove(&scratch);
    return signals_caught() != 0 ? 128 + signals_caught() : status;
}

static int run(const struct subcommand *self, int argc, char **argv)
{
    struct cc_job job;
    struct complaint why;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return print_help(self);
    int status = cc_job_read(&job, argv + 1, &why) < 0 ? print_complaint(&why) : perform(&job);
    cc_job_free(&job);
    return status;
}

const struct subcommand cmd_cc = {
    .name = "cc",
    .summary = "compile a program for several kinds of machine",
    .help = "usage: mitosis cc [--targets=KIND,...] [--bind=PROGRAM] [OPTION | FILE]...\n"
            "\n"
            "The options are those of gcc. It is called for each kind of machine:\n"
            "  with -c     the object for this machine carries those for others; they are kept\n"
            "              by ar(1), and found again when linking\n"
            "  to link     the program for this machine, static, carries the images for others\n"
            "All else (-E, -S, -M, --version ...) is for this machine's compiler alone. The\n"
            "library of Mitosis is linked without being named.\n"
            "\n"
            "  --targets=LIST    x86_64, aarch64, armv7, riscv64, i386, joined by commas; this\n"
            "                    machine's own is always one. Default: $MITOSIS_TARGETS, else\n"
            "                    all that there is a compiler for\n"
            "  --bind=PROGRAM    binds the images to a program that is there already\n"
            "\n"
            "Exit status: that of a compiler which failed; 1 something else did, 2 bad usage.\n",
    .run = run,
};
