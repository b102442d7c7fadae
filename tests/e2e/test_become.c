/* Other accounts, with passwords: sudo, su, doas and ssh as they are, in a box (tests/hosts/box-up)
 * with accounts of every sort. The master reaches an account of the box through a context, so that
 * all passwords cross the wire as well. */
#include "test_ssh.h"

#include <sys/resource.h>

static char box[250], box_config[300];
static const char *const box_args[] = {"-F", box_config, NULL};

static int box_up(void **state)
{
    char command[1000];

    (void)state;
    if (hosts_up("") != 0)
        return -1;
    snprintf(box, sizeof box, "%s/box", scripts_dir);
    snprintf(box_config, sizeof box_config, "%s/ssh_config", box);
    snprintf(command, sizeof command, "'%s/tests/hosts/box-up' '%s'", top(), box);
    return system(command);
}

static int box_down(void **state)
{
    char command[1000];

    snprintf(command, sizeof command, "'%s/tests/hosts/box-down' '%s'", top(), box);
    return system(command) != 0 ? -1 : hosts_down(state);
}

/* In place of ssh: the command runs as that user of the box. */
static const char *enter_box(const char *user)
{
    static char path[300];
    char name[100];

    snprintf(name, sizeof name, "enter-%s", user);
    snprintf(path, sizeof path, "%s/%s", scripts_dir, name);
    if (access(path, X_OK) == 0) /* one that runs may not be written to */
        return path;
    return script(name,
                  "for command; do :; done\n"
                  "exec '%s/tests/hosts/box-exec' '%s' --user %s sh -c \"$command\"\n",
                  top(), box, user);
}

/* A context that is that user of the box. */
static struct mito_context *in_box(const char *user)
{
    return tree_up_(mito_ssh(tree, .hostname = user, .ssh_path = enter_box(user)), __LINE__);
}

MITO_FUNCTION(uid)
{
    return mito_return(call, "i", getuid());
}

MITO_FUNCTION(variable)
{
    const char *name;

    if (mito_args(call, "s", &name) < 0)
        return -1;
    return mito_return(call, "s", getenv(name));
}

static int64_t uid_of(struct mito_context *context)
{
    int64_t number = -1;

    if (mito_call(context, &uid, "", "i", &number) < 0)
        fail_msg("uid: %s", mito_error());
    return number;
}

static char *variable_of(struct mito_context *context, const char *name)
{
    char *value = NULL;

    assert_int_equal(mito_call(context, &variable, "s", name, "s", &value), 0);
    return value;
}

/* --- every sort of account --------------------------------------------------------------------
 */

/* From the account `from`: `method` to the account `to`, which must work (says NULL), or fail. */
struct way {
    const char *from, *method, *to, *password;
    int code;
    const char *says;
};

