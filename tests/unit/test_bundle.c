/* Images in executables of both classes, and in damaged ones. */
#include "cmocka_all.h"

#include <sys/mman.h>
#include <unistd.h>

#include "parent/bundle.h"

/* An executable that is as small as can be: header, names, a section, its table. */
enum {
    HEADER = 64,
    NAMES = HEADER,
    SECTION = NAMES + 48,
    ENTRY = 60,
    IMAGES = 12 + 2 * ENTRY, /* where the images begin, in the section */
    SECTION_SIZE = IMAGES + 9,
    TABLE = SECTION + SECTION_SIZE,
    SECTIONS = 3,
    FILE_MAX = TABLE + SECTIONS * 64,
};

struct program {
    int class; /* 1: 32 bit, 2: 64 bit */
    size_t size;
    uint8_t bytes[FILE_MAX];
};

static void little(uint8_t *at, int size, uint64_t number)
{
    for (; size > 0; size--, number >>= 8)
        *at++ = (uint8_t)number;
}

static void big(uint8_t *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> (24 - 8 * i));
}

static uint8_t *section_header(struct program *p, int index)
{
    return p->bytes + TABLE + index * (p->class == 1 ? 40 : 64);
}

static void put_section(struct program *p, int index, uint32_t name, uint32_t offset, uint32_t size)
{
    uint8_t *header = section_header(p, index);
    int word = p->class == 1 ? 4 : 8;
    little(header, 4, name);
    little(header + 4, 4, 1);
    little(header + (p->class == 1 ? 16 : 24), word, offset);
    little(header + (p->class == 1 ? 20 : 32), word, size);
}

static void put_entry(struct program *p, int index, const char *kind, uint32_t offset,
                      uint32_t size)
{
    uint8_t *entry = p->bytes + SECTION + 12 + index * ENTRY;
    memset(entry, 0, ENTRY);
    memcpy(entry, kind, strlen(kind));
    big(entry + 16, offset);
    big(entry + 20, size);
    big(entry + 24, 1000 + (uint32_t)index);
    memset(entry + 28, 0xa0 + index, 32);
}

static void make_program(struct program *p, int class)
{
    static const char names[] = "\0.shstrtab\0.mitosis.images";
    int word = class == 1 ? 4 : 8;
    *p = (struct program){.class = class};
    memcpy(p->bytes, "\177ELF", 4);
    p->bytes[4] = (uint8_t) class;
    p->bytes[5] = 1;
    little(p->bytes + (class == 1 ? 32 : 40), word, TABLE);
    little(p->bytes + (class == 1 ? 46 : 58), 2, class == 1 ? 40 : 64);
    little(p->bytes + (class == 1 ? 48 : 60), 2, SECTIONS);
    little(p->bytes + (class == 1 ? 50 : 62), 2, 1);
    memcpy(p->bytes + NAMES, names, sizeof names);
    put_section(p, 1, 1, NAMES, sizeof names);
    put_section(p, 2, 11, SECTION, SECTION_SIZE);
    memcpy(p->bytes + SECTION, "MITOIMG1", 8);
    big(p->bytes + SECTION + 8, 2);
    put_entry(p, 0, "aarch64", IMAGES, 4);
    put_entry(p, 1, "x86_64", IMAGES + 4, 5);
    memcpy(p->bytes + SECTION + IMAGES, "fourfives", 9);
    p->size = (size_t)(section_header(p, SECTIONS) - p->bytes);
}

static int file_of(const struct program *p)
{
    int fd = memfd_create("program", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p->bytes, p->size), p->size);
    assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
    return fd;
}

static void each_class(void (*run)(struct program *p))
{
    struct program p;
    for (int class = 1; class <= 2; class ++) {
        make_program(&p, class);
        run(&p);
    }
}

