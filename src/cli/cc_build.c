#include "cc_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf.h"
#include "fat.h"
#include "images.h"
#include "memory.h"
#include "tool.h"

/* In front of the user's options, which may so undo them: what nothing calls is left out of images,
 * and they are not padded. */
static const char *const compile_options[] = {"-ffunction-sections", "-fdata-sections", NULL};
static const char *const link_options[] = {"-Wl,--gc-sections", "-Wl,--build-id=sha1",
                                           "-Wl,-z,noseparate-code", NULL};

/* One run of a compiler, on its way. */
struct run {
    const struct cc_job *job;
    struct scratch *scratch;
    const struct kind *kind;
    struct words argv;
    struct words taken; /* made for it; freed in the end */
};

static bool is_own(const struct run *r)
{
    return r->kind == kind_own();
}

static const char *own_text(struct run *r, char *text)
{
    words_add(&r->taken, text);
    return text;
}

static void run_begin(struct run *r, const struct kind *kind)
{
    r->kind = kind;
    words_add(&r->argv, own_text(r, kind_compiler(kind)));
    if (!r->job->colours && isatty(STDERR_FILENO) == 1)
        words_add(&r->argv, "-fdiagnostics-color=always");
    words_add_all(&r->argv, compile_options);
}

static void run_end(struct run *r)
{
    for (size_t i = 0; i < r->taken.count; i++)
        free((void *)(uintptr_t)r->taken.items[i]);
    words_free(&r->taken);
    words_free(&r->argv);
}

static int fail(const struct complaint *why)
{
    print_complaint(why);
    return STATUS_FAILED;
}

/* --- what compilers say ----------------------------------------------------------------------- */

/* Runs it, with what it says in a file, and then in *said. The exit status. */
static int run_quietly(struct run *r, struct bytes *said)
{
    struct complaint why;
    int status = STATUS_FAILED;
    char *file = scratch_file(r->scratch, "said", &why);
    int fd = file == NULL ? -1 : open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        if (file != NULL)
            complain(&why, "cannot make %s: %s", file, strerror(errno));
        free(file);
        return fail(&why);
    }
    status = tool_run(&(struct tool){r->argv.items, STDIN_FILENO, -1, fd}, &why);
    close(fd);
    if (status < 0 || file_read(file, said, &why) < 0)
        status = fail(&why);
    free(file);
    return status;
}

static void say(const struct bytes *said)
{
    size_t done = 0;
    while (done < said->length) {
        ssize_t n = write(STDERR_FILENO, said->data + done, said->length - done);
        if (n < 0 && errno != EINTR)
            return;
        done += n > 0 ? (size_t)n : 0;
    }
}

/* What a compiler for another kind says is shown only when this machine's did not say the same. */
static int run_compiler(struct run *r, struct bytes *said_by_own)
{
    struct bytes said = {0};
    int status = run_quietly(r, &said);
    bool same = said.length == said_by_own->length &&
                (said.length == 0 || memcmp(said.data, said_by_own->data, said.length) == 0);
    if (is_own(r)) {
        say(&said);
        bytes_add(said_by_own, said.data, said.length);
    } else if (status != 0 || !same) {
        if (said.length > 0)
            print_error("cc: for %s:", r->kind->name);
        say(&said);
    }
    if (status != 0 && !is_own(r))
        print_error("cc: it failed for %s; --targets can leave that out", r->kind->name);
    bytes_free(&said);
    return status;
}

/* --- compiling -------------------------------------------------------------------------------- */

static void add_words(struct run *r, const char *source)
{
    for (size_t i = 0; i < r->job->count; i++) {
        const struct cc_word *word = &r->job->words[i];
        if (word->kind == CC_OPTION || (word->kind == CC_OWN_OPTION && is_own(r)) ||
            (word->kind == CC_SOURCE && word->text == source))
            words_add(&r->argv, word->text);
    }
}

static int compile_for(const struct cc_job *job, const struct kind *kind, const char *source,
                       const char *object, struct scratch *scratch, struct bytes *said)
{
    struct run run = {.job = job, .scratch = scratch};
    run_begin(&run, kind);
    add_words(&run, source);
    words_add(&run.argv, "-o");
    words_add(&run.argv, object);
    int status = run_compiler(&run, said);
    run_end(&run);
    return status;
}

