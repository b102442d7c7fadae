/* Kernel and uptime of many hosts, asked side by side.
 *     ssh_inventory host...        as for ssh(1): names, addresses, user@host */
#include <ctype.h>
#include <inttypes.h>
#include <mitosis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

struct host {
    const char *name;
    struct mito_context *context; /* NULL until it is up */
    bool answered;
};

MITO_FUNCTION(describe)
{
    struct utsname u;
    struct sysinfo s;

    if (uname(&u) < 0 || sysinfo(&s) < 0)
        return mito_fail(call, MITO_E_SYSTEM, "the kernel does not say");
    return mito_return(call, "sssi", u.sysname, u.release, u.machine, s.uptime);
}

/* A host can answer what it likes; a terminal would obey it. */
static void print_word(const char *word)
{
    for (; *word != '\0'; word++)
        putchar(isprint((unsigned char)*word) ? *word : '?');
    putchar(' ');
}

static int show(struct host *host, struct mito_message *m)
{
    const char *system, *release, *machine;
    int64_t uptime;

    if (mito_message_read(m, "sssi", &system, &release, &machine, &uptime) < 0)
        return -1;
    printf("%-24s ", host->name);
    print_word(system);
    print_word(release);
    print_word(machine);
    printf("up %" PRId64 " min\n", uptime / 60);
    host->answered = true;
    return 0;
}

/* What comes for a host is first its context, then its answer. True when that was the last. */
static bool next_step(struct host *host, struct mito_message *m, struct mito_receiver *rx)
{
    int rc = host->context != NULL ? show(host, m) : mito_message_read(m, "c", &host->context);

    if (rc == 0 && !host->answered)
        rc = mito_call_async(host->context, &describe, rx, host, "");
    if (rc < 0)
        printf("%-24s %s: %s\n", host->name, mito_error_name(mito_error_code()), mito_error());
    return rc < 0 || host->answered;
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    struct mito_receiver *rx = mito_receiver_new(router);
    struct host *hosts = calloc((size_t)argc, sizeof *hosts);
    int left = 0, silent = 0;

    if (rx == NULL)
        fprintf(stderr, "ssh_inventory: %s\n", mito_error());
    for (int i = 1; rx != NULL && hosts != NULL && i < argc; i++) {
        hosts[i].name = argv[i];
        if (mito_ssh_async(router, rx, &hosts[i], .hostname = argv[i]) == 0)
            left++;
        else
            printf("%-24s %s\n", argv[i], mito_error());
    }
    while (left > 0) {
        MITO_AUTO_MESSAGE m = mito_receive(rx, MITO_FOREVER);
        if (m == NULL)
            break;
        left -= next_step(mito_message_tag(m), m, rx);
    }
    for (int i = 1; hosts != NULL && i < argc; i++)
        silent += !hosts[i].answered;
    int rc = silent > 0 || rx == NULL || hosts == NULL;
    mito_receiver_free(rx);
    mito_router_free(router);
    free(hosts);
    return rc;
}
