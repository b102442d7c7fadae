/* Which image a target gets: machines of another kind, played by a uname of our own; what crosses
 * the wire for it, and what does not.
 *
 * The program that is tested is a copy of this one that carries images: for x86_64, aarch64 and
 * armv7, all of them this program itself, which starts in all three places. */
#include "test_ssh.h"

/* --- the program with its images ---------------------------------------------------------------
 */

static void put_u32(FILE *out, size_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        putc((int)(n >> shift & 255), out);
}

static size_t size_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static void write_section(const char *path, const char *packed, size_t plain_size)
{
    static const char kinds[][17] = {"x86_64", "aarch64", "armv7"};
    FILE *out = fopen(path, "we"), *in = fopen(packed, "re");
    size_t size = size_of(packed);
    int c;

    assert_true(out != NULL && in != NULL);
    fputs("MITOIMG1", out);
    put_u32(out, LENGTH(kinds));
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        fwrite(kinds[i], 1, 16, out);
        put_u32(out, 12 + LENGTH(kinds) * 60); /* one image for all */
        put_u32(out, size);
        put_u32(out, plain_size);
        fwrite("not looked at by the library....", 1, 32, out);
    }
    while ((c = getc(in)) != EOF)
        putc(c, out);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* Becomes it. */
static int become_bound(char **argv)
{
    char packed[300], section[300], bound[300];

    if (hosts_up("") != 0)
        return 1;
    snprintf(packed, sizeof packed, "%s/packed", scripts_dir);
    snprintf(section, sizeof section, "%s/section", scripts_dir);
    snprintf(bound, sizeof bound, "%s/bound", scripts_dir);
    free(output_of("strip -o '%s.bare' /proc/%d/exe && gzip -1nc '%s.bare' >'%s'", bound,
                   (int)getpid(), bound, packed));
    char bare[310];
    snprintf(bare, sizeof bare, "%s.bare", bound);
    write_section(section, packed, size_of(bare));
    free(output_of("objcopy --add-section .mitosis.images='%s' /proc/%d/exe '%s'", section,
                   (int)getpid(), bound));
    setenv("MT_BOUND", scripts_dir, 1);
    execv(bound, argv);
    perror(bound);
    return 1;
}

static size_t packed_size(void)
{
    char path[300];

    snprintf(path, sizeof path, "%s/packed", getenv("MT_BOUND"));
    return size_of(path);
}

/* --- machines ----------------------------------------------------------------------------------
 */

/* In place of ssh: a machine of that kind, with these programs alone ("": with all). What is sent
 * to it is counted in a file. (A pipe for its output: else tee had a socket that does not block.)
 */
static const char *machine_with(const char *name, const char *uname, const char *programs)
{
    const char *ssh = script(name,
                             "export MT_INPUT=\"tee -a '$0.sent'\"\n"
                             "export MT_SETUP='PATH=%s/bin-%s%s; exec > >(cat)'\n"
                             "exec '%s/tests/e2e/first_stage/ssh' \"$@\"\n",
                             scripts_dir, name, *programs == '\0' ? ":$PATH" : "", top());

    free(output_of("d='%s/bin-%s'; mkdir -p \"$d\"; echo 'echo %s' >\"$d/uname\"; "
                   "chmod 755 \"$d/uname\"; for p in %s; do "
                   "ln -s \"$(command -v $p)\" \"$d/$p\"; done",
                   scripts_dir, name, uname, programs));
    return ssh;
}

static const char *machine(const char *name, const char *uname)
{
    return machine_with(name, uname, "");
}

/* Bytes sent to that machine since the last time. */
static size_t sent_to(const char *ssh)
{
    char path[300];

    snprintf(path, sizeof path, "%s.sent", ssh);
    sleep_ms(300); /* tee has what the shell has, or is about to */
    size_t size = size_of(path);
    assert_int_equal(truncate(path, 0), 0);
    return size;
}

#define connect_to(ssh, ...) mito_ssh(tree, .hostname = "target", .ssh_path = ssh, ##__VA_ARGS__)

#define assert_images(bytes, images)                                                               \
    do {                                                                                           \
        double n_ = (double)(bytes) / (double)packed_size();                                       \
        if (n_ < (images)-0.3 || n_ > (images) + 0.3)                                              \
            fail_msg("line %d: %.2f images were sent", __LINE__, n_);                              \
    } while (0)

