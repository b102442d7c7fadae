#include "parent/modules.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "core/context.h"
#include "wire/pickle.h"

enum {
    NAME_SIZE = 256,     /* of what is kept, with its NUL */
    QUESTION_MAX = 4096, /* bytes of a GET_RESOURCE */
    LATE = 50,           /* ms until what was too much for a stream is sent again */
};

struct module {
    struct list link; /* kept: the last used one at the end; or asked for */
    char *name;
    struct buf payload;  /* of its LOAD_MODULE or LOAD_RESOURCE, once it is kept */
    struct list waiting; /* of struct module_wait; and, by their ids, the children: */
    uint32_t *askers;
    size_t asker_count;
    uint32_t *sent; /* to whom it was, of the children that are there */
    size_t sent_count;
};

/* What a child is still to be told: its stream was full. */
struct late {
    struct list link;
    uint32_t to;
    char name[];
};

static struct {
    struct list providers, kept, asked, late;
    struct timer late_timer;
    size_t bytes, count; /* of those that are kept */
    struct handle get, load, forward, get_file, load_file;
} registry = {.providers = {&registry.providers, &registry.providers},
              .kept = {&registry.kept, &registry.kept},
              .asked = {&registry.asked, &registry.asked},
              .late = {&registry.late, &registry.late}};

/* --- the cache ---------------------------------------------------------------------------------
 */

static struct module *find(struct list *in, const char *name)
{
    struct module *m;

    list_each(m, in, link)
    {
        if (strcmp(m->name, name) == 0)
            return m;
    }
    return NULL;
}

static struct module *module_new(const char *name)
{
    struct module *m = calloc(1, sizeof *m);

    if (m != NULL)
        m->name = strdup(name);
    if (m == NULL || m->name == NULL) {
        free(m);
        error_nomem();
        return NULL;
    }
    list_init(&m->link);
    list_init(&m->waiting);
    return m;
}

static void module_free(struct module *m)
{
    list_remove(&m->link);
    buf_free(&m->payload);
    free(m->askers);
    free(m->sent);
    free(m->name);
    free(m);
}

static void keep(struct module *m)
{
    list_append(&registry.kept, &m->link);
    registry.bytes += m->payload.length;
    registry.count++;
    while (registry.bytes > MODULES_BYTES || registry.count > MODULES_COUNT) {
        struct module *oldest = list_first(&registry.kept, struct module, link);
        registry.bytes -= oldest->payload.length;
        registry.count--;
        module_free(oldest);
    }
}

static struct module *find_kept(const char *name)
{
    struct module *m = find(&registry.kept, name);

    if (m != NULL) {
        list_remove(&m->link);
        list_append(&registry.kept, &m->link);
    }
    return m;
}

/* --- names of files ----------------------------------------------------------------------------
 */

static const char *file_mark(const char *name)
{
    return strchr(name, MODULES_FILE_MARK);
}

/* (package, file): what is asked, and the first half of the answer. */
static int put_file_name(struct buf *out, const char *name)
{
    const char *mark = file_mark(name);

    if (pickle_begin(out) < 0 || pickle_tuple_open(out) < 0 ||
        pickle_str(out, name, (size_t)(mark - name)) < 0 ||
        pickle_str(out, mark + 1, strlen(mark + 1)) < 0 || pickle_tuple_close(out) < 0)
        return -1;
    return pickle_end(out);
}

/* The other half, when there is none. */
static int put_none(struct buf *out)
{
    return pickle_begin(out) < 0 || pickle_none(out) < 0 ? -1 : pickle_end(out);
}

/* --- giving ------------------------------------------------------------------------------------
 */

static int missing_payload(struct buf *out, const char *name)
{
    if (file_mark(name) != NULL)
        return put_file_name(out, name) < 0 ? -1 : put_none(out);
    if (pickle_begin(out) < 0 || pickle_tuple_open(out) < 0 ||
        pickle_str(out, name, strlen(name)) < 0 || pickle_none(out) < 0 || pickle_none(out) < 0 ||
        pickle_none(out) < 0 || pickle_tuple_open(out) < 0 || pickle_tuple_close(out) < 0 ||
        pickle_tuple_close(out) < 0)
        return -1;
    return pickle_end(out);
}

