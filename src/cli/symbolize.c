/* Reads logs and adds to each record of a crash where its addresses are in the sources. The tools
 * of the compiler know: addr2line of binutils or of LLVM. What is in a log may be hostile: of it
 * only digits reach a path or a command line, and what is shown is made printable. */
#include "symbolize.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "memory.h"
#include "out.h"

enum {
    ID_LEAST = 4, /* digits of a build id */
    ID_MOST = 64,
    ADDRESSES_MAX = 64,
    DIRECTORIES_MAX = 32,
    USUAL = 3, /* of them */
};

extern char **environ;

/* What a record says. */
struct crash {
    char id[ID_MOST + 1];
    uint64_t addresses[ADDRESSES_MAX];
    size_t count;
    bool outside; /* it did not happen in the image itself: all addresses are those of callers */
};

struct search {
    const char *directories[DIRECTORIES_MAX];
    size_t count;
    bool failed; /* something could not be found */
};

/* --- the record --------------------------------------------------------------------------------
 */

/* "... build id HEX: +0x1 +0x2": false when the line is none. */
static bool parse(const char *line, struct crash *c)
{
    static const char mark[] = "; build id ", digits[] = "0123456789abcdef";
    const char *at = strstr(line, mark);

    *c = (struct crash){.count = 0};
    if (at == NULL)
        return false;
    at += sizeof mark - 1;
    size_t length = strspn(at, digits);
    if (strncmp(at, "unknown:", 8) == 0)
        length = 0, at += 7;
    else if (length < ID_LEAST || length > ID_MOST)
        return false;
    memcpy(c->id, at, length);
    at += length;
    if (*at++ != ':')
        return false;
    c->outside = strncmp(at, " outside", 8) == 0;
    at += c->outside ? 8 : 0;
    while (strncmp(at, " +0x", 4) == 0 && c->count < ADDRESSES_MAX) {
        char *end;
        c->addresses[c->count++] = strtoull(at + 4, &end, 16);
        at = end;
    }
    return c->count > 0;
}

/* --- the debug file ----------------------------------------------------------------------------
 */

