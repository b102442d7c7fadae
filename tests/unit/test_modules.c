/* Modules and images that are asked for at the parent: the parent, and two children, are played by
 * the test. */
#include "cmocka_all.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sha256.h"
#include "child/image.h"
#include "core/context.h"
#include "eventually.h"
#include "io/fd.h"
#include "parent/image.h"
#include "parent/kind.h"
#include "parent/modules.h"
#include "wire/pickle.h"

enum { ME = 5, PARENT = 3, FIRST = 6, SECOND = 7 };

static struct mito_router *router;
static int parent_fd = -1, first_fd = -1, second_fd = -1;

/* --- frames ------------------------------------------------------------------------------------
 */

static void say(int fd, uint32_t from, uint32_t handle, const void *payload, size_t length)
{
    struct frame f = {.magic = FRAME_LEGACY,
                      .dst_id = ME,
                      .src_id = from,
                      .auth_id = from,
                      .handle = handle,
                      .length = (uint32_t)length};
    uint8_t header[FRAME_HEADER_SIZE];

    frame_encode(&f, header);
    assert_int_equal(send(fd, header, sizeof header, 0), sizeof header);
    assert_int_equal(send(fd, payload, length, 0), length);
}

static bool arrives(int fd, int timeout)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, timeout) == 1;
}

/* The next frame there, which must be for that handle; its payload, with a NUL behind it. */
static uint8_t *hear(int fd, uint32_t handle, size_t *length)
{
    uint8_t header[FRAME_HEADER_SIZE];
    struct frame f;

    assert_true(arrives(fd, PATIENCE_MS));
    assert_int_equal(recv(fd, header, sizeof header, MSG_WAITALL), sizeof header);
    assert_int_equal(frame_decode(&f, header, sizeof header, UINT32_MAX), 0);
    assert_int_equal(f.handle, handle);
    uint8_t *payload = calloc(1, f.length + 1);
    assert_non_null(payload);
    assert_int_equal(recv(fd, payload, f.length, f.length > 0 ? MSG_WAITALL : 0), f.length);
    if (length != NULL)
        *length = f.length;
    return payload;
}

static void hear_text(int fd, uint32_t handle, const char *text)
{
    uint8_t *payload = hear(fd, handle, NULL);

    assert_string_equal((char *)payload, text);
    free(payload);
}

static void nothing_said(int fd)
{
    assert_false(arrives(fd, 100));
}

/* A LOAD_MODULE; content NULL: there is none. */
static void load_bytes(const char *name, const void *content, size_t length)
{
    AUTO_BUF out = {0};
    uint8_t head[] = {0x80, 2, '(', 'X', (uint8_t)strlen(name), 0, 0, 0};

    buf_append(&out, head, sizeof head);
    buf_str(&out, name);
    if (content == NULL) {
        buf_str(&out, "NNN)t.");
    } else {
        uint8_t size[] = {
            'N', 'N', 'T', (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), 0};
        buf_append(&out, size, sizeof size);
        buf_append(&out, content, length);
        buf_str(&out, ")t.");
    }
    say(parent_fd, PARENT, HANDLE_LOAD_MODULE, out.data, out.length);
}

static void load(const char *name, const char *content)
{
    load_bytes(name, content, content != NULL ? strlen(content) : 0);
}

static void ask(int fd, uint32_t from, const char *name)
{
    say(fd, from, HANDLE_GET_MODULE, name, strlen(name));
}

/* --- the router that is tested -----------------------------------------------------------------
 */

static void on_broken(struct neighbour *n)
{
    neighbour_gone(n, &(struct error){.code = MITO_E_DEAD, .text = "gone"});
}

static const struct neighbour_ops ops = {.broken = on_broken};

static struct neighbour *join(uint32_t id, bool is_parent, int *fd)
{
    int pair[2];

    assert_int_equal(fd_socketpair(pair, true), 0);
    *fd = pair[1];
    struct neighbour *n = neighbour_new(router, id, is_parent, pair[0], pair[0], &ops, NULL);
    assert_non_null(n);
    return n;
}

static int start(void **state)
{
    struct router_config config = {.id = ME,
                                   .parent_count = 2,
                                   .max_message_size = 1 << 24,
                                   .queue_limit = 1 << 26,
                                   .log_level = MITO_ERROR};

    (void)state;
    config.parent_ids = calloc(2, sizeof *config.parent_ids);
    config.parent_ids[0] = PARENT;
    router = router_create(&config);
    router_lock(router);
    router->parent = join(PARENT, true, &parent_fd);
    join(FIRST, false, &first_fd);
    join(SECOND, false, &second_fd);
    int rc = image_start(router);
    router_unlock(router);
    return rc;
}

