/* mitosis image: the images that an executable carries. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "images.h"
#include "json.h"
#include "memory.h"
#include "out.h"
#include "signals.h"
#include "symbolize.h"

struct request {
    const char *file;
    char **rest; /* what stands behind it */
    size_t rest_count;
    const char *output;
    bool json;
    struct scratch scratch;
};

/* One action: what it is called, which options it takes, how many arguments. Each gets the images
 * of the file and returns the exit status, after telling what went wrong. */
struct action {
    const char *name;
    bool json, output;  /* whether it has these options */
    size_t least, most; /* arguments behind the file */
    const char *lacks;  /* when there are fewer */
    int (*run)(struct request *r, struct images *images);
};

static int failed(const struct complaint *why)
{
    print_complaint(why);
    return STATUS_FAILED;
}

/* --- list ------------------------------------------------------------------------------------ */

/* One line of the list: an image, or the program itself (packed is 0 then). */
struct row {
    const char *kind;
    size_t size, packed;
    const uint8_t *sha256;
    const char *build_id;
};

static void write_out(void *arg, const char *data, size_t length)
{
    out_bytes(arg, data, length);
}

static void print_row(struct out *out, const struct row *row, bool as_json)
{
    char hash[2 * MITO_SHA256_SIZE + 1];
    for (size_t i = 0; i < MITO_SHA256_SIZE; i++)
        snprintf(hash + 2 * i, 3, "%02x", row->sha256[i]);
    if (as_json) {
        struct json json = {.write = write_out, .arg = out};
        json_begin(&json);
        json_text(&json, "kind", row->kind, strlen(row->kind));
        json_integer(&json, "size", (int64_t)row->size);
        if (row->packed > 0)
            json_integer(&json, "packed_size", (int64_t)row->packed);
        else
            json_null(&json, "packed_size");
        json_text(&json, "sha256", hash, strlen(hash));
        if (*row->build_id != '\0')
            json_text(&json, "build_id", row->build_id, strlen(row->build_id));
        else
            json_null(&json, "build_id");
        json_end(&json);
        return;
    }
    char packed[24] = "itself", *line = NULL;
    if (row->packed > 0)
        snprintf(packed, sizeof packed, "%zu", row->packed);
    line = memory_printf("%-8s %10zu %10s  %s  %s", row->kind, row->size, packed, hash,
                         *row->build_id != '\0' ? row->build_id : "-");
    out_text(out, line);
    out_end_line(out);
    free(line);
}

/* A static program is the image for its own kind, unless one is bound to it (which may be the
 * same).
 */
static int list_itself(struct request *r, struct images *images, struct out *out,
                       struct complaint *why)
{
    struct program program;
    struct bytes content = {0};
    uint8_t hash[MITO_SHA256_SIZE];
    if (program_look(r->file, &program, why) < 0)
        return -1;
    if (!program.is_static || images_find(images, program.kind) != NULL)
        return 0;
    char *bare = image_bare(r->file, program.kind, &r->scratch, why);
    int result = bare == NULL ? -1 : file_read(bare, &content, why);
    if (result == 0) {
        mito_sha256(content.data, content.length, hash);
        struct row row = {program.kind->name, content.length, 0, hash, program.build_id};
        print_row(out, &row, r->json);
    }
    bytes_free(&content);
    free(bare);
    return result;
}

static int list_image(struct request *r, struct out *out, const struct image *image,
                      struct complaint *why)
{
    struct bytes plain = {0};
    struct program program;
    int result = image_unpack(image, &plain, &program, why);
    if (result == 0) {
        struct row row = {image->kind->name, image->size, image->packed.length, image->sha256,
                          program.build_id};
        print_row(out, &row, r->json);
    } else {
        complain_prefix(why, "%s: %s", r->file, image->kind->name);
    }
    bytes_free(&plain);
    return result;
}

static int list(struct request *r, struct images *images)
{
    struct out out;
    struct complaint why;
    out_open(&out, STDOUT_FILENO);
    if (!r->json) {
        out_text(&out, "KIND           SIZE     PACKED  SHA256                           "
                       "                                 BUILD ID");
        out_end_line(&out);
    }
    int result = list_itself(r, images, &out, &why);
    for (size_t i = 0; i < images->count && result == 0; i++)
        result = list_image(r, &out, &images->items[i], &why);
    out_close(&out);
    if (result == 0 && out.error != 0)
        result = complain(&why, "cannot write: %s", strerror(out.error));
    return result < 0 ? failed(&why) : STATUS_OK;
}