/* False: it cannot be sent, and who waits for it has to be told so. */
static bool send_payload(struct mito_router *r, uint32_t to, const char *name,
                         const struct buf *payload)
{
    struct frame f = {.dst_id = to,
                      .handle = file_mark(name) ? HANDLE_LOAD_RESOURCE : HANDLE_LOAD_MODULE};

    if (map_get(&r->routes, to) == NULL ||
        router_send(r, &f, payload->data, payload->length, false) == 0)
        return true;
    if (mito_error_code() != MITO_E_OVERFLOW)
        log_locked(r, MITO_WARNING, "modules", "to context %u: %s", to, mito_error());
    return false;
}

static void get(struct mito_router *r, uint32_t id, const char *name);

static void send_late(void *arg)
{
    struct list now;

    list_init(&now);
    while (!list_empty(&registry.late)) {
        struct late *l = list_first(&registry.late, struct late, link);
        list_remove(&l->link);
        list_append(&now, &l->link);
    }
    while (!list_empty(&now)) {
        struct late *l = list_first(&now, struct late, link);
        list_remove(&l->link);
        get(arg, l->to, l->name);
        free(l);
    }
}

/* To be sent again, as long as that is not more than a child may wait for. */
static void be_late(struct mito_router *r, uint32_t to, const char *name)
{
    struct late *l = malloc(sizeof *l + strlen(name) + 1), *other;
    size_t count = 0;

    list_each(other, &registry.late, link) count += other->to == to;
    if (l == NULL || count >= MODULES_WAITED) {
        free(l);
        return;
    }
    l->to = to;
    strcpy(l->name, name);
    list_append(&registry.late, &l->link);
    if (!registry.late_timer.set)
        timer_set(&r->broker, &registry.late_timer, clock_ms() + LATE, send_late, r);
}

static void send_missing(struct mito_router *r, uint32_t to, const char *name)
{
    AUTO_BUF payload = {0};

    if (missing_payload(&payload, name) < 0 || !send_payload(r, to, name, &payload))
        be_late(r, to, name);
}

static bool was_sent(const struct module *m, uint32_t to)
{
    for (size_t i = 0; i < m->sent_count; i++) {
        if (m->sent[i] == to)
            return true;
    }
    return false;
}

/* Remembers that it is sent to that child. Who is gone is forgotten. */
static void note_sent(struct mito_router *r, struct module *m, uint32_t to)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->sent_count; i++) {
        if (map_get(&r->routes, m->sent[i]) != NULL && m->sent[i] != to)
            m->sent[kept++] = m->sent[i];
    }
    m->sent_count = kept;
    uint32_t *more = realloc(m->sent, (kept + 1) * sizeof *more);
    if (more != NULL) {
        m->sent = more;
        m->sent[m->sent_count++] = to;
    }
}

/* What it needs goes ahead of it, as far as it is here. */
static void send_module(struct mito_router *r, uint32_t to, struct module *m)
{
    struct mito_value *v = pickle_load_in_place(m->payload.data, m->payload.length);
    const struct mito_value *related = mito_value_item(v, 4);

    for (size_t i = 0; related != NULL && i < mito_value_length(related); i++) {
        const char *name = mito_value_str(mito_value_item(related, i), NULL);
        struct module *other = name != NULL ? find(&registry.kept, name) : NULL;
        if (other != NULL && other != m && !was_sent(other, to)) {
            note_sent(r, other, to);
            send_payload(r, to, other->name, &other->payload);
        }
    }
    mito_value_free(v);
    note_sent(r, m, to);
    if (send_payload(r, to, m->name, &m->payload))
        return;
    if (mito_error_code() == MITO_E_OVERFLOW)
        be_late(r, to, m->name);
    else
        send_missing(r, to, m->name); /* too large for a message */
}