static int stop(void **state)
{
    (void)state;
    fd_close(&parent_fd);
    fd_close(&first_fd);
    fd_close(&second_fd);
    EVENTUALLY(&router->broker, list_empty(&router->neighbours));
    router_destroy(router);
    return 0;
}

/* --- modules -----------------------------------------------------------------------------------
 */

static int ready_count;
static bool ready_with;

static void on_ready(void *arg, const struct buf *payload)
{
    (void)arg;
    ready_with = payload != NULL;
    ready_count++;
}

static void test_asked_once(void **state)
{
    struct module_wait mine = {.ready = on_ready};

    (void)state;
    ready_count = 0;
    ask(first_fd, FIRST, "a.b");
    hear_text(parent_fd, HANDLE_GET_MODULE, "a.b");
    ask(second_fd, SECOND, "a.b");
    ask(first_fd, FIRST, "a.b");
    router_lock(router);
    assert_int_equal(modules_want(router, "a.b", &mine), 0);
    router_unlock(router);
    nothing_said(parent_fd);
    nothing_said(first_fd);
    load("a.b", "content");
    free(hear(first_fd, HANDLE_LOAD_MODULE, NULL));
    free(hear(second_fd, HANDLE_LOAD_MODULE, NULL));
    nothing_said(first_fd);
    EVENTUALLY(&router->broker, ready_count == 1 && ready_with);
    /* From now on it is here. */
    ask(first_fd, FIRST, "a.b");
    free(hear(first_fd, HANDLE_LOAD_MODULE, NULL));
    nothing_said(parent_fd);
}

/* What the parent wants forwarded goes where it says, once; who asks later gets it from here. */
static void test_forwarded(void **state)
{
    (void)state;
    load("m", "content");
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "6\0m", 3);
    free(hear(first_fd, HANDLE_LOAD_MODULE, NULL));
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "6\0m", 3);
    nothing_said(first_fd);
    ask(second_fd, SECOND, "m");
    free(hear(second_fd, HANDLE_LOAD_MODULE, NULL));
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "7\0m", 3); /* it has it now */
    nothing_said(second_fd);
    nothing_said(parent_fd);
    /* For a context behind a child: to that one, and on. */
    router_lock(router);
    assert_int_equal(neighbour_own(map_get(&router->routes, SECOND), 60, 70), 0);
    router_unlock(router);
    say(second_fd, SECOND, HANDLE_ADD_ROUTE, "60:behind", 9);
    free(hear(parent_fd, HANDLE_ADD_ROUTE, NULL));
    load("n", "content");
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "60\0n", 4);
    free(hear(second_fd, HANDLE_LOAD_MODULE, NULL));
    hear_text(second_fd, HANDLE_FORWARD_MODULE, "60");
    /* For nobody, or what is not here. */
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "99\0m", 4);
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "3\0m", 3);
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "6\0x", 3);
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "x\0m", 3);
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "6", 1);
    nothing_said(first_fd);
    nothing_said(parent_fd);
}

/* A file of a package, as 0.3.41 and later ask for it; with bytes in place of text, as 0.3.37 does.
 */
#define FILE_ASKED(package, file) "\x80\2X" package "X" file "\x86."
#define NAME_A                    "\3\0\0\0pkg"
#define FILE_A                    "\5\0\0\0a.txt"
#define QUESTION                  FILE_ASKED(NAME_A, FILE_A)

static void say_literal(int fd, uint32_t from, uint32_t handle, const char *data, size_t size)
{
    say(fd, from, handle, data, size - 1);
}

#define SAY(fd, from, handle, literal) say_literal(fd, from, handle, literal, sizeof literal)

static void hear_file(int fd, uint32_t handle, const char *expected, size_t size)
{
    size_t length;
    uint8_t *payload = hear(fd, handle, &length);

    assert_int_equal(length, size - 1);
    assert_memory_equal(payload, expected, length);
    free(payload);
}

#define HEAR(fd, handle, literal) hear_file(fd, handle, literal, sizeof literal)

/* What the parent hears is one pickle of both names, whatever it was asked with. */
static void hear_question(void)
{
    size_t length, used;
    uint8_t *payload = hear(parent_fd, HANDLE_GET_RESOURCE, &length);
    struct mito_value *v = pickle_load(payload, length, &used);

    assert_int_equal(used, length);
    assert_int_equal(mito_value_length(v), 2);
    assert_string_equal(mito_value_str(mito_value_item(v, 0), NULL), "pkg");
    assert_string_equal(mito_value_str(mito_value_item(v, 1), NULL), "a.txt");
    mito_value_free(v);
    free(payload);
}