static const struct way ways[] = {
    {"admin", "sudo", NULL, "admin-pw", 0, NULL},
    {"admin", "sudo", "target", "admin-pw", 0, NULL},
    {"admin", "sudo", NULL, "wrong", MITO_E_PASSWORD, "wrong password"},
    {"admin", "sudo", NULL, NULL, MITO_E_NO_PASSWORD, "set password"},
    {"admin", "sudo", "nobodyhere", "admin-pw", MITO_E_NO_USER, "check username"},
    {"nopw", "sudo", NULL, NULL, 0, NULL},
    {"nopw", "sudo", NULL, "never asked for", 0, NULL},
    {"nosudo", "sudo", NULL, "nosudo-pw", MITO_E_NOT_ALLOWED, "not in the sudoers file"},
    {"limited", "sudo", NULL, "limited-pw", MITO_E_NOT_ALLOWED, "does not allow"},
    {"tty", "sudo", NULL, "tty-pw", 0, NULL},
    {"usepty", "sudo", NULL, "usepty-pw", 0, NULL},
    {"feedback", "sudo", NULL, "feedback-pw", 0, NULL},
    {"german", "sudo", NULL, "german-pw", 0, NULL},
    {"tpw", "sudo", NULL, "root-pw", 0, NULL},
    {"logout", "sudo", NULL, "logout-pw", 0, NULL},
    {"lectured", "sudo", NULL, "lectured-pw", 0, NULL},
    {"odd", "sudo", NULL, "p'\"$`\\\xc3\xa4 w", 0, NULL},
    {"caller", "su", "target", "target-pw", 0, NULL},
    {"caller", "su", NULL, "root-pw", 0, NULL},
    {"caller", "su", "target", "wrong", MITO_E_PASSWORD, "wrong password"},
    {"caller", "su", "target", NULL, MITO_E_NO_PASSWORD, "set password"},
    {"caller", "su", "nobodyhere", "x", MITO_E_NO_USER, "check username"},
    {"caller", "su", "expired", "expired-pw", MITO_E_LOCKED, "expired"},
    {"caller", "su", "mustchange", "mustchange-pw", MITO_E_LOCKED, "change it"},
    {"caller", "su", "twofactor", "twofactor-pw", MITO_E_PERMISSION, "Verification code"},
    {"caller", "su", "noshell", "noshell-pw", MITO_E_GARBAGE, "login shell"},
    {"caller", "su", "noisy", "noisy-pw", 0, NULL},
    {"caller", "su", "fishy", "fishy-pw", 0, NULL},
    {"caller", "su", "cshy", "cshy-pw", 0, NULL},
    {"caller", "doas", NULL, "caller-pw", 0, NULL},
    {"caller", "doas", "target", "caller-pw", 0, NULL},
    {"caller", "doas", NULL, "wrong", MITO_E_PASSWORD, "wrong password"},
    {"caller", "doas", NULL, NULL, MITO_E_NO_PASSWORD, "set password"},
    {"caller", "doas", "nobodyhere", "caller-pw", MITO_E_NO_USER, "check username"},
    {"nosudo", "doas", NULL, "nosudo-pw", MITO_E_NOT_ALLOWED, "doas.conf"},
    {"nopw", "doas", NULL, NULL, 0, NULL},
};

static void become(const struct way *w, struct mito_context *via, struct mito_receiver *rx)
{
    int rc;

    if (strcmp(w->method, "su") == 0)
        rc = mito_su_async(tree, rx, NULL, .via = via, .username = w->to, .password = w->password);
    else if (strcmp(w->method, "doas") == 0)
        rc =
            mito_doas_async(tree, rx, NULL, .via = via, .username = w->to, .password = w->password);
    else
        rc =
            mito_sudo_async(tree, rx, NULL, .via = via, .username = w->to, .password = w->password);
    if (rc < 0)
        fail_msg("%s", mito_error());
}

static void judge_way(const struct way *w, struct mito_context *from, struct mito_receiver *rx)
{
    MITO_AUTO_MESSAGE answer = tree_receive(rx);
    struct mito_context *context = NULL;
    char start[100];
    int rc = mito_message_read(answer, "c", &context);

    print_message("# %s: %s to %s: %s\n", w->from, w->method, w->to != NULL ? w->to : "root",
                  rc < 0 ? mito_error() : "works");
    if (w->says == NULL) {
        tree_up_(context, __LINE__);
        assert_true(uid_of(context) == 0 ? w->to == NULL : uid_of(context) != uid_of(from));
    } else {
        assert_int_equal(rc, -1);
        assert_error(w->code, w->says);
        snprintf(start, sizeof start, "%s.%s: ", w->method, w->to != NULL ? w->to : "root");
        assert_non_null(strstr(mito_error(), start));
        if (w->password != NULL && strlen(w->password) > 1 && strcmp(w->password, "wrong") != 0)
            assert_null(strstr(mito_error(), w->password));
    }
    mito_context_unref(context);
}

/* All of a method at once: a wrong password takes seconds, by design of su and sudo. */
static void try_ways(const char *method)
{
    struct mito_context *from[LENGTH(ways)] = {NULL};
    struct mito_receiver *answers[LENGTH(ways)];

    for (size_t i = 0; i < LENGTH(ways); i++) {
        answers[i] = mito_receiver_new(tree);
        if (strcmp(ways[i].method, method) == 0 &&
            mito_ssh_async(tree, answers[i], NULL, .hostname = ways[i].from,
                           .ssh_path = enter_box(ways[i].from)) < 0)
            fail_msg("%s", mito_error());
    }
    for (size_t i = 0; i < LENGTH(ways); i++) {
        if (strcmp(ways[i].method, method) != 0)
            continue;
        MITO_AUTO_MESSAGE up = tree_receive(answers[i]);
        if (mito_message_read(up, "c", &from[i]) < 0)
            fail_msg("%s", mito_error());
        become(&ways[i], from[i], answers[i]);
    }
    for (size_t i = 0; i < LENGTH(ways); i++) {
        if (from[i] != NULL)
            judge_way(&ways[i], from[i], answers[i]);
        mito_context_unref(from[i]);
        mito_receiver_free(answers[i]);
    }
}