/* Where the file of that build id is, from malloc(); NULL when it is nowhere. */
static char *find_debug_file(const struct search *s, const char *id)
{
    for (size_t i = 0; i < s->count; i++) {
        char *path = memory_printf("%s/.build-id/%.2s/%s.debug", s->directories[i], id, id + 2);
        if (access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

/* --- the tool ----------------------------------------------------------------------------------
 */

static const char *const tools[][2] = {
    {"addr2line", NULL}, {"llvm-addr2line", NULL}, {"llvm-symbolizer", "--output-style=GNU"}};

/* Starts it with its output on a pipe, of which the end to read is returned; -1: it is not there.
 */
static int start(char **argv, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    int ends[2], rc = -1;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    if (posix_spawn_file_actions_init(&actions) == 0) {
        if (posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0)
            rc = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    if (rc == 0)
        return ends[0];
    close(ends[0]);
    return -1;
}

/* The address of a call is the one before where it returns to. */
static uint64_t looked_up(const struct crash *c, size_t i)
{
    return c->addresses[i] - (i > 0 || c->outside ? 1 : 0);
}

static int start_any(const char *file, const struct crash *c, pid_t *pid)
{
    char text[ADDRESSES_MAX][24];
    char *name = memory_text(file);
    int fd = -1;

    for (size_t i = 0; i < c->count; i++)
        snprintf(text[i], sizeof text[i], "0x%llx", (unsigned long long)looked_up(c, i));
    for (size_t t = 0; t < sizeof tools / sizeof *tools && fd < 0; t++) {
        char *argv[ADDRESSES_MAX + 8];
        size_t n = 0;
        char options[] = "-afipC", e[] = "-e";
        argv[n++] = memory_text(tools[t][0]);
        argv[n++] = options;
        argv[n++] = e;
        argv[n++] = name;
        char *style = tools[t][1] != NULL ? memory_text(tools[t][1]) : NULL;
        if (style != NULL)
            argv[n++] = style;
        for (size_t i = 0; i < c->count; i++)
            argv[n++] = text[i];
        argv[n] = NULL;
        fd = start(argv, pid);
        free(argv[0]);
        free(style);
    }
    free(name);
    return fd;
}

/* Its lines, in which an address becomes the one of the record again. */
static void show_lines(struct out *out, FILE *from, const struct crash *c)
{
    char *line = NULL;
    size_t size = 0, next = 0;
    ssize_t length;

    while ((length = getline(&line, &size, from)) > 0) {
        if (line[length - 1] == '\n')
            length--;
        const char *colon = memchr(line, ':', (size_t)length);
        char address[32];
        if (strncmp(line, "0x", 2) == 0 && colon != NULL && next < c->count) {
            snprintf(address, sizeof address, "    +0x%llx",
                     (unsigned long long)c->addresses[next++]);
            out_text(out, address);
            out_foreign(out, colon, (size_t)(line + length - colon));
        } else {
            out_text(out, "        ");
            out_foreign(out, line, (size_t)length);
        }
        out_end_line(out);
    }
    free(line);
}

static int symbolize(struct out *out, const char *file, const struct crash *c,
                     struct complaint *why)
{
    pid_t pid = 0;
    int fd = start_any(file, c, &pid), status = 0;
    FILE *from = fd < 0 ? NULL : fdopen(fd, "r");

    if (from == NULL)
        return complain(why,
                        "no addr2line, llvm-addr2line or llvm-symbolizer here; install binutils");
    show_lines(out, from, c);
    fclose(from);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? 0 : complain(why, "cannot read %s: see what addr2line said", file);
}

/* --- logs --------------------------------------------------------------------------------------
 */

static void explain(struct search *s, struct out *out, const struct crash *c)
{
    struct complaint why = {""};
    char *file = *c->id != '\0' ? find_debug_file(s, c->id) : NULL;
    int result = 0;

    if (*c->id == '\0')
        result = complain(&why, "the image that crashed has no build id");
    else if (file == NULL)
        result = complain(&why, "no .build-id/%.2s/%s.debug in %s%s; see --debug-dir", c->id,
                          c->id + 2, s->directories[0], s->count > 1 ? " or the others" : "");
    else
        result = symbolize(out, file, c, &why);
    free(file);
    out_flush(out);
    if (result < 0) {
        print_complaint(&why);
        s->failed = true;
    }
}

static int read_log(struct search *s, struct out *out, FILE *log)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    struct crash crash;

    while ((length = getline(&line, &size, log)) > 0) {
        size_t text = (size_t)length - (line[length - 1] == '\n');
        out_foreign(out, line, text);
        out_end_line(out);
        if (parse(line, &crash))
            explain(s, out, &crash);
    }
    out_flush(out);
    free(line);
    return ferror(log) ? -1 : 0;
}

static int read_named(struct search *s, struct out *out, const char *name, struct complaint *why)
{
    FILE *log = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");

    if (log == NULL)
        return complain(why, "cannot open %s: %s", name, strerror(errno));
    int result = read_log(s, out, log);
    if (result < 0)
        complain(why, "cannot read %s: %s", name, strerror(errno));
    if (log != stdin)
        fclose(log);
    return result;
}

/* --- arguments ---------------------------------------------------------------------------------
 */

/* Beside the command, where the debug files of a build are; where those of what was installed are;
 * then the system's. They are in `made`. */
static void add_usual(struct search *s, char made[2][PATH_MAX])
{
    static const char *const places[] = {"debug", "../lib/debug"};
    char self[PATH_MAX - 16];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    self[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash != NULL && i < sizeof places / sizeof *places; i++) {
        snprintf(made[i], PATH_MAX, "%.*s/%s", (int)(slash - self), self, places[i]);
        s->directories[s->count++] = made[i];
    }
    s->directories[s->count++] = "/usr/lib/debug";
}

/* 0 to go on, 1 when help was asked for, -1 with a complaint. */
static int read_options(struct search *s, int argc, char **argv, struct complaint *why)
{
    static const struct option long_options[] = {
        {"debug-dir", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'}, {0}};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1) {
        if (option == 'h')
            return 1;
        if (option == ':')
            return complain(why, "image symbolize: option --debug-dir needs a value");
        if (option != 'd')
            return complain(why, "image symbolize: unknown option %s", argv[optind - 1]);
        if (s->count == DIRECTORIES_MAX - USUAL)
            return complain(why, "image symbolize: more than %d directories",
                            DIRECTORIES_MAX - USUAL);
        s->directories[s->count++] = optarg;
    }
    return 0;
}

static int print_own_help(void)
{
    static const char help[] =
        "usage: " SYMBOLIZE_USAGE "\n"
        "Copies logs (standard input) to standard output, and adds to each record of a crash in\n"
        "which functions and lines its addresses are.\n"
        "\n"
        "  --debug-dir DIR  where DIR/.build-id/xx/rest.debug are; more than once: all of them.\n"
        "                   Default: debug/ beside this command, where make install-debug puts\n"
        "                   them, and /usr/lib/debug\n"
        "\n"
        "Exit status: 0 all were found, 1 some were not, 2 bad usage.\n";

    return fputs(help, stdout) >= 0 && fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}

int symbolize_run(int argc, char **argv)
{
    static char *const standard_input[] = {"-"};
    struct search search = {.count = 0};
    char usual[2][PATH_MAX];
    struct complaint why;
    struct out out;
    int result = read_options(&search, argc, argv, &why);

    if (result < 0)
        return print_complaint(&why);
    if (result > 0)
        return print_own_help();
    add_usual(&search, usual);
    char *const *names = optind < argc ? argv + optind : standard_input;
    int count = optind < argc ? argc - optind : 1;
    out_open(&out, STDOUT_FILENO);
    for (int i = 0; i < count && result == 0; i++)
        result = read_named(&search, &out, names[i], &why);
    out_close(&out);
    if (result == 0 && out.error != 0)
        result = complain(&why, "cannot write: %s", strerror(out.error));
    if (result < 0)
        print_complaint(&why);
    return result < 0 || search.failed ? STATUS_FAILED : STATUS_OK;
}
