#include "parent/image.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/text.h"
#include "child/image.h"
#include "io/fd.h"
#include "parent/bundle.h"
#include "parent/gzip.h"
#include "parent/kind.h"
#include "parent/modules.h"
#include "wire/pickle.h"

#define MODULE_PREFIX "mitosis.image." /* KIND.SHA256 */

enum { HASH_TEXT = 2 * SHA256_SIZE };

/* One form of one kind. */
struct image {
    int kind;
    enum image_form form;
    unsigned users;
    struct buf data;
    bool ready, working;
    char why[160];       /* it could not be had */
    struct list waiting; /* of struct image_user */
    struct timer soon;
    struct gzip gzip;
    struct module_wait module;
    struct image_user packed; /* what a plain one is unpacked from */
    struct mito_router *router;
};

static struct image images[KIND_COUNT][2];

/* --- what is bound to the executable -----------------------------------------------------------
 */

static int open_executable(void)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    return fd < 0 || fd_move_up(&fd, 3) < 0 ? -1 : fd;
}

/* The table; its descriptor is closed. */
static const struct bundle *bound(void)
{
    static struct bundle bundle;
    static bool looked;

    if (!looked) {
        AUTO_FD fd = open_executable();
        if (fd < 0 || bundle_open(&bundle, fd) < 0)
            bundle.count = 0;
    }
    looked = true;
    return &bundle;
}

static int read_bound(const struct bundle_image *image, struct buf *out)
{
    AUTO_FD fd = open_executable();
    struct bundle opened = {.fd = fd};

    if (fd < 0)
        return error_errno("opening our own executable");
    return bundle_read(&opened, image, out);
}

/* --- hashes ------------------------------------------------------------------------------------
 */