/* The first guess costs an image; from then on it is known. */
static void guessed_and_learnt(void **state)
{
    const char *arm = machine("arm", "aarch64"), *intel = machine("intel", "x86_64");

    (void)state;
    struct mito_context *first = tree_up_(connect_to(arm), __LINE__);
    assert_int_not_equal(tree_pid_of(first), getpid());
    assert_images(sent_to(arm), 2);
    mito_context_shutdown(first, PATIENCE);
    tree_pid_of(tree_up_(connect_to(arm), __LINE__));
    assert_images(sent_to(arm), 1);
    /* The host was replaced by one of the common kind. */
    tree_pid_of(tree_up_(connect_to(intel), __LINE__));
    assert_images(sent_to(intel), 2);
    tree_pid_of(tree_up_(connect_to(intel), __LINE__));
    assert_images(sent_to(intel), 1);
}

/* A machine of a kind that another kind's images run on. */
static void next_best(void **state)
{
    const char *old = machine("old", "armv8l");

    (void)state;
    tree_pid_of(tree_up_(connect_to(old), __LINE__));
    assert_images(sent_to(old), 2);
}

static void none_fits(void **state)
{
    (void)state;
    assert_null(connect_to(machine("risc", "riscv64")));
    assert_error(MITO_E_ARCH, "it is 'riscv64'");
    assert_non_null(strstr(mito_error(), "x86_64, aarch64, armv7"));
    assert_non_null(strstr(mito_error(), "--targets"));
    assert_null(connect_to(machine("alpha", "alpha")));
    assert_error(MITO_E_ARCH, "it is 'alpha'");
    assert_null(connect_to(machine("odd", "x86_64 \\* \\\\ %%n")));
    assert_error(MITO_E_ARCH, "it is 'x86_64");
}

/* sudo may ask for a password: nothing is sent before the first stage speaks, so that a wrong guess
 * costs nothing. */
static void known_before_it_is_sent(void **state)
{
    const char *arm = machine("arm-sudo", "aarch64");

    (void)state;
    tree_pid_of(tree_up_(mito_sudo(tree, .sudo_path = arm), __LINE__));
    assert_images(sent_to(arm), 1);
}

/* No gzip there: plain, of the right kind. */
static void without_gzip(void **state)
{
    const char *arm = machine_with("arm-plain", "aarch64", "sh mkdir rm chmod head tee cat");

    (void)state;
    tree_pid_of(tree_up_(connect_to(arm), __LINE__));
}

/* --- through others ----------------------------------------------------------------------------
 */

static struct mito_context *bastion(const char *ssh)
{
    return tree_up_(mito_ssh(tree, .hostname = "bastion", .ssh_path = ssh), __LINE__);
}

/* However many start there, at once or later: the link to the bastion carries the image once. */
static void once_per_hop(void **state)
{
    enum { COUNT = 20 };
    const char *near = machine("near", "x86_64"), *arm = machine("far", "aarch64");
    struct mito_context *hop = bastion(near);
    MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);

    (void)state;
    assert_images(sent_to(near), 1);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(mito_ssh_async(tree, rx, NULL, .hostname = "t", .ssh_path = arm,
                                        .via = hop, .connect_timeout = 120000),
                         0);
    for (int i = 0; i < COUNT; i++) {
        struct mito_context *c = NULL;
        MITO_AUTO_MESSAGE m = mito_receive(rx, 4 * PATIENCE);
        assert_non_null(m);
        if (mito_message_read(m, "c", &c) < 0)
            fail_msg("%s", mito_error());
        tree_pid_of(c);
        mito_context_unref(c);
    }
    tree_pid_of(tree_up_(connect_to(arm, .via = hop), __LINE__));
    assert_images(sent_to(near), 1);
}

/* Two hops, of two kinds; each keeps it for the other branch. */
static void along_a_chain(void **state)
{
    const char *near = machine("near", "x86_64"), *arm = machine("mid", "aarch64");
    const char *old = machine("end", "armv7l");
    struct mito_context *hop = bastion(near);
    struct mito_context *mid = tree_up_(connect_to(arm, .via = hop), __LINE__);

    (void)state;
    sent_to(near);
    sent_to(arm);
    struct mito_context *end = tree_up_(connect_to(old, .via = mid), __LINE__);
    tree_pid_of(end);
    assert_images(sent_to(near), 1);
    assert_images(sent_to(arm), 1);
    tree_pid_of(tree_up_(connect_to(old, .via = hop), __LINE__));
    assert_images(sent_to(near), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(guessed_and_learnt),      TREE_TEST(next_best),    TREE_TEST(none_fits),
        TREE_TEST(known_before_it_is_sent), TREE_TEST(without_gzip), TREE_TEST(once_per_hop),
        TREE_TEST(along_a_chain),

    };

    mito_start(argc, argv);
    if (getenv("MT_BOUND") == NULL)
        return become_bound(argv);
    snprintf(scripts_dir, sizeof scripts_dir, "%s", getenv("MT_BOUND"));
    return cmocka_run_group_tests_name("kinds", tests, NULL, NULL);
}