static int compile_source(const struct cc_job *job, const char *source, const char *object,
                          struct scratch *scratch)
{
    struct fat_part parts[KINDS];
    struct complaint why;
    struct bytes said = {0};
    size_t count = 0;
    int status = compile_for(job, kind_own(), source, object, scratch, &said);
    for (size_t i = 1; i < job->target_count && status == 0; i++) {
        char *part = scratch_file(scratch, "part.o", &why);
        if (part == NULL) {
            status = fail(&why);
            break;
        }
        status = compile_for(job, job->targets[i], source, part, scratch, &said);
        parts[count++] = (struct fat_part){job->targets[i], part};
    }
    if (status == 0 && count > 0 && fat_make(object, parts, count, &why) < 0)
        status = fail(&why);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)parts[i].file);
    if (status != 0)
        unlink(object); /* it is not what make(1) would take it for */
    bytes_free(&said);
    return status;
}

int cc_compile(const struct cc_job *job, struct scratch *scratch)
{
    int status = 0;
    if (job->output != NULL && job->sources > 1) {
        print_error("cc: -c with -o and several sources");
        return STATUS_USAGE;
    }
    for (size_t i = 0; i < job->count && status == 0; i++) {
        if (job->words[i].kind != CC_SOURCE)
            continue;
        const char *source = job->words[i].text;
        char *object =
            job->output != NULL ? memory_text(job->output) : cc_job_output_for(source, ".o");
        status = compile_source(job, source, object, scratch);
        free(object);
    }
    return status;
}

/* --- linking ---------------------------------------------------------------------------------- */

/* The library that is installed for this kind stands at the end, instead of others of its name. */
static bool is_ours(const struct cc_word *word)
{
    return (word->kind == CC_LIBRARY && strcmp(word->text, "-lmitosis") == 0) ||
           (word->kind == CC_ARCHIVE && strcmp(file_name(word->text), "libmitosis.a") == 0);
}

static void add_ours(struct run *r)
{
    char *compiler = kind_compiler(r->kind);
    int length = (int)(file_name(compiler) - compiler);
    char *library = memory_printf("%.*slib/libmitosis.a", length, compiler);
    own_text(r, library);
    words_add(&r->argv, "-pthread");
    words_add(&r->argv, library);
    free(compiler);
}

/* An input of the linker, for the kind of the run. NULL with a complaint. */
static const char *input_for(struct run *r, const struct cc_word *word, struct complaint *why)
{
    char *taken = NULL;
    if (is_own(r))
        return word->text;
    if (word->kind == CC_LIBRARY)
        taken = fat_take_library(word->text, r->job->directories.items, r->kind, r->scratch, why);
    else
        taken = fat_take(word->text, r->kind, r->scratch, why);
    return taken == NULL ? NULL : own_text(r, taken);
}

static int add_inputs(struct run *r, struct complaint *why)
{
    for (size_t i = 0; i < r->job->count; i++) {
        const struct cc_word *word = &r->job->words[i];
        const char *text = word->text;
        if (is_ours(word) || (word->kind == CC_OWN_OPTION && !is_own(r)))
            continue;
        if (word->kind >= CC_OBJECT)
            text = input_for(r, word, why);
        if (text == NULL)
            return complain_prefix(why, "cc");
        words_add(&r->argv, text);
    }
    return 0;
}

static int link_for(const struct cc_job *job, const struct kind *kind, const char *program,
                    struct scratch *scratch, struct bytes *said)
{
    struct run run = {.job = job, .scratch = scratch};
    struct complaint why;
    run_begin(&run, kind);
    words_add_all(&run.argv, link_options);
    words_add(&run.argv, "-o");
    words_add(&run.argv, program);
    int status = add_inputs(&run, &why) < 0 ? fail(&why) : 0;
    if (status == 0) {
        add_ours(&run);
        status = run_compiler(&run, said);
    }
    run_end(&run);
    return status;
}

/* --- what is for debuggers -------------------------------------------------------------------- */

static bool has_debug_information(const char *file)
{
    struct bytes content = {0};
    struct complaint why;
    struct elf elf;
    struct elf_part part;
    bool has = file_read(file, &content, &why) == 0 &&
               elf_open(&elf, content.data, content.length) &&
               elf_section(&elf, ".debug_info", &part);
    bytes_free(&content);
    return has;
}

/* The program has some in any case, from the C library; what counts is what the user compiled. */
static bool keeps_debug_information(const struct cc_job *job)
{
    bool keeps = job->debugs;
    for (size_t i = 0; i < job->count && !keeps; i++)
        keeps = job->words[i].kind == CC_OBJECT && has_debug_information(job->words[i].text);
    return keeps && !job->strips;
}