static void hash_text(const struct buf *data, char out[HASH_TEXT + 1])
{
    uint8_t hash[SHA256_SIZE];

    sha256(data->data, data->length, hash);
    for (int i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = "0123456789abcdef"[hash[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
    }
    out[HASH_TEXT] = '\0';
}

static void list_hashes(char *out, size_t size)
{
    const struct bundle *b = bound();
    char hash[HASH_TEXT + 1];

    for (uint32_t i = 0; i < b->count; i++) {
        AUTO_BUF data = {0};
        size_t length = strlen(out);
        if (read_bound(&b->images[i], &data) == 0) {
            hash_text(&data, hash);
            format_to(out + length, size - length, "%s%s:%s", length > 0 ? "+" : "",
                      b->images[i].kind, hash);
        }
    }
}

const char *image_hashes(struct mito_router *r)
{
    static bool listed;

    if (!listed && r->config.parent_count == 0)
        list_hashes(child_image_hashes, sizeof child_image_hashes);
    listed = true;
    return child_image_hashes;
}

/* The hash that the image of that kind must have; NULL: there is none. */
static const char *hash_of(struct mito_router *r, int kind)
{
    size_t length = strlen(kinds[kind].name);

    for (const char *p = image_hashes(r); p != NULL; p = strchr(p, '+')) {
        p += *p == '+';
        if (strncmp(p, kinds[kind].name, length) == 0 && p[length] == ':' &&
            strlen(p + length + 1) >= HASH_TEXT)
            return p + length + 1;
    }
    return NULL;
}

/* --- where one comes from ----------------------------------------------------------------------
 */

enum source { NOWHERE, OURSELVES, BOUND, PARENT };

static enum source source_of(struct mito_router *r, int kind)
{
    if (kind == kind_own && child_image_is_set)
        return OURSELVES;
    if (bundle_find(bound(), kinds[kind].name) != NULL)
        return BOUND;
    if (kind == kind_own)
        return OURSELVES;
    return r->parent != NULL && hash_of(r, kind) != NULL ? PARENT : NOWHERE;
}

bool image_there(struct mito_router *r, int kind)
{
    return source_of(r, kind) != NOWHERE;
}

const char *image_kinds(struct mito_router *r, char *out, size_t size)
{
    *out = '\0';
    for (int k = 0; k < KIND_COUNT; k++) {
        size_t length = strlen(out);
        if (image_there(r, k))
            format_to(out + length, size - length, "%s%s", length > 0 ? ", " : "", kinds[k].name);
    }
    return out;
}

/* --- it is there, or not -----------------------------------------------------------------------
 */

static void tell_waiting(void *arg)
{
    struct image *i = arg;

    while (!list_empty(&i->waiting)) {
        struct image_user *u = list_first(&i->waiting, struct image_user, link);
        list_remove(&u->link);
        u->waiting = false;
        u->ready(u->arg, i->data.data, i->data.length, i->why);
    }
}

static void drop_unused(struct image *i)
{
    if (i->users > 0 || i->working)
        return;
    timer_cancel(&i->soon);
    /* What we are told by others may be another time: it is tried anew. */
    i->ready = i->form == IMAGE_PACKED && i->data.length > 0; /* small, and stays */
    if (!i->ready)
        buf_free(&i->data);
}

static void made(struct image *i)
{
    i->working = false;
    i->ready = true;
    tell_waiting(i);
    drop_unused(i);
}

static void not_made(struct image *i, const char *why)
{
    buf_free(&i->data);
    format_to(i->why, sizeof i->why, "%s", why);
    made(i);
}

/* --- making: read, packed, unpacked, asked for -------------------------------------------------
 */

static int reopen_own(void)
{
    char path[64];

    if (child_image_fd < 0)
        return error_set(MITO_E_SYSTEM, "cannot read our own executable (is /proc mounted? was "
                                        "mito_start() called?)");
    /* A description of its own: reading must not move the offset of the kept one. */
    format_to(path, sizeof path, "/proc/self/fd/%d", child_image_fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno("opening our own executable");
    return fd_move_up(&fd, 3) < 0 ? -1 : fd;
}

/* Without the images that are bound to it: what is loaded comes before them, and the kernel asks
 * for no more (the table of sections is behind them; what is left of it is no section any more). */
static size_t own_size(const struct stat *st)
{
    const struct bundle *b = bound();
    uint64_t size = (uint64_t)st->st_size;

    for (uint32_t i = 0; i < b->count && !child_image_is_set; i++) {
        if (b->images[i].offset < size)
            size = b->images[i].offset;
    }
    return (size_t)size;
}

static int read_own(struct buf *out)
{
    struct stat st;
    AUTO_FD fd = reopen_own();

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return error_errno("reading our own executable");
    size_t size = own_size(&st);
    if (size > GZIP_OUTPUT_MAX || buf_reserve(out, size) < 0)
        return error_set(MITO_E_TOO_LARGE, "the executable is too large to be sent");
    while (out->length < size) {
        ssize_t n = read(fd, out->data + out->length, size - out->length);
        if (n <= 0)
            return error_errno("reading our own executable");
        out->length += (size_t)n;
    }
    return 0;
}

/* A file with that content, at its start, for gzip. */
static int open_content(const void *data, size_t size)
{
    AUTO_FD fd = fd_memory("mitosis");

    if (fd < 0 || fd_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
        fd_move_up(&fd, 3) < 0)
        return error_errno("a file in memory for gzip");
    return fd_take(&fd);
}

static int open_own(void)
{
    AUTO_BUF data = {0};

    if (bound()->count == 0 || child_image_is_set)
        return reopen_own();
    return read_own(&data) < 0 ? -1 : open_content(data.data, data.length);
}

static void on_gzip(void *arg, bool fine)
{
    struct image *i = arg;

    i->data = i->gzip.out;
    i->gzip.out = (struct buf){0};
    if (fine)
        made(i);
    else
        not_made(i, "gzip failed on this side");
}

static void unpack(void *arg, const uint8_t *data, size_t size, const char *why)
{
    struct image *i = arg;
    AUTO_FD fd = size > 0 ? open_content(data, size) : -1;

    if (size == 0)
        not_made(i, why);
    else if (fd < 0 || gzip_start(&i->gzip, i->router, false, fd, on_gzip, i) < 0)
        not_made(i, mito_error());
    image_release(i->router, &i->packed);
}

/* The answer of our parent: the packed image is the module's fourth part. */
static void on_module(void *arg, const struct buf *payload)
{
    struct image *i = arg;
    const char *expected = hash_of(i->router, i->kind);
    char hash[HASH_TEXT + 1];

    if (payload == NULL || expected == NULL) {
        not_made(i, "our parent has no image of that kind");
        return;
    }
    struct mito_value *v = pickle_load_in_place(payload->data, payload->length);
    size_t length = 0;
    const void *data = mito_value_bytes(mito_value_item(v, 3), &length);
    int rc = data != NULL ? buf_append(&i->data, data, length) : -1;
    mito_value_free(v);
    hash_text(&i->data, hash);
    if (rc < 0 || strncmp(hash, expected, HASH_TEXT) != 0) {
        log_locked(i->router, MITO_ERROR, "image",
                   "the image for %s that came from our parent is not the one of the root: its "
                   "hash is %s",
                   kinds[i->kind].name, hash);
        not_made(i, "the one that came is not the root's: its hash is another one");
    } else {
        made(i);
    }
}

static int ask_for(struct image *i)
{
    char name[sizeof MODULE_PREFIX + KIND_NAME_MAX + 1 + HASH_TEXT];

    format_to(name, sizeof name, MODULE_PREFIX "%s.%.*s", kinds[i->kind].name, HASH_TEXT,
              hash_of(i->router, i->kind));
    i->module = (struct module_wait){.ready = on_module, .arg = i};
    return modules_want(i->router, name, &i->module);
}

static void be_ready_soon(struct image *i)
{
    i->working = false;
    i->ready = true;
    timer_set(&i->router->broker, &i->soon, clock_ms(), tell_waiting, i);
}

static int start_packing(struct image *i)
{
    AUTO_FD fd = open_own();

    if (fd < 0)
        return -1;
    if (gzip_start(&i->gzip, i->router, true, fd, on_gzip, i) < 0) {
        format_to(i->why, sizeof i->why, "%s", mito_error());
        be_ready_soon(i); /* plain, then */
    }
    return 0;
}

static int start_making(struct image *i)
{
    enum source source = source_of(i->router, i->kind);

    i->working = true;
    if (i->form == IMAGE_PLAIN && source != OURSELVES) {
        i->packed = (struct image_user){.ready = unpack, .arg = i};
        return image_acquire(i->router, &i->packed, i->kind, IMAGE_PACKED);
    }
    if (source == OURSELVES && i->form == IMAGE_PACKED)
        return start_packing(i);
    if (source == PARENT)
        return ask_for(i);
    if (source == OURSELVES ? read_own(&i->data) < 0
                            : read_bound(bundle_find(bound(), kinds[i->kind].name), &i->data) < 0)
        return -1;
    be_ready_soon(i);
    return 0;
}

/* --- users -------------------------------------------------------------------------------------
 */

int image_acquire(struct mito_router *r, struct image_user *u, int kind, enum image_form form)
{
    struct image *i = &images[kind][form];

    if (!image_there(r, kind))
        return error_set(MITO_E_ARCH, "no image for %s", kinds[kind].name);
    if (i->waiting.next == NULL) {
        list_init(&i->waiting);
        i->kind = kind;
        i->form = form;
    }
    u->image = i;
    u->waiting = true;
    list_append(&i->waiting, &u->link);
    i->users++;
    i->router = r;
    if (i->ready) {
        timer_set(&r->broker, &i->soon, clock_ms(), tell_waiting, i);
    } else if (!i->working) {
        i->why[0] = '\0';
        if (start_making(i) < 0) {
            i->working = false;
            buf_free(&i->data);
            image_release(r, u);
            return -1;
        }
    }
    return 0;
}

void image_release(struct mito_router *r, struct image_user *u)
{
    struct image *i = u->image;

    (void)r;
    if (i == NULL)
        return;
    if (u->waiting)
        list_remove(&u->link);
    u->waiting = false;
    u->image = NULL;
    i->users--;
    drop_unused(i);
}

void image_after_fork(void)
{
    for (int k = 0; k < KIND_COUNT; k++) {
        for (int form = 0; form < 2; form++) {
            struct image *i = &images[k][form];
            bool keep = i->ready && form == IMAGE_PACKED;
            *i = (struct image){.kind = k,
                                .form = (enum image_form)form,
                                .ready = keep,
                                .data = keep ? i->data : (struct buf){0}};
            list_init(&i->waiting);
        }
    }
}

/* --- for the contexts below --------------------------------------------------------------------
 */

/* As a module whose fourth part is the packed image. */
static int module_payload(struct buf *out, const char *name, const struct buf *image)
{
    uint8_t head[5] = {'T', (uint8_t)image->length, (uint8_t)(image->length >> 8),
                       (uint8_t)(image->length >> 16), (uint8_t)(image->length >> 24)};

    if (pickle_begin(out) < 0 || pickle_tuple_open(out) < 0 ||
        pickle_str(out, name, strlen(name)) < 0 || pickle_none(out) < 0 ||
        pickle_str(out, "", 0) < 0 || buf_append(out, head, sizeof head) < 0 ||
        buf_append(out, image->data, image->length) < 0 || pickle_tuple_open(out) < 0 ||
        pickle_tuple_close(out) < 0 || pickle_tuple_close(out) < 0)
        return -1;
    return pickle_end(out);
}

static bool provide(struct module_provider *p, struct mito_router *r, const char *name)
{
    const char *kind = name + sizeof MODULE_PREFIX - 1;
    struct buf payload = {0};
    AUTO_BUF data = {0};
    char hash[HASH_TEXT + 1];

    (void)p;
    if (strncmp(name, MODULE_PREFIX, sizeof MODULE_PREFIX - 1) != 0)
        return false;
    const char *dot = strchr(kind, '.');
    int k = dot != NULL ? kind_by_name(kind, (size_t)(dot - kind)) : -1;
    const struct bundle_image *image = k >= 0 ? bundle_find(bound(), kinds[k].name) : NULL;
    if (image == NULL)
        return false;
    if (read_bound(image, &data) == 0)
        hash_text(&data, hash);
    if (data.length == 0 || strcmp(hash, dot + 1) != 0 ||
        module_payload(&payload, name, &data) < 0) {
        buf_free(&payload);
        modules_missing(r, name);
    } else {
        modules_found(r, name, &payload);
    }
    return true;
}

int image_start(struct mito_router *r)
{
    static struct module_provider provider = {.provide = provide};

    modules_add_provider(&provider);
    return modules_start(r);
}