/* The module is not in a list, and stays where it is. */
static void give(struct mito_router *r, struct module *m, bool there)
{
    for (size_t i = 0; i < m->asker_count; i++) {
        if (there)
            send_module(r, m->askers[i], m);
        else
            send_missing(r, m->askers[i], m->name);
    }
    m->asker_count = 0;
    while (!list_empty(&m->waiting)) {
        struct module_wait *w = list_first(&m->waiting, struct module_wait, link);
        list_remove(&w->link);
        w->ready(w->arg, there ? &m->payload : NULL);
    }
}

/* There may be one later on; and who asks for what is not there pushes nothing out. */
static bool is_no_file(const struct module *m)
{
    if (file_mark(m->name) == NULL || m->payload.length < 4)
        return false;
    const uint8_t *end = m->payload.data + m->payload.length;
    return memcmp(end - 4, "\x80\2N.", 4) == 0 || memcmp(end - 3, "N\x87.", 3) == 0;
}

void modules_found(struct mito_router *r, const char *name, struct buf *payload)
{
    struct module *m = find(&registry.asked, name), *old = find_kept(name);

    if (m == NULL && (old != NULL || (m = module_new(name)) == NULL)) {
        buf_free(payload);
        return;
    }
    list_remove(&m->link);
    m->payload = *payload;
    *payload = (struct buf){0};
    give(r, m, true);
    if (is_no_file(m))
        module_free(m);
    else
        keep(m);
}

void modules_missing(struct mito_router *r, const char *name)
{
    struct module *m = find(&registry.asked, name);

    if (m == NULL)
        return;
    list_remove(&m->link);
    give(r, m, false);
    module_free(m);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static int ask_parent(struct mito_router *r, const char *name)
{
    struct frame f = {.handle = HANDLE_GET_MODULE};
    AUTO_BUF question = {0};

    if (r->parent == NULL || r->config.parent_count == 0)
        return error_set(MITO_E_NO_FUNCTION, "no module '%s'", name);
    f.dst_id = r->config.parent_ids[0];
    if (file_mark(name) == NULL)
        return router_send(r, &f, name, strlen(name), false);
    f.handle = HANDLE_GET_RESOURCE;
    if (put_file_name(&question, name) < 0)
        return -1;
    return router_send(r, &f, question.data, question.length, false);
}

static void ask(struct mito_router *r, const char *name)
{
    struct module_provider *p;

    list_each(p, &registry.providers, link)
    {
        if (p->provide(p, r, name))
            return;
    }
    if (ask_parent(r, name) < 0)
        modules_missing(r, name);
}

int modules_want(struct mito_router *r, const char *name, struct module_wait *w)
{
    struct module *m = find_kept(name);

    list_init(&w->link);
    if (m != NULL) {
        w->ready(w->arg, &m->payload);
        return 0;
    }
    m = find(&registry.asked, name);
    if (m != NULL) {
        list_append(&m->waiting, &w->link);
        return 0;
    }
    m = module_new(name);
    if (m == NULL)
        return -1;
    list_append(&registry.asked, &m->link);
    list_append(&m->waiting, &w->link);
    ask(r, m->name);
    return 0;
}

void modules_unwant(struct module_wait *w)
{
    if (w->link.next != NULL)
        list_remove(&w->link);
}

static size_t waited_by(uint32_t id, const struct module *there, bool *already)
{
    struct module *m;
    size_t count = 0;

    *already = false;
    list_each(m, &registry.asked, link)
    {
        for (size_t i = 0; i < m->asker_count; i++) {
            count += m->askers[i] == id;
            *already |= m->askers[i] == id && m == there;
        }
    }
    return count;
}

/* A child of ours asks for what we do not have. -1: it cannot wait for it. */
static int child_asks(struct mito_router *r, uint32_t id, const char *name)
{
    struct module *m = find(&registry.asked, name);
    bool is_new = m == NULL, already;

    if (waited_by(id, m, &already) >= MODULES_WAITED)
        return -1;
    if (already)
        return 0;
    if (is_new && (m = module_new(name)) == NULL)
        return -1;
    uint32_t *askers = realloc(m->askers, (m->asker_count + 1) * sizeof *askers);
    if (askers == NULL) {
        if (is_new)
            module_free(m);
        return -1;
    }
    m->askers = askers;
    m->askers[m->asker_count++] = id;
    if (is_new) {
        list_append(&registry.asked, &m->link);
        ask(r, m->name);
    }
    return 0;
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* Appends to a name, of NAME_SIZE at most, what is printable. */
static bool add_to_name(char *name, const void *text, size_t length)
{
    const uint8_t *bytes = text;
    size_t at = strlen(name);

    if (text == NULL || length >= NAME_SIZE - at)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] < ' ' || bytes[i] == 0x7f)
            return false;
        name[at++] = (char)bytes[i];
    }
    name[at] = '\0';
    return true;
}