/* Asked for once, kept, and handed on as it came. */
static void test_files(void **state)
{
    static const char answer[] = QUESTION "\x80\2T\4\0\0\0\0\1\2\3.";

    (void)state;
    SAY(first_fd, FIRST, HANDLE_GET_RESOURCE, QUESTION);
    hear_question();
    SAY(second_fd, SECOND, HANDLE_GET_RESOURCE, QUESTION);
    nothing_said(parent_fd);
    SAY(parent_fd, PARENT, HANDLE_LOAD_RESOURCE, answer);
    HEAR(first_fd, HANDLE_LOAD_RESOURCE, answer);
    HEAR(second_fd, HANDLE_LOAD_RESOURCE, answer);
    SAY(second_fd, SECOND, HANDLE_GET_RESOURCE, QUESTION);
    HEAR(second_fd, HANDLE_LOAD_RESOURCE, answer);
    nothing_said(parent_fd);
    /* The package itself is something else. */
    ask(first_fd, FIRST, "pkg");
    hear_text(parent_fd, HANDLE_GET_MODULE, "pkg");
}

/* Up to 0.3.40 it was one pickle. */
static void test_files_of_before(void **state)
{
    static const char answer[] = "\x80\2X" NAME_A "X" FILE_A "N\x87.";

    (void)state;
    router_lock(router);
    modules_drop();
    router_unlock(router);
    SAY(first_fd, FIRST, HANDLE_GET_RESOURCE, "\x80\2U\3pkgU\5a.txt\x86.");
    hear_question();
    SAY(parent_fd, PARENT, HANDLE_LOAD_RESOURCE, answer);
    HEAR(first_fd, HANDLE_LOAD_RESOURCE, answer);
}

/* What cannot be the name of a file is not there, and that is said; nobody but the parent answers.
 */
static void test_no_files(void **state)
{
    static const char nothing_there[] = "question\x80\2N.";
    static const char nonsense[] = FILE_ASKED(NAME_A, "\3\0\0\0a\x1f"
                                                      "b");
    static const char no_answer[] = FILE_ASKED(NAME_A, "\3\0\0\0a\x1f"
                                                       "b") "\x80\2N.";
    static char question[32], named[32], large[5000];

    (void)state;
    SAY(first_fd, FIRST, HANDLE_GET_RESOURCE, "question");
    HEAR(first_fd, HANDLE_LOAD_RESOURCE, nothing_there);
    SAY(first_fd, FIRST, HANDLE_GET_RESOURCE, nonsense);
    HEAR(first_fd, HANDLE_LOAD_RESOURCE, no_answer);
    say(first_fd, FIRST, HANDLE_GET_RESOURCE, large, sizeof large);
    SAY(first_fd, SECOND, HANDLE_GET_RESOURCE, QUESTION); /* forged */
    SAY(first_fd, FIRST, HANDLE_LOAD_RESOURCE, QUESTION "\x80\2T\1\0\0\0x.");
    nothing_said(first_fd);
    nothing_said(second_fd);
    nothing_said(parent_fd);
    for (int i = 0; i <= MODULES_WAITED; i++) {
        memcpy(question, QUESTION, sizeof QUESTION);
        snprintf(named, sizeof named, "%05d", i);
        memcpy(question + sizeof QUESTION - 1 - 2 - 5, named, 5);
        say(first_fd, FIRST, HANDLE_GET_RESOURCE, question, sizeof QUESTION - 1);
        if (i < MODULES_WAITED)
            free(hear(parent_fd, HANDLE_GET_RESOURCE, NULL));
    }
    free(hear(first_fd, HANDLE_LOAD_RESOURCE, NULL));
    nothing_said(parent_fd);
}

static bool provide_large(struct module_provider *p, struct mito_router *r, const char *name)
{
    static const char content[2000];
    struct buf payload = {0};

    (void)p;
    if (strcmp(name, "large") != 0)
        return false;
    assert_int_equal(buf_append(&payload, content, sizeof content), 0);
    modules_found(r, name, &payload);
    return true;
}