static void sudo_ways(void **state)
{
    (void)state;
    try_ways("sudo");
}

static void su_ways(void **state)
{
    (void)state;
    try_ways("su");
}

static void doas_ways(void **state)
{
    (void)state;
    try_ways("doas");
}

/* --- ssh --------------------------------------------------------------------------------------
 */

#define box_ssh(host, ...)                                                                         \
    mito_ssh(tree, .hostname = (host), .ssh_args = box_args __VA_OPT__(, ) __VA_ARGS__)

static void ssh_passwords(void **state)
{
    (void)state;
    tree_up_(box_ssh("password", .password = "password-pw"), __LINE__);
    tree_up_(box_ssh("kbdint", .password = "kbdint-pw"), __LINE__);
    assert_null(box_ssh("password", .password = "wrong"));
    assert_error(MITO_E_PASSWORD, "ssh.password: wrong password");
    assert_null(box_ssh("kbdint", .password = "wrong"));
    assert_error(MITO_E_PASSWORD, "ssh.kbdint: wrong password");
    assert_null(box_ssh("password"));
    assert_error(MITO_E_PERMISSION, "(password)");
    assert_null(box_ssh("mustchange", .password = "mustchange-pw"));
    assert_error(MITO_E_LOCKED, "change it");
    tree_up_(box_ssh("twostep", .password = "twostep-pw"), __LINE__); /* a key, then that */
    assert_null(box_ssh("toomany", .password = "wrong"));
    assert_error(MITO_E_PASSWORD, "wrong password");
    assert_null(box_ssh("changed", .password = "pubkey-pw"));
    assert_error(MITO_E_HOST_KEY, "has changed");
    assert_null(box_ssh("unknown", .password = "pubkey-pw"));
    assert_error(MITO_E_HOST_KEY, "not known");
    assert_null(box_ssh("fulldisk"));
    assert_error(MITO_E_NO_PLACE, "");
    assert_null(box_ssh("rdonly"));
    assert_error(MITO_E_NO_PLACE, "cannot write");
}

/* A jump host does not get the password of the host behind it. */
static void jump_hosts(void **state)
{
    const char *by_key[] = {"-F", box_config, "-J", "pubkey", NULL};
    const char *by_password[] = {"-F", box_config, "-J", "kbdint", NULL};
    const char *by_two[] = {"-F", box_config, "-J", "password,pubkey", NULL};

    (void)state;
    tree_up_(mito_ssh(tree, .hostname = "password", .password = "password-pw", .ssh_args = by_key),
             __LINE__);
    tree_up_(mito_ssh(tree, .hostname = "kbdint", .password = "kbdint-pw", .ssh_args = by_key),
             __LINE__);
    assert_null(
        mito_ssh(tree, .hostname = "password", .password = "password-pw", .ssh_args = by_password));
    assert_error(MITO_E_PERMISSION, "ssh.password: a jump host asks for a password");
    assert_null(
        mito_ssh(tree, .hostname = "password", .password = "password-pw", .ssh_args = by_two));
    assert_error(MITO_E_PERMISSION, "ssh.password: a jump host asks for a password");
}

/* An account is entered with its password over ssh, and left for others from there. */
static void a_chain_of_passwords(void **state)
{
    (void)state;
    struct mito_context *ssh = tree_up_(box_ssh("admin", .password = "admin-pw"), __LINE__);
    struct mito_context *root =
        tree_up_(mito_sudo(tree, .via = ssh, .password = "admin-pw"), __LINE__);
    struct mito_context *target =
        tree_up_(mito_su(tree, .via = root, .username = "target"), __LINE__);
    struct mito_context *last = tree_local(.via = target);

    assert_int_equal(uid_of(root), 0);
    assert_int_equal(uid_of(target), uid_of(last));
    assert_int_not_equal(uid_of(last), uid_of(ssh));
}

/* --- options ----------------------------------------------------------------------------------
 */