/* --- extract --------------------------------------------------------------------------------- */

static int names_of(const struct images *images, char *out, size_t size)
{
    int length = 0;
    for (size_t i = 0; i < images->count; i++)
        length += snprintf(out + length, size - (size_t)length, "%s%s", i == 0 ? "" : ", ",
                           images->items[i].kind->name);
    return length;
}

/* The content of the image for that kind; the program itself is one too. */
static int content_of(struct request *r, struct images *images, const struct kind *kind,
                      struct bytes *out, struct complaint *why)
{
    struct program program;
    char names[100];
    const struct image *image = images_find(images, kind);
    if (image != NULL)
        return image_unpack(image, out, &program, why) == 0 ? 0
                                                            : complain_prefix(why, "%s", r->file);
    if (program_look(r->file, &program, why) < 0)
        return -1;
    if (program.is_static && program.kind == kind) {
        char *bare = image_bare(r->file, kind, &r->scratch, why);
        int result = bare == NULL ? -1 : file_read(bare, out, why);
        free(bare);
        return result;
    }
    if (names_of(images, names, sizeof names) == 0)
        snprintf(names, sizeof names, "none");
    return complain(why, "%s: no image for %s; those bound to it: %s", r->file, kind->name, names);
}

static int put(const char *output, const struct bytes *content, struct complaint *why)
{
    struct out out;
    if (strcmp(output, "-") != 0)
        return file_write(output, content->data, content->length, file_executable_mode(), why);
    out_open(&out, STDOUT_FILENO);
    out_bytes(&out, content->data, content->length);
    out_close(&out);
    return out.error == 0 ? 0 : complain(why, "cannot write: %s", strerror(out.error));
}

static int extract(struct request *r, struct images *images)
{
    struct bytes content = {0};
    struct complaint why;
    const struct kind *kind = kind_find(r->rest[0]);
    if (kind == NULL) {
        complain(&why, "unknown kind of machine '%s'; see mitosis image --help", r->rest[0]);
        return print_complaint(&why);
    }
    char *name = memory_printf("%s.%s", file_name(r->file), kind->name);
    const char *output = r->output != NULL ? r->output : name;
    int result = content_of(r, images, kind, &content, &why);
    if (result == 0)
        result = put(output, &content, &why);
    bytes_free(&content);
    free(name);
    return result < 0 ? failed(&why) : STATUS_OK;
}

/* --- check ----------------------------------------------------------------------------------- */

static int check(struct request *r, struct images *images)
{
    struct complaint why;
    struct program program;
    int status = STATUS_OK;
    if (program_look(r->file, &program, &why) < 0)
        return failed(&why);
    bool is_bound = images_find(images, program.kind) != NULL;
    if (!is_bound && program.is_static)
        printf("%s: the program itself\n", program.kind->name);
    else if (!is_bound)
        print_error("%s: no image for its own kind, %s: it is not static, and cannot be one",
                    r->file, program.kind->name);
    for (size_t i = 0; i < images->count; i++) {
        struct bytes plain = {0};
        const struct image *image = &images->items[i];
        if (image_unpack(image, &plain, &program, &why) == 0) {
            printf("%s: ok\n", image->kind->name);
        } else {
            complain_prefix(&why, "%s: %s", r->file, image->kind->name);
            status = failed(&why);
        }
        bytes_free(&plain);
    }
    if (fflush(stdout) != 0) {
        print_error("cannot write");
        status = STATUS_FAILED;
    }
    return status;
}

/* --- bind ------------------------------------------------------------------------------------ */

static int bind_images(struct request *r, struct images *images)
{
    struct complaint why;
    int result = 0;
    for (size_t i = 0; i < r->rest_count && result == 0; i++) {
        /* What is bound to it comes along, but nothing instead of what was named. */
        result = images_load(images, r->rest[i], &why);
    }
    for (size_t i = 0; i < r->rest_count && result == 0; i++)
        result = images_add_program(images, r->rest[i], &r->scratch, &why);
    if (result == 0)
        result = images_bind(images, r->file, r->output != NULL ? r->output : r->file, &r->scratch,
                             &why);
    return result < 0 ? failed(&why) : STATUS_OK;
}