/* Where debuggers and `mitosis image symbolize` look: .build-id/NN/N....debug, beside the program.
 */
static char *debug_file(const char *beside, const char *build_id, struct complaint *why)
{
    int length = (int)(file_name(beside) - beside);
    char *top = memory_printf("%.*s.build-id", length, beside);
    char *directory = memory_printf("%s/%.2s", top, build_id);
    char *file = memory_printf("%s/%s.debug", directory, build_id + 2);
    if ((mkdir(top, 0777) < 0 && errno != EEXIST) ||
        (mkdir(directory, 0777) < 0 && errno != EEXIST)) {
        complain(why, "cannot make the directory %s: %s", directory, strerror(errno));
        free(file);
        file = NULL;
    }
    free(top);
    free(directory);
    return file;
}

static int split_debug(const char *program, const char *beside, struct complaint *why)
{
    struct program look;
    if (program_look(program, &look, why) < 0)
        return -1;
    if (look.build_id[0] == '\0' || look.build_id[1] == '\0')
        return 0; /* the user's options say that there is none */
    char *file = debug_file(beside, look.build_id, why);
    char *objcopy = file == NULL ? NULL : kind_tool(look.kind, "objcopy", why);
    const char *argv[] = {objcopy, "--only-keep-debug", program, file, NULL};
    int result = objcopy == NULL ? -1 : tool_must(&(struct tool){argv, -1, -1, -1}, why);
    if (result == 0)
        result = chmod(file, 0644);
    free(objcopy);
    free(file);
    return result;
}

/* --- a whole program -------------------------------------------------------------------------- */

/* Links for a kind, keeps what is for debuggers beside the output, and adds the image. */
static int link_image(const struct cc_job *job, const struct kind *kind, const char *beside,
                      struct images *images, struct scratch *scratch, struct bytes *said)
{
    struct complaint why;
    char *file = scratch_file(scratch, kind->name, &why);
    if (file == NULL)
        return fail(&why);
    int status = link_for(job, kind, file, scratch, said);
    if (status == 0 && ((keeps_debug_information(job) && split_debug(file, beside, &why) < 0) ||
                        images_add_program(images, file, scratch, &why) < 0))
        status = fail(&why);
    free(file);
    return status;
}

/* The program itself is linked in its place, so that the names of what is made beside it (.d) are
 * right. What remains of it is the image for its kind. */
static int finish(const char *output, const struct cc_job *job, struct images *images,
                  struct scratch *scratch)
{
    struct complaint why;
    char *bare = NULL;
    int result = keeps_debug_information(job) ? split_debug(output, output, &why) : 0;
    if (result == 0)
        bare = image_bare(output, kind_own(), scratch, &why);
    if (bare == NULL || images_bind(images, bare, output, scratch, &why) < 0)
        result = fail(&why);
    free(bare);
    return result;
}

static int link_program(const struct cc_job *job, struct scratch *scratch)
{
    const char *output = job->output != NULL ? job->output : "a.out";
    struct images images = {.count = 0};
    struct bytes said = {0};
    struct stat st;
    int status = link_for(job, kind_own(), output, scratch, &said);
    bool is_file = status == 0 && stat(output, &st) == 0 && S_ISREG(st.st_mode);
    for (size_t i = 1; i < job->target_count && is_file && status == 0; i++)
        status = link_image(job, job->targets[i], output, &images, scratch, &said);
    if (is_file && status == 0)
        status = finish(output, job, &images, scratch);
    if (is_file && status != 0)
        unlink(output);
    images_free(&images);
    bytes_free(&said);
    return status;
}

static int link_bound(const struct cc_job *job, struct scratch *scratch)
{
    struct images images = {.count = 0};
    struct complaint why;
    struct bytes said = {0};
    int status = images_load(&images, job->bind, &why) < 0 ? fail(&why) : 0;
    for (size_t i = 0; i < job->target_count && status == 0; i++)
        status = link_image(job, job->targets[i], job->bind, &images, scratch, &said);
    if (status == 0 &&
        images_bind(&images, job->bind, job->output != NULL ? job->output : job->bind, scratch,
                    &why) < 0)
        status = fail(&why);
    images_free(&images);
    bytes_free(&said);
    return status;
}

int cc_link(const struct cc_job *job, struct scratch *scratch)
{
    return job->bind != NULL ? link_bound(job, scratch) : link_program(job, scratch);
}
