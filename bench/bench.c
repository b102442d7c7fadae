/* Measures Mitosis beside what the same work costs without it, in the same run.
 *
 *     bench [-n NUMBERS] [-s SSH_CONFIG] [-l LINK] [-i IMAGE] [-p DIRECTORY]
 *           [MEASUREMENT...]
 *
 * NUMBERS is a file of numbers measured by others, SSH_CONFIG knows a host "good", LINK is what
 * link.c needs, IMAGE the program that children are copies of, in place of this one, DIRECTORY that
 * of functions.py. Exits with 1 when a demand is not met, with 2 when something could not be
 * measured. */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct measurement {
    const char *name;
    void (*run)(struct bench *b);
} measurements[] = {
    {"memory", bench_memory}, /* first: the memory of a master that has done nothing else */
    {"call", bench_call},     {"pipeline", bench_pipeline}, {"chain", bench_chain},
    {"start", bench_start},   {"ssh", bench_ssh},           {"throughput", bench_throughput},
    {"size", bench_size},     {"link", bench_link},         {"bastion", bench_bastion},
    {"sides", bench_sides},
};

void die(const char *format, ...)
{
    va_list ap;

    fprintf(stderr, "\nbench: ");
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    exit(2);
}

static void use_image(const char *path)
{
    static char image[1024 * 1024];
    FILE *f = fopen(path, "re");
    size_t size = f == NULL ? 0 : fread(image, 1, sizeof image, f);

    if (size == 0 || size == sizeof image)
        die("%s: cannot be read, or is too large", path);
    fclose(f);
    if (mito_set_image(image, size) < 0)
        die("%s", mito_error());
}

static bool wanted(char **names, const char *name)
{
    if (*names == NULL)
        return true;
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct bench b = {.router = NULL};
    int option;

    reference_main(argc, argv);
    mito_start(argc, argv);
    while ((option = getopt(argc, argv, "n:s:l:i:p:")) != -1) {
        if (option == 'n')
            numbers_load(optarg);
        else if (option == 's')
            b.ssh_config = optarg;
        else if (option == 'l')
            b.far = optarg;
        else if (option == 'i')
            use_image(optarg);
        else if (option == 'p')
            b.functions = optarg;
        else
            return 2;
    }
    b.router = mito_router_new(NULL);
    if (b.router == NULL)
        die("%s", mito_error());
    for (size_t i = 0; i < sizeof measurements / sizeof measurements[0]; i++) {
        if (wanted(argv + optind, measurements[i].name))
            measurements[i].run(&b);
    }
    mito_router_free(b.router);
    int missed = table_print();
    table_print_sides();
    if (missed > 0)
        printf("%d required and missed\n", missed);
    return missed > 0;
}