/* One that no message can carry is told as one that is not there: nobody waits for ever. */
static void test_too_large(void **state)
{
    static struct module_provider provider = {.provide = provide_large};
    size_t length;

    (void)state;
    router_lock(router);
    modules_add_provider(&provider);
    router->config.max_message_size = 1000;
    router_unlock(router);
    ask(first_fd, FIRST, "large");
    uint8_t *answer = hear(first_fd, HANDLE_LOAD_MODULE, &length);
    assert_memory_equal(answer + length - 7, "NNN(tt.", 7);
    free(answer);
}

/* What does not fit into the queue of a child that reads slowly is sent when it does. */
static void test_full_queue(void **state)
{
    enum { BIG = 1536 * 1024, COUNT = 4 };
    static uint8_t content[BIG];
    char name[16];
    bool heard[COUNT] = {false};
    size_t length;

    (void)state;
    router_lock(router);
    router->config.queue_limit = 1;
    router_unlock(router);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "big%d", i);
        ask(first_fd, FIRST, name);
        hear_text(parent_fd, HANDLE_GET_MODULE, name);
        load_bytes(name, content, BIG);
    }
    sleep_ms(200); /* more than it takes to try again */
    for (int i = 0; i < COUNT; i++) {
        uint8_t *payload = hear(first_fd, HANDLE_LOAD_MODULE, &length);
        assert_true(length > BIG && memcmp(payload + 8, "big", 3) == 0);
        assert_in_range(payload[11], '0', '0' + COUNT - 1);
        assert_false(heard[payload[11] - '0']);
        heard[payload[11] - '0'] = true;
        free(payload);
    }
    nothing_said(first_fd);
}

static void test_missing(void **state)
{
    struct module_wait mine = {.ready = on_ready}, never = {.ready = on_ready};
    size_t length;

    (void)state;
    ready_count = 0;
    ask(first_fd, FIRST, "none");
    hear_text(parent_fd, HANDLE_GET_MODULE, "none");
    router_lock(router);
    modules_want(router, "none", &mine);
    modules_want(router, "none", &never);
    modules_unwant(&never);
    router_unlock(router);
    load("none", NULL);
    uint8_t *answer = hear(first_fd, HANDLE_LOAD_MODULE, &length);
    assert_memory_equal(answer + length - 7, "NNN(tt.", 7);
    free(answer);
    EVENTUALLY(&router->broker, ready_count == 1 && !ready_with);
    ask(first_fd, FIRST, "none"); /* it may be there by now */
    hear_text(parent_fd, HANDLE_GET_MODULE, "none");
}

/* What children may not do, and what a parent that talks nonsense does not break. */
static void test_nonsense(void **state)
{
    char name[300];

    (void)state;
    memset(name, 'x', sizeof name);
    say(first_fd, FIRST, HANDLE_GET_MODULE, name, sizeof name);
    say(first_fd, FIRST, HANDLE_GET_MODULE, "\x1b[2J", 4);
    say(first_fd, FIRST, HANDLE_GET_MODULE, "", 0);
    say(first_fd, FIRST, HANDLE_GET_MODULE, "a\0b", 3);
    say(first_fd, SECOND, HANDLE_GET_MODULE, "forged", 6);
    say(first_fd, FIRST, HANDLE_LOAD_MODULE, "N.", 2);
    say(first_fd, FIRST, HANDLE_FORWARD_MODULE, "7\0a", 3);
    say(parent_fd, PARENT, HANDLE_LOAD_MODULE, "rubbish", 7);
    say(parent_fd, PARENT, HANDLE_LOAD_MODULE, "N.", 2);
    say(parent_fd, PARENT, HANDLE_LOAD_MODULE, "", 0);
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "", 0);
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "7\0no.such", 9);
    say(parent_fd, PARENT, HANDLE_FORWARD_MODULE, "4000000000\0a", 12);
    load("never.asked.for", NULL);
    ask(first_fd, FIRST, "still.alive");
    hear_text(parent_fd, HANDLE_GET_MODULE, "still.alive");
    nothing_said(second_fd);
}

static void test_bounded(void **state)
{
    char name[64];

    (void)state;
    for (int i = 0; i < MODULES_WAITED; i++) {
        snprintf(name, sizeof name, "slow.%d", i);
        ask(first_fd, FIRST, name);
        hear_text(parent_fd, HANDLE_GET_MODULE, name);
    }
    ask(first_fd, FIRST, "too.much");
    free(hear(first_fd, HANDLE_LOAD_MODULE, NULL)); /* there is none, it is told */
    nothing_said(parent_fd);
    ask(second_fd, SECOND, "too.much"); /* the other one has a share of its own */
    hear_text(parent_fd, HANDLE_GET_MODULE, "too.much");
}