static void sudo_environment(void **state)
{
    (void)state;
    struct mito_context *from = in_box("nopw");
    struct mito_context *plain = tree_up_(mito_sudo(tree, .via = from), __LINE__);
    struct mito_context *login = tree_up_(mito_sudo(tree, .via = from, .login = true), __LINE__);
    struct mito_context *kept =
        tree_up_(mito_sudo(tree, .via = from, .preserve_env = true, .set_home = true), __LINE__);
    char *home = variable_of(login, "HOME"), *seen = variable_of(kept, "MT_HOSTS_DIR");
    char *unseen = variable_of(plain, "MT_HOSTS_DIR");
    char expected[300];

    snprintf(expected, sizeof expected, "%s/home/root", box);
    assert_string_equal(home, expected);
    assert_string_equal(seen, box);
    assert_null(unseen);
    free(home);
    free(seen);
}

/* A program in place of the real one that keeps its arguments, and is the first stage's shell. */
static const char *recorder(const char *name)
{
    return script(name,
                  "printf '%%s\\n' \"$@\" >'%s/%s.args'\n"
                  "for command; do :; done\n"
                  "exec sh -c \"$command\"\n",
                  scripts_dir, name);
}

/* What it was given, joined by blanks, without the last argument: the first stage. */
static void assert_arguments(const char *name, const char *expected)
{
    char *args = output_of(
        "grep -v -e '^exec /bin/sh -c' -e '^eval ' '%s/%s.args' | sed '/^ *$/d' | tr '\\n' ' '",
        scripts_dir, name);

    assert_string_equal(args, expected);
    free(args);
}

static void arguments_of_sudo(void **state)
{
    static const char *const args[] = {"-g", "adm", "--chdir=/", NULL};

    (void)state;
    tree_up_(mito_sudo(tree, .sudo_path = recorder("sudo"), .username = "u", .selinux_role = "r",
                       .selinux_type = "t", .set_home = true, .preserve_env = true, .login = true,
                       .sudo_args = args),
             __LINE__);
    assert_arguments("sudo", "-g adm --chdir=/ -p [mitosis] password: -u u -H -E -i -r r -t t -- "
                             "sh -c ");
    tree_up_(mito_su(tree, .su_path = recorder("su"), .username = "u"), __LINE__);
    assert_arguments("su", "u -c ");
    tree_up_(mito_doas(tree, .doas_path = recorder("doas"), .username = "u"), __LINE__);
    assert_arguments("doas", "-u u -- sh -c ");
}

static void arguments_of_ssh(void **state)
{
    static const char *const args[] = {"-o", "A=b c", NULL};

    (void)state;
    tree_up_(mito_ssh(tree, .ssh_path = recorder("ssh"), .hostname = "h", .ssh_args = args,
                      .identity_file = "/k", .identities_only = true, .compression = true,
                      .keepalive_interval = 7, .keepalive_count = 2, .ssh_debug_level = 2,
                      .password = "secret", .check_host_keys = MITO_HOST_KEYS_ACCEPT),
             __LINE__);
    assert_arguments("ssh", "-o A=b c -T -oClearAllForwardings=yes -oServerAliveInterval=7 "
                            "-oServerAliveCountMax=2 -oStrictHostKeyChecking=accept-new "
                            "-oNumberOfPasswordPrompts=1 -i /k -oIdentitiesOnly=yes "
                            "-oCompression=yes -vv -- h ");
    tree_up_(mito_ssh(tree, .ssh_path = recorder("ssh"), .hostname = "h", .keepalive_interval = -1),
             __LINE__);
    assert_arguments("ssh", "-T -oClearAllForwardings=yes -oServerAliveInterval=0 "
                            "-oServerAliveCountMax=3 -oStrictHostKeyChecking=yes "
                            "-oBatchMode=yes -- h ");
}

