/* SHA-256 against the vectors of the standard, and those of its validation. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/sha256.h"

static const char *hex(const uint8_t hash[SHA256_SIZE])
{
    static char text[2 * SHA256_SIZE + 1];
    for (int i = 0; i < SHA256_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return text;
}

static const char *hash_of(const char *data, size_t length)
{
    uint8_t hash[SHA256_SIZE];
    sha256(data, length, hash);
    return hex(hash);
}

static void test_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *data, *hash;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
         "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < LENGTH(vectors); i++)
        assert_string_equal(hash_of(vectors[i].data, strlen(vectors[i].data)), vectors[i].hash);
}

/* Where the padding takes one block, and where it takes two. */
static void test_zeros(void **state)
{
    (void)state;
    static const char zeros[64];
    assert_string_equal(hash_of(zeros, 55),
                        "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7");
    assert_string_equal(hash_of(zeros, 56),
                        "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb");
    assert_string_equal(hash_of(zeros, 57),
                        "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785");
    assert_string_equal(hash_of(zeros, 64),
                        "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

/* A million of one letter, in pieces of all sizes. */
static void test_pieces(void **state)
{
    (void)state;
    enum { MILLION = 1000000, LARGEST = 199 };
    char letters[LARGEST];
    uint8_t hash[SHA256_SIZE];
    struct sha256 s;
    size_t left = MILLION, size = 0;
    memset(letters, 'a', sizeof letters);
    sha256_init(&s);
    while (left > 0) {
        size = size % LARGEST + 1;
        size_t n = size < left ? size : left;
        sha256_add(&s, letters, n);
        left -= n;
    }
    sha256_end(&s, hash);
    assert_string_equal(hex(hash),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