/* --------------------------------------------------------------------------------------------- */

static const struct action actions[] = {
    {"list", true, false, 0, 0, NULL, list},
    {"extract", false, true, 1, 1, "no kind of machine", extract},
    {"check", false, false, 0, 0, NULL, check},
    {"bind", false, true, 1, SIZE_MAX, "no images to bind", bind_images},
};

enum { OPTION_JSON = 256 };

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, OPTION_JSON},
    {"output", required_argument, NULL, 'o'},
    {0},
};

static const struct action *find_action(const char *name, struct complaint *why)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    complain(why,
             *name == '\0' ? "image: nothing to do; see mitosis image --help"
                           : "image: unknown action '%s'; see mitosis image --help",
             name);
    return NULL;
}

/* 0, 1 when help was asked for, or -1 with a complaint. Options may stand anywhere. */
static int read_options(const struct action *action, struct request *r, int argc, char **argv,
                        struct complaint *why)
{
    int option = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":ho:", long_options, NULL)) != -1) {
        if (option == 'h')
            return 1;
        if (option == ':')
            return complain(why, "option -o needs a value");
        if (option == 'o' && action->output)
            r->output = optarg;
        else if (option == OPTION_JSON && action->json)
            r->json = true;
        else
            return complain(why, "image %s: unknown option %s", action->name, argv[optind - 1]);
    }
    return 0;
}

static int read_arguments(const struct action *action, struct request *r, int argc, char **argv,
                          struct complaint *why)
{
    int result = read_options(action, r, argc, argv, why);
    if (result != 0)
        return result;
    if (optind >= argc)
        return complain(why, "image %s: no file", action->name);
    r->file = argv[optind];
    r->rest = argv + optind + 1;
    r->rest_count = (size_t)(argc - optind - 1);
    if (r->rest_count < action->least)
        return complain(why, "image %s: %s", action->name, action->lacks);
    if (r->rest_count > action->most)
        return complain(why, "image %s: '%s' is too much", action->name, r->rest[action->most]);
    return 0;
}

static int perform(const struct action *action, struct request *r)
{
    struct complaint why;
    struct images images = {.count = 0};
    int status = STATUS_FAILED;
    if (signals_start(&why) < 0 || images_load(&images, r->file, &why) < 0)
        print_complaint(&why);
    else
        status = action->run(r, &images);
    images_free(&images);
    scratch_remove(&r->scratch);
    return signals_caught() != 0 ? 128 + signals_caught() : status;
}

static int run(const struct subcommand *self, int argc, char **argv)
{
    struct request request = {.file = NULL};
    struct complaint why;
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help(self);
    if (strcmp(name, "symbolize") == 0) /* of logs, not of a file with images */
        return symbolize_run(argc - 1, argv + 1);
    const struct action *action = find_action(name, &why);
    int result = action == NULL ? -1 : read_arguments(action, &request, argc - 1, argv + 1, &why);
    if (result < 0)
        return print_complaint(&why);
    return result > 0 ? print_help(self) : perform(action, &request);
}

const struct subcommand cmd_image = {
    .name = "image",
    .summary = "the images for kinds of machine that a program carries",
    .help = "usage: mitosis image list [--json] FILE\n"
            "       mitosis image extract [-o OUT] FILE KIND\n"
            "       mitosis image check FILE\n"
            "       mitosis image bind [-o OUT] FILE IMAGE...\n"
            "       " SYMBOLIZE_USAGE "\n"
            "  list     kind, size, compressed size, SHA-256 and build id of each image\n"
            "  extract  the image for that kind as an executable, FILE.KIND\n"
            "  check    whether each image is whole, static and for its kind\n"
            "  bind     adds static executables; one for the same kind is replaced\n"
            "  symbolize  in which functions and lines the addresses of crashes in a log are\n"
            "\n"
            "  -o, --output OUT  another file to write; '-' is standard output\n"
            "  --json            one JSON object a line\n"
            "\n"
            "Kinds are x86_64, aarch64, armv7, riscv64 and i386. A static program is the image\n"
            "for its own kind, and is bound to itself along with those for others; mitosis cc\n"
            "makes such programs.\n"
            "\n"
            "Exit status: 0 all went well, 1 it did not, 2 bad usage.\n",
    .run = run,
};