/* The real ones are in tests/e2e/test_containers.sh; here, that each option is where it belongs. */
static void arguments_of_containers(void **state)
{
    static const char *const args[] = {"--a", "b c", NULL};

    (void)state;
    tree_up_(mito_docker(tree, .docker_path = recorder("docker"), .container = "c", .username = "u",
                         .docker_args = args),
             __LINE__);
    assert_arguments("docker", "--a b c exec --interactive --user u c sh -c ");
    tree_up_(mito_docker(tree, .docker_path = recorder("docker"), .image = "i"), __LINE__);
    assert_arguments("docker", "run --interactive --rm i sh -c ");
    tree_up_(mito_podman(tree, .podman_path = recorder("podman"), .image = "i", .username = "u",
                         .podman_args = args),
             __LINE__);
    assert_arguments("podman", "--a b c run --interactive --rm --user u i sh -c ");
    tree_up_(mito_buildah(tree, .buildah_path = recorder("buildah"), .container = "c",
                          .username = "u", .buildah_args = args),
             __LINE__);
    assert_arguments("buildah", "run --a b c --user u -- c sh -c ");
    tree_up_(mito_kubectl(tree, .kubectl_path = recorder("kubectl"), .pod = "p", .namespace = "n",
                          .container = "c", .kubectl_args = args),
             __LINE__);
    assert_arguments("kubectl", "--a b c exec --stdin --namespace n --container c p -- sh -c ");
    tree_up_(mito_lxc(tree, .lxc_attach_path = recorder("lxc-attach"), .container = "c",
                      .lxc_args = args),
             __LINE__);
    assert_arguments("lxc-attach", "--clear-env --a b c --name c -- sh -c ");
    tree_up_(mito_lxd(tree, .lxc_path = recorder("lxc"), .container = "c", .lxd_args = args),
             __LINE__);
    assert_arguments("lxc", "exec --mode=non-interactive --a b c c -- sh -c ");
    tree_up_(
        mito_incus(tree, .incus_path = recorder("incus"), .container = "c", .incus_args = args),
        __LINE__);
    assert_arguments("incus", "exec --mode=non-interactive --a b c c -- sh -c ");
    tree_up_(mito_jail(tree, .jexec_path = recorder("jexec"), .container = "c", .username = "u"),
             __LINE__);
    assert_arguments("jexec", "-U u c sh -c ");
}

/* lxc-attach does not tell a stopped container from none. lxc-info is asked, if it is there. */
static void a_further_question(void **state)
{
    static const char *const args[] = {"-P", "/v", NULL};
    static const struct {
        const char *answer;
        int code;
    } answers[] = {{"echo \"c doesn't exist\" >&2; exit 1", MITO_E_NO_CONTAINER},
                   {"echo 'State: STOPPED'", MITO_E_STOPPED},
                   {"exec sleep 100", MITO_E_STOPPED}};
    const char *attach =
        script("lxc-attach", "echo 'lxc-attach: c: Failed to get init pid' >&2\nexit 1\n");

    (void)state;
    assert_null(mito_lxc(tree, .lxc_attach_path = attach, .container = "c"));
    assert_error(MITO_E_STOPPED, "lxc.c: the container is not running");
    for (size_t i = 0; i < LENGTH(answers); i++) {
        script("lxc-info", "printf '%%s\n' \"$@\" >'%s/lxc-info.args'\n%s\n", scripts_dir,
               answers[i].answer);
        assert_null(mito_lxc(tree, .lxc_attach_path = attach, .container = "c", .lxc_args = args));
        assert_error(answers[i].code, "lxc.c: ");
        assert_arguments("lxc-info", "-P /v --name c --state ");
    }
}

static void wrong_arguments(void **state)
{
    static const char *const refused[][3] = {
        {"-l"},       {"-S"}, {"-A"},        {"-s"}, {"-e", "/f"}, {"-u", "x"},
        {"--user=x"}, {"-g"}, {"--askpass"}, {"--"}, {"ENV=var"},  {"--background"}};

    (void)state;
    for (size_t i = 0; i < LENGTH(refused); i++) {
        assert_null(mito_sudo(tree, .sudo_args = refused[i]));
        assert_error(MITO_E_INVALID, "sudo_args");
    }
    assert_null(mito_sudo(tree, .username = "-x"));
    assert_error(MITO_E_INVALID, "username");
    assert_null(mito_su(tree, .username = "a b"));
    assert_error(MITO_E_INVALID, "username");
    assert_null(mito_sudo(tree, .password = "a\nb"));
    assert_error(MITO_E_INVALID, "control character");
    assert_null(mito_doas(tree, .password = "\x03"));
    assert_error(MITO_E_INVALID, "control character");
    assert_null(mito_sudo(tree, .sudo_path = "/nowhere/sudo"));
    assert_error(MITO_E_NO_TOOL, "sudo.root: ");
    assert_null(mito_su(tree, .su_path = "/nowhere/su"));
    assert_error(MITO_E_NO_TOOL, "/nowhere/su");
}