/* --- images ------------------------------------------------------------------------------------
 */

static const char *image_came;
static size_t image_size;
static char image_why[200];

static void on_image(void *arg, const uint8_t *data, size_t size, const char *why)
{
    (void)arg;
    image_came = (const char *)data;
    image_size = size;
    snprintf(image_why, sizeof image_why, "%s", why);
    ready_count++;
}

/* The root has one for riscv64, of that content. */
static void promise(const char *content)
{
    uint8_t hash[SHA256_SIZE];
    int n = snprintf(child_image_hashes, IMAGE_HASHES_MAX, "armv7:%064d+riscv64:", 0);

    sha256(content, strlen(content), hash);
    for (int i = 0; i < SHA256_SIZE; i++)
        n += snprintf(child_image_hashes + n, IMAGE_HASHES_MAX - (size_t)n, "%02x", hash[i]);
}

static void expect_request(char name[200])
{
    snprintf(name, 200, "mitosis.image.riscv64.%s", strstr(child_image_hashes, "riscv64:") + 8);
    hear_text(parent_fd, HANDLE_GET_MODULE, name);
}

static void acquire(struct image_user *u)
{
    *u = (struct image_user){.ready = on_image};
    ready_count = 0;
    router_lock(router);
    assert_int_equal(image_acquire(router, u, KIND_RISCV64, IMAGE_PACKED), 0);
    router_unlock(router);
}

static void release(struct image_user *u)
{
    router_lock(router);
    image_release(router, u);
    router_unlock(router);
}

static void test_image_of_another_hash(void **state)
{
    struct image_user user;
    char name[200];

    (void)state;
    promise("the root's");
    acquire(&user);
    expect_request(name);
    load(name, "evil");
    EVENTUALLY(&router->broker, ready_count == 1);
    assert_int_equal(image_size, 0);
    assert_non_null(strstr(image_why, "hash"));
    release(&user);
}

static void test_image_missing(void **state)
{
    struct image_user user;
    char name[200];

    (void)state;
    promise("of another time");
    acquire(&user);
    expect_request(name);
    load(name, NULL);
    EVENTUALLY(&router->broker, ready_count == 1);
    assert_int_equal(image_size, 0);
    assert_non_null(strstr(image_why, "no image"));
    release(&user);
    child_image_hashes[0] = '\0'; /* a root without */
    router_lock(router);
    user = (struct image_user){.ready = on_image};
    assert_false(image_there(router, KIND_RISCV64));
    assert_int_equal(image_acquire(router, &user, KIND_RISCV64, IMAGE_PACKED), -1);
    router_unlock(router);
    assert_error(MITO_E_ARCH, "riscv64");
}

static void test_image_comes(void **state)
{
    struct image_user user, other = {.ready = on_image};
    char name[200];

    (void)state;
    promise("good");
    acquire(&user);
    expect_request(name);
    router_lock(router);
    image_acquire(router, &other, KIND_RISCV64, IMAGE_PACKED);
    router_unlock(router);
    ask(first_fd, FIRST, name); /* somebody below needs it as well */
    nothing_said(parent_fd);
    load(name, "good");
    EVENTUALLY(&router->broker, ready_count == 2);
    assert_int_equal(image_size, 4);
    assert_memory_equal(image_came, "good", 4);
    free(hear(first_fd, HANDLE_LOAD_MODULE, NULL));
    release(&user);
    release(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_asked_once, start, stop),
        cmocka_unit_test_setup_teardown(test_forwarded, start, stop),
        cmocka_unit_test_setup_teardown(test_files, start, stop),
        cmocka_unit_test_setup_teardown(test_files_of_before, start, stop),
        cmocka_unit_test_setup_teardown(test_no_files, start, stop),
        cmocka_unit_test_setup_teardown(test_too_large, start, stop),
        cmocka_unit_test_setup_teardown(test_full_queue, start, stop),
        cmocka_unit_test_setup_teardown(test_missing, start, stop),
        cmocka_unit_test_setup_teardown(test_nonsense, start, stop),
        cmocka_unit_test_setup_teardown(test_bounded, start, stop),
        cmocka_unit_test_setup_teardown(test_image_of_another_hash, start, stop),
        cmocka_unit_test_setup_teardown(test_image_missing, start, stop),
        cmocka_unit_test_setup_teardown(test_image_comes, start, stop),
    };
    return cmocka_run_group_tests_name("modules", tests, NULL, NULL);
}