/* The module that a LOAD_MODULE is about; *missing: there is none of that name. */
static bool module_in(char *name, const struct mito_value *v, bool *missing)
{
    size_t length;
    const char *text = mito_value_str(mito_value_item(v, 0), &length);

    *missing = mito_value_type(mito_value_item(v, 3)) == MITO_NONE;
    return mito_value_length(v) == 5 && add_to_name(name, text, length) && name[0] != '\0';
}

/* Text, or bytes (of 0.3.37). */
static bool add_part(char *name, const struct mito_value *part)
{
    size_t length;
    const void *text = mito_value_type(part) == MITO_BYTES ? mito_value_bytes(part, &length)
                                                           : mito_value_str(part, &length);

    return add_to_name(name, text, length);
}

/* The file that a GET_RESOURCE or LOAD_RESOURCE is about: of newer versions of Mitogen. (package,
 * file), a pickle, is asked. The answer is that again, and another pickle: its bytes, or None. Up
 * to 0.3.40 it is one pickle, of all three. Either is kept and handed on as it comes. */
static bool file_in(char *name, const struct mito_value *v)
{
    if (!add_part(name, mito_value_item(v, 0)) || strlen(name) + 1 >= NAME_SIZE)
        return false;
    name[strlen(name)] = MODULES_FILE_MARK; /* (all that is behind it is NUL) */
    return add_part(name, mito_value_item(v, 1));
}

/* There is no file of such a name; but the one who asks would wait for ever. */
static void send_back(struct mito_router *r, uint32_t to, const struct message *m)
{
    struct frame f = {.dst_id = to, .handle = HANDLE_LOAD_RESOURCE};
    AUTO_BUF answer = {0};

    if (buf_append(&answer, m->data, m->frame.length) == 0 && put_none(&answer) == 0)
        router_send(r, &f, answer.data, answer.length, false);
}

static void get(struct mito_router *r, uint32_t id, const char *name)
{
    struct module *kept = find_kept(name);

    if (kept != NULL)
        send_module(r, id, kept);
    else if (child_asks(r, id, name) < 0)
        send_missing(r, id, name);
}

static void on_get(struct handle *h, struct neighbour *from, struct message *m)
{
    char name[NAME_SIZE] = "";

    if (!message_is_dead(m) && m->frame.length > 0 && add_to_name(name, m->data, m->frame.length))
        get(h->arg, from->id, name);
    message_free(m);
}

static void on_get_file(struct handle *h, struct neighbour *from, struct message *m)
{
    char name[NAME_SIZE] = "";

    if (!message_is_dead(m) && m->frame.length <= QUESTION_MAX) {
        struct mito_value *v = pickle_load_in_place(m->data, m->frame.length);
        if (file_in(name, v))
            get(h->arg, from->id, name);
        else
            send_back(h->arg, from->id, m);
        mito_value_free(v);
    }
    message_free(m);
}