/* sudo-rs asks in its own words. */
static void sudo_rs(void **state)
{
    char path[500];

    (void)state;
    snprintf(path, sizeof path, "%s/tests/hosts/standins/sudo-rs", top());
    assert_int_equal(setenv("MT_SUDO_RS_PASSWORD", "rs-pw", 1), 0);
    tree_up_(mito_sudo(tree, .sudo_path = path, .password = "rs-pw"), __LINE__);
    assert_null(mito_sudo(tree, .sudo_path = path, .password = "wrong"));
    assert_error(MITO_E_PASSWORD, "wrong password");
    assert_null(mito_sudo(tree, .sudo_path = path));
    assert_error(MITO_E_NO_PASSWORD, "set password");
    assert_int_equal(unsetenv("MT_SUDO_RS_PASSWORD"), 0);
}

/* --- where a password may not be --------------------------------------------------------------
 */

/* A password of admin's that nobody else on this machine uses, put together when it is needed, so
 * that it is not in the program's data. */
static const char *make_secret(char *out, size_t size)
{
    snprintf(out, size, "%s%d-%s", "mt", (int)getpid() % 7, "zq" /* and not */);
    for (char *c = out; *c != '\0'; c++)
        *c = (char)(*c + 1);
    return out;
}

/* Leaves no copy of it in this process. */
static void set_secret(const char *user)
{
    char secret[32], command[1000];

    snprintf(command, sizeof command, "'%s/tests/hosts/box-exec' '%s' chpasswd", top(), box);
    FILE *pipe = popen(command, "we");
    assert_non_null(pipe);
    setvbuf(pipe, NULL, _IONBF, 0);
    fputs(user, pipe);
    fputs(":", pipe);
    fputs(make_secret(secret, sizeof secret), pipe);
    fputs("\n", pipe);
    assert_int_equal(pclose(pipe), 0);
    explicit_bzero(secret, sizeof secret);
}

static bool next_range(FILE *maps, uintptr_t *from, uintptr_t *to)
{
    char line[512], mode[5];

    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long a, b;
        if (sscanf(line, "%lx-%lx %4s", &a, &b, mode) == 3 && mode[1] == 'w' &&
            strstr(line, "[v") == NULL) {
            *from = a, *to = b;
            return true;
        }
    }
    return false;
}

/* How often the secret is in the memory of this process that can be written. */
static int count_in_memory(void)
{
    enum { PIECE = 1 << 16, OVERLAP = 32 };
    static char piece[PIECE + OVERLAP];
    char needle[32];
    uintptr_t from, to;
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "re"), *memory = fopen("/proc/self/mem", "re");

    make_secret(needle, sizeof needle);
    size_t length = strlen(needle);
    while (maps != NULL && memory != NULL && next_range(maps, &from, &to)) {
        for (uintptr_t at = from; at < to; at += PIECE) {
            ssize_t n = pread(fileno(memory), piece, PIECE + length - 1, (off_t)at);
            for (ssize_t i = 0; i + (ssize_t)length <= n; i++) {
                uintptr_t where = at + (uintptr_t)i;
                if (memcmp(piece + i, needle, length) == 0 && where != (uintptr_t)needle &&
                    !(where >= (uintptr_t)piece && where < (uintptr_t)piece + sizeof piece))
                    found++;
            }
        }
    }
    explicit_bzero(piece, sizeof piece);
    explicit_bzero(needle, sizeof needle);
    if (maps != NULL)
        fclose(maps);
    if (memory != NULL)
        fclose(memory);
    return found;
}

MITO_FUNCTION(secrets_in_memory)
{
    struct rlimit limit = {0};

    getrlimit(RLIMIT_CORE, &limit);
    return mito_return(call, "(ii)", count_in_memory(), (int64_t)limit.rlim_cur);
}