static void assert_opens(const struct program *p, int result, uint32_t count, const char *error)
{
    struct bundle b;
    int fd = file_of(p);
    int opened = bundle_open(&b, fd);
    if (opened < 0 && result == 0)
        fail_msg("%s", mito_error());
    assert_int_equal(opened, result);
    assert_int_equal(b.count, count);
    if (result < 0)
        assert_error(MITO_E_MALFORMED, error);
    close(fd);
}

static void reads(struct program *p)
{
    struct bundle b;
    AUTO_BUF out = {0};
    int fd = file_of(p);
    assert_int_equal(bundle_open(&b, fd), 0);
    assert_int_equal(b.count, 2);
    assert_null(bundle_find(&b, "riscv64"));
    assert_null(bundle_find(&b, "x86"));
    const struct bundle_image *image = bundle_find(&b, "aarch64");
    assert_ptr_equal(image, &b.images[0]);
    assert_int_equal(image->packed_size, 4);
    assert_int_equal(image->plain_size, 1000);
    assert_int_equal(image->sha256[0], 0xa0);
    assert_int_equal(bundle_read(&b, image, &out), 0);
    image = bundle_find(&b, "x86_64");
    assert_ptr_equal(image, &b.images[1]);
    assert_int_equal(image->plain_size, 1001);
    assert_int_equal(image->sha256[31], 0xa1);
    assert_int_equal(bundle_read(&b, image, &out), 0);
    assert_int_equal(out.length, 9);
    assert_memory_equal(out.data, "fourfives", 9);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 7);
    close(fd);
}

static void test_reads(void **state)
{
    (void)state;
    each_class(reads);
}

static void without(struct program *p)
{
    put_section(p, 2, 12, SECTION, SECTION_SIZE); /* mitosis.images */
    assert_opens(p, 0, 0, NULL);
    put_section(p, 2, 11, SECTION, SECTION_SIZE);
    little(section_header(p, 2) + 4, 4, 8); /* SHT_NOBITS */
    assert_opens(p, 0, 0, NULL);
    make_program(p, p->class);
    put_section(p, 1, 1, NAMES, 26); /* the last name is not ended */
    assert_opens(p, 0, 0, NULL);
    make_program(p, p->class);
    little(p->bytes + (p->class == 1 ? 32 : 40), 4, 0); /* stripped of its sections */
    assert_opens(p, 0, 0, NULL);
}

static void test_without(void **state)
{
    (void)state;
    each_class(without);
}

static void test_no_file(void **state)
{
    (void)state;
    struct bundle b;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(bundle_open(&b, fds[0]), -1);
    assert_error(MITO_E_MALFORMED, "not an ELF executable");
    close(fds[0]);
    assert_int_equal(bundle_open(&b, fds[0]), -1);
    assert_error(MITO_E_SYSTEM, "reading the executable");
    close(fds[1]);
}

/* Wherever it is cut it is refused, and not taken for one without images. */
static void cut(struct program *p)
{
    size_t whole = p->size;
    for (p->size = 0; p->size < whole; p->size++)
        assert_opens(p, -1, 0, p->size < 52 ? "not an ELF executable" : "damaged");
}

static void test_cut(void **state)
{
    (void)state;
    each_class(cut);
}

static void entries(struct program *p)
{
    uint8_t *entry = p->bytes + SECTION + 12 + ENTRY;
    static const struct {
        const char *kind;
        uint32_t offset, size;
    } bad[] = {
        {"", IMAGES, 1},
        {"x86-64", IMAGES, 1},
        {"../x", IMAGES, 1},
        {"aarch64", IMAGES, 1},
        {"sixteen_letters_", IMAGES, 1},
        {"x86_64", IMAGES - 1, 1},
        {"x86_64", 0, 1},
        {"x86_64", IMAGES, 0},
        {"x86_64", IMAGES, 10},
        {"x86_64", SECTION_SIZE, 1},
        {"x86_64", SECTION_SIZE + 1, 1},
        {"x86_64", UINT32_MAX, 1},
        {"x86_64", IMAGES, UINT32_MAX},
        {"x86_64", UINT32_MAX - 4, 9},
    };
    for (size_t i = 0; i < LENGTH(bad); i++) {
        put_entry(p, 1, bad[i].kind, bad[i].offset, bad[i].size);
        assert_opens(p, -1, 0, "table of images");
    }
    put_entry(p, 1, "x86_64", IMAGES, 9);
    assert_opens(p, 0, 2, NULL);
    entry[15] = 'x'; /* behind the NUL */
    assert_opens(p, -1, 0, "table of images");
    entry[15] = 0;
    big(entry + 24, 0);
    assert_opens(p, -1, 0, "table of images");
    big(entry + 24, BUNDLE_IMAGE_MAX);
    assert_opens(p, 0, 2, NULL);
    big(entry + 24, BUNDLE_IMAGE_MAX + 1);
    assert_opens(p, -1, 0, "table of images");
}