static void on_load(struct handle *h, struct neighbour *from, struct message *m)
{
    struct mito_value *v = from != NULL && from->is_parent && !message_is_dead(m)
                               ? pickle_load_in_place(m->data, m->frame.length)
                               : NULL;
    char name[NAME_SIZE] = "";
    bool missing = false;
    struct buf payload = {0};

    if (h == &registry.load ? module_in(name, v, &missing) : file_in(name, v)) {
        if (missing)
            modules_missing(h->arg, name);
        else if (buf_append(&payload, m->data, m->frame.length) == 0)
            modules_found(h->arg, name, &payload);
    }
    mito_value_free(v);
    message_free(m);
}

/* "id NUL name": whoever has that id, below us, needs it, and we have it. */
static void on_forward(struct handle *h, struct neighbour *from, struct message *m)
{
    struct mito_router *r = h->arg;
    const uint8_t *nul = memchr(m->data, 0, m->frame.length);
    char name[NAME_SIZE] = "";
    uint32_t id;

    if (from == NULL || !from->is_parent || message_is_dead(m) || nul == NULL ||
        !text_to_u32((const char *)m->data, (size_t)(nul - m->data), UINT32_MAX, &id) ||
        !add_to_name(name, nul + 1, m->frame.length - (size_t)(nul + 1 - m->data)))
        name[0] = '\0';
    struct module *kept = find_kept(name);
    struct neighbour *next = kept != NULL ? map_get(&r->routes, id) : NULL;
    if (next != NULL && !next->is_parent) {
        struct frame f = {.dst_id = next->id, .handle = HANDLE_FORWARD_MODULE};
        if (!was_sent(kept, next->id))
            send_module(r, next->id, kept);
        if (next->id != id)
            router_send(r, &f, m->data, m->frame.length, false);
    }
    message_free(m);
}

/* --- start -------------------------------------------------------------------------------------
 */

void modules_drop(void)
{
    while (!list_empty(&registry.kept))
        module_free(list_first(&registry.kept, struct module, link));
    registry.bytes = registry.count = 0;
}

void modules_add_provider(struct module_provider *p)
{
    if (p->link.next == NULL)
        list_append(&registry.providers, &p->link);
}

static void drop_late(void)
{
    while (!list_empty(&registry.late)) {
        struct late *l = list_first(&registry.late, struct late, link);
        list_remove(&l->link);
        free(l);
    }
    registry.late_timer = (struct timer){0};
}

static int hear_parent(struct mito_router *r)
{
    const int policy = POLICY_PARENT_AUTHORITY;

    if (handle_add(r, &registry.load, HANDLE_LOAD_MODULE, policy, NULL, on_load, r) < 0 ||
        handle_add(r, &registry.load_file, HANDLE_LOAD_RESOURCE, policy, NULL, on_load, r) < 0)
        return -1;
    return handle_add(r, &registry.forward, HANDLE_FORWARD_MODULE, policy, NULL, on_forward, r);
}

int modules_start(struct mito_router *r)
{
    if (map_get(&r->handles, HANDLE_GET_MODULE) == &registry.get)
        return 0;
    while (!list_empty(&registry.asked)) /* by nobody that is still there */
        module_free(list_first(&registry.asked, struct module, link));
    drop_late();
    struct module *m;
    list_each(m, &registry.kept, link) m->sent_count = 0;
    if (handle_add(r, &registry.get, HANDLE_GET_MODULE, POLICY_CHILD, NULL, on_get, r) < 0)
        return -1;
    if (handle_add(r, &registry.get_file, HANDLE_GET_RESOURCE, POLICY_CHILD, NULL, on_get_file,
                   r) == 0 &&
        (r->config.parent_count == 0 || hear_parent(r) == 0))
        return 0;
    handle_remove(r, &registry.get);
    handle_remove(r, &registry.get_file);
    handle_remove(r, &registry.load);
    handle_remove(r, &registry.load_file);
    return -1;
}

void modules_after_fork(void)
{
    list_init(&registry.asked);
    drop_late();
}