static void not_in_memory(void **state)
{
    char secret[32];
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, limit;

    (void)state;
    set_secret("admin");
    setrlimit(RLIMIT_CORE, &all);
    struct mito_context *middle = tree_local();
    struct mito_context *user = in_box("admin");
    struct mito_context *root = tree_up_(
        mito_sudo(tree, .via = user, .password = make_secret(secret, sizeof secret)), __LINE__);
    assert_true(count_in_memory() > 0); /* the test can see it: it is still in `secret` */
    explicit_bzero(secret, sizeof secret);
#if !UNDER_ASAN && !UNDER_TSAN /* which keep copies of arguments and freed memory */
    int64_t count = -1, core = -1;
    assert_int_equal(count_in_memory(), 0);
    assert_int_equal(mito_call(user, &secrets_in_memory, "", "(ii)", &count, &core), 0);
    assert_int_equal(count, 0);
    assert_in_range(core, 0, 1);
    assert_int_equal(mito_call(root, &secrets_in_memory, "", "(ii)", &count, &core), 0);
    assert_int_equal(count, 0);
#endif
    assert_int_equal(uid_of(root), 0);
    assert_null(mito_sudo(tree, .via = middle, .sudo_path = "false", .password = "some"));
    tree_up_(mito_sudo(tree, .sudo_path = recorder("sudo"), .password = "some"), __LINE__);
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_true(limit.rlim_cur <= 1);
}

static bool watching;

/* Looks at all command lines and environments again and again. */
static void *watch_proc(void *arg)
{
    int *seen = arg;
    char secret[32], path[300], *text = malloc(1 << 20);

    make_secret(secret, sizeof secret);
    while (text != NULL && __atomic_load_n(&watching, __ATOMIC_ACQUIRE)) {
        DIR *proc = opendir("/proc");
        for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
            for (int i = 0; entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && i < 2; i++) {
                snprintf(path, sizeof path, "/proc/%s/%s", entry->d_name,
                         i == 0 ? "cmdline" : "environ");
                FILE *file = fopen(path, "re");
                size_t length = file != NULL ? fread(text, 1, 1 << 20, file) : 0;
                *seen += memmem(text, length, secret, strlen(secret)) != NULL;
                if (file != NULL)
                    fclose(file);
            }
        }
        if (proc != NULL)
            closedir(proc);
        sleep_ms(2);
    }
    free(text);
    return NULL;
}

/* Neither in a record, at any level, nor in a command line or environment, whether it is right or
 * not. */