static void test_entries(void **state)
{
    (void)state;
    each_class(entries);
}

static void headers(struct program *p)
{
    uint8_t *count = p->bytes + SECTION + 8;
    big(count, 0);
    assert_opens(p, 0, 0, NULL);
    big(count, 3); /* the third would be in the images and behind them */
    assert_opens(p, -1, 0, "number of images");
    big(count, BUNDLE_MOST + 1);
    assert_opens(p, -1, 0, "number of images");
    big(count, UINT32_MAX);
    assert_opens(p, -1, 0, "number of images");
    big(count, 2);
    p->bytes[SECTION + 7] = '2';
    assert_opens(p, -1, 0, "another version");
    p->bytes[SECTION + 7] = '1';
    put_section(p, 2, 11, SECTION, 0);
    assert_opens(p, -1, 0, "empty");
    put_section(p, 2, 11, SECTION, 11);
    assert_opens(p, -1, 0, "too short");
    put_section(p, 2, 11, SECTION, UINT32_MAX);
    assert_opens(p, -1, 0, "cut short");
    put_section(p, 2, 11, UINT32_MAX, 12);
    assert_opens(p, -1, 0, "cut short");
}

static void test_headers(void **state)
{
    (void)state;
    each_class(headers);
}

static void no_program(struct program *p)
{
    static const struct {
        uint8_t at, value;
    } bad[] = {{0, '#'}, {3, 'f'}, {4, 0}, {4, 3}, {5, 2}, {5, 0}};
    for (size_t i = 0; i < LENGTH(bad); i++) {
        uint8_t was = p->bytes[bad[i].at];
        p->bytes[bad[i].at] = bad[i].value;
        assert_opens(p, -1, 0, "not an ELF executable");
        p->bytes[bad[i].at] = was;
    }
    little(p->bytes + (p->class == 1 ? 46 : 58), 2, 63);
    assert_opens(p, -1, 0, "table of sections");
    make_program(p, p->class);
    little(p->bytes + (p->class == 1 ? 50 : 62), 2, SECTIONS);
    assert_opens(p, -1, 0, "table of sections");
    make_program(p, p->class);
    little(p->bytes + (p->class == 1 ? 32 : 40), p->class == 1 ? 4 : 8, UINT64_MAX);
    assert_opens(p, -1, 0, "table of sections");
}

static void test_no_program(void **state)
{
    (void)state;
    each_class(no_program);
}

/* The file is changed between the look at its table and the reading. */
static void test_shrinks(void **state)
{
    (void)state;
    struct program p;
    struct bundle b;
    AUTO_BUF out = {0};
    make_program(&p, 2);
    int fd = file_of(&p);
    assert_int_equal(bundle_open(&b, fd), 0);
    assert_int_equal(ftruncate(fd, SECTION + IMAGES + 2), 0);
    assert_int_equal(bundle_read(&b, &b.images[0], &out), -1);
    assert_error(MITO_E_MALFORMED, "shrinks");
    assert_int_equal(out.length, 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),      cmocka_unit_test(test_without),
        cmocka_unit_test(test_no_file),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_entries),    cmocka_unit_test(test_headers),
        cmocka_unit_test(test_no_program), cmocka_unit_test(test_shrinks),
    };
    return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
