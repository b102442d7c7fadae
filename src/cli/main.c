/* The command: finds the subcommand and runs it. A subcommand is one file and one row here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "image.h"
#include "mitosis.h"

static const struct subcommand *const subcommands[] = {
    &cmd_run, &cmd_serve, &cmd_tree, &cmd_cc, &cmd_image,
};

static int print(const char *text)
{
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
        return STATUS_OK;
    print_error("cannot write: %s", strerror(errno));
    return STATUS_FAILED;
}

int print_help(const struct subcommand *subcommand)
{
    return print(subcommand->help);
}

static int print_usage(void)
{
    printf("usage: mitosis SUBCOMMAND [ARG]...\n       mitosis --help | --version\n\n");
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++)
        printf("  %-8s%s\n", subcommands[i]->name, subcommands[i]->summary);
    return print("\nmitosis SUBCOMMAND --help tells more; so does mitosis(1).\n");
}

#ifndef MITO_COMMIT /* the Makefile says it */
#define MITO_COMMIT "unknown"
#endif

/* The kind of machine that it runs on; those of images that it carries come behind. */
#if defined(__x86_64__)
#define KINDS "x86_64"
#elif defined(__aarch64__)
#define KINDS "aarch64"
#elif defined(__arm__)
#define KINDS "armv7"
#elif defined(__i386__)
#define KINDS "i386"
#else
#define KINDS "riscv64"
#endif

static int print_version(void)
{
    return print("mitosis " MITO_VERSION "\ncommit " MITO_COMMIT "\nkinds " KINDS "\n");
}

/* Or a file that is opened later could take the place of a standard one that was closed. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            _exit(STATUS_USAGE);
    }
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    fill_standard_descriptors();
    image_use();
    struct complaint why;
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_usage();
    if (strcmp(name, "--version") == 0)
        return print_version();
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
        if (strcmp(name, subcommands[i]->name) == 0)
            return subcommands[i]->run(subcommands[i], argc - 1, argv + 1);
    }
    if (*name == '\0')
        complain(&why, "no subcommand; see mitosis --help");
    else
        complain(&why, "unknown %s '%s'; see mitosis --help",
                 *name == '-' ? "option" : "subcommand", name);
    return print_complaint(&why);
}