static void not_seen_anywhere(void **state)
{
    char secret[32];
    int seen = 0;
    pthread_t thread;

    (void)state;
    tree_reopen(&(struct mito_router_options){.log_level = MITO_IO, .log_level_set = true});
    set_secret("admin");
    make_secret(secret, sizeof secret);
    __atomic_store_n(&watching, true, __ATOMIC_RELEASE);
    assert_int_equal(pthread_create(&thread, NULL, watch_proc, &seen), 0);
    struct mito_context *admin = in_box("admin");
    tree_up_(mito_sudo(tree, .via = admin, .password = secret), __LINE__);
    assert_null(mito_su(tree, .via = admin, .username = "target", .password = secret));
    assert_error(MITO_E_PASSWORD, "");
    assert_null(strstr(mito_error(), secret));
    tree_up_(box_ssh("admin", .password = secret), __LINE__);
    assert_null(box_ssh("password", .password = secret, .ssh_debug_level = 3));
    assert_null(strstr(mito_error(), secret));
    __atomic_store_n(&watching, false, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    assert_int_equal(seen, 0);
    tree_free();
    assert_true(tree_count_records(-1, NULL, "") > 10); /* at level io */
    assert_int_equal(tree_count_records(-1, NULL, secret), 0);
}

/* What asks when the first stage runs is not sudo any more: nothing is typed. */
static void never_typed_later(void **state)
{
    (void)state;
    const char *path = script("late",
                              "for command; do :; done\n"
                              "echo MITO_000 x86_64; printf 'Password: ' >/dev/tty\n"
                              "read -r line </dev/tty; echo \"typed: $line\" >'%s/typed'\n",
                              scripts_dir);
    assert_null(mito_sudo(tree, .sudo_path = path, .password = "secret", .connect_timeout = 1500));
    assert_error(MITO_E_TIMEOUT, "");
    char typed[300];
    snprintf(typed, sizeof typed, "%s/typed", scripts_dir);
    sleep_ms(200);
    FILE *file = fopen(typed, "re");
    if (file != NULL) { /* its terminal hung up: it read an empty line */
        char text[100] = "";
        assert_non_null(fgets(text, sizeof text, file));
        fclose(file);
        assert_string_equal(text, "typed: \n");
    }
}

/* Nor to a start-up file of the other account, which su has started when root needs no password. */
static void not_typed_for_others(void **state)
{
    (void)state;
    char path[400], text[100] = "";
    snprintf(path, sizeof path, "%s/home/cshy/.cshrc", box);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("sh -c 'printf \"Password: \" >&2; read -r line; echo \"$line\" >/tmp/mt-stolen'\n",
          file);
    fclose(file);
    struct mito_context *root = in_box("root");
    assert_null(mito_su(tree, .via = root, .username = "cshy", .password = "secret"));
    assert_error(MITO_E_PERMISSION, "something else than su");
    sleep_ms(300);
    file = fopen("/tmp/mt-stolen", "re");
    if (file != NULL) {
        assert_true(fgets(text, sizeof text, file) == NULL || strcmp(text, "\n") == 0);
        fclose(file);
    }
    unlink("/tmp/mt-stolen");
    unlink(path);
}

/* busybox's su asks on standard output; others write a part of a line elsewhere at that time. */
static void asks_in_odd_places(void **state)
{
    (void)state;
    const char *run = "[ \"$line\" = right ] || { echo 'su: incorrect password' >&2; exit 1; }\n"
                      "for command; do :; done\nexec sh -c \"$command\"\n";
    const char *path = script("busybox-su", "printf 'Password: '; read -r line; echo\n%s", run);
    tree_up_(mito_su(tree, .su_path = path, .password = "right"), __LINE__);
    assert_null(mito_su(tree, .su_path = path, .password = "wrong"));
    assert_error(MITO_E_PASSWORD, "");
    path = script("mixed-su",
                  "printf 'note ' >/dev/tty; sleep 0.1; printf 'Password: ' >&2\n"
                  "printf ' and another' >/dev/tty; read -r line; echo >&2\n%s",
                  run);
    tree_up_(mito_su(tree, .su_path = path, .password = "right"), __LINE__);
}

/* The connection, and the processes that it needed, end together. */
static void ends_with_us(void **state)
{
    (void)state;
    struct mito_context *user = in_box("admin");
    struct mito_context *root =
        tree_up_(mito_sudo(tree, .via = user, .password = "admin-pw"), __LINE__);
    pid_t pid = tree_pid_of(root), sudo = parent_of(pid);

    assert_int_equal(kill(sudo, SIGKILL), 0);
    int64_t until = now_ms() + GONE_WITHIN;
    while (mito_call(root, &uid, "", "i", NULL) == 0 && now_ms() < until)
        sleep_ms(20);
    assert_error(MITO_E_DEAD, "sudo.root");
    assert_true(pid_gone(pid, GONE_WITHIN));
    root = tree_up_(mito_sudo(tree, .via = user, .password = "admin-pw"), __LINE__);
    pid = tree_pid_of(root), sudo = parent_of(pid);
    assert_int_equal(mito_context_shutdown(user, PATIENCE), 0);
    assert_true(pid_gone(pid, GONE_WITHIN));
    assert_true(pid_gone(sudo, GONE_WITHIN));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(sudo_ways),
        TREE_TEST(su_ways),
        TREE_TEST(doas_ways),
        TREE_TEST(ssh_passwords),
        TREE_TEST(jump_hosts),
        TREE_TEST(a_chain_of_passwords),
        TREE_TEST(sudo_environment),
        TREE_TEST(arguments_of_sudo),
        TREE_TEST(arguments_of_ssh),
        TREE_TEST(arguments_of_containers),
        TREE_TEST(a_further_question),
        TREE_TEST(wrong_arguments),
        TREE_TEST(sudo_rs),
        TREE_TEST(never_typed_later),
        TREE_TEST(not_typed_for_others),
        TREE_TEST(asks_in_odd_places),
        TREE_TEST(ends_with_us),
        TREE_TEST(not_in_memory), /* from here on admin has another password */
        TREE_TEST(not_seen_anywhere),
    };

    mito_start(argc, argv);
    return cmocka_run_group_tests(tests, box_up, box_down);
}
