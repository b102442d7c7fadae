/* The first stage by itself: the very shell command that ssh would run, on this machine, in all the
 * shells and surroundings that a target may have. first_stage/ssh runs it. */
#include "test_target.h"

#include <fcntl.h>
#include <signal.h>

/* --- what a target has in PATH ----------------------------------------------------------------
 */

struct shell {
    const char *name;
    const char *sh;    /* what `sh` is there */
    const char *login; /* the account's shell */
};

static struct shell shells[] = {
    {"dash", "/bin/dash", "/bin/dash"},        {"bash", "/bin/bash", "/bin/bash"},
    {"bash_posix", NULL, "/bin/bash --posix"}, {"busybox", "/bin/busybox", "/bin/busybox ash"},
    {"ksh93", "/bin/ksh93", "/bin/ksh93"},     {"mksh", "/bin/mksh", "/bin/mksh"},
    {"zsh", "/bin/zsh", "/bin/zsh"},
};

/* A PATH with these tools, in which sh is that shell: taken in place of /bin/sh. */
static const char *setup_for(const struct shell *shell, const char *kind, const char *programs)
{
    static char setup[400];
    char name[50], all[400], wrapper[300];

    snprintf(name, sizeof name, "%s-%s", shell->name, kind);
    snprintf(wrapper, sizeof wrapper, "%s",
             shell->sh != NULL ? shell->sh : script("posix-sh", "exec /bin/bash --posix \"$@\"\n"));
    snprintf(all, sizeof all, TOOLS "%s sh=%s", programs, wrapper);
    snprintf(setup, sizeof setup, "PATH=%s; command=\"exec sh${command#exec /bin/sh}\"",
             bin(name, all));
    return setup;
}

static void plain(void **state)
{
    const struct shell *shell = *state;

    works(.shell = shell->login, .setup = setup_for(shell, "plain", "head gzip"));
}

static void without_gzip(void **state)
{
    const struct shell *shell = *state;

    works(.shell = shell->login, .setup = setup_for(shell, "raw", "head"));
}

static void without_head_c(void **state)
{
    const struct shell *shell = *state;
    const char *head = script("head", "echo 'head: unknown option' >&2; exit 1\n");
    char programs[300];

    snprintf(programs, sizeof programs, "dd gzip head=%s", head);
    works(.shell = shell->login, .setup = setup_for(shell, "dd", programs));
}

/* Nobody may have the image open for writing when it is started. Not all shells wait for what is on
 * the left of a pipe, so what starts head there must not have it either. */
static void written_by_one(void **state)
{
    const struct shell *shell = *state;
    const char *head = script(
        "lonely-head", "for fd in /proc/$PPID/fd/*; do case $(/usr/bin/readlink \"$fd\") in\n"
                       "*/.mitosis-*) [ \"${fd##*/}\" = 8 ] || exit 1;;\n"
                       "esac; done\n"
                       "exec /usr/bin/head \"$@\"\n");
    char programs[300];

    snprintf(programs, sizeof programs, "gzip head=%s", head);
    works(.shell = shell->login, .setup = setup_for(shell, "lonely", programs));
}

/* A head that leaves behind who has the image open for writing, until there is a file "let-go". (A
 * shell of busybox has a head of its own.) */
static const char *held_by_head(const struct shell *shell, const char *kind, const char *tools)
{
    const char *head = script("busy-head",
                              "until [ -e '%s/let-go' ]; do /bin/sleep 0.1; done "
                              "9>>/proc/$PPID/fd/8 >/dev/null 2>&1 </dev/null &\n"
                              "exec /usr/bin/head \"$@\"\n",
                              scripts_dir);
    char programs[700];

    snprintf(programs, sizeof programs, "gzip %s head=%s", tools, head);
    return setup_for(shell, kind, programs);
}

/* It is waited for, as it may only be slow to end; */
static void busy_for_a_moment(void **state)
{
    const struct shell *shell = *state;

    if (strcmp(shell->name, "busybox") == 0)
        return;
    free(output_of("(sleep 2; : >'%s/let-go') >/dev/null 2>&1 &", scripts_dir));
    works(.shell = shell->login, .setup = held_by_head(shell, "moment", "sleep"));
    free(output_of("rm '%s/let-go'", scripts_dir));
}

/* and when it does not end: an error in which the shell says so. */
static void busy(void **state)
{
    const struct shell *shell = *state;
    const char *no_time = script("no-time", "exit 0\n");
    char tools[300];

    if (strcmp(shell->name, "busybox") == 0)
        return;
    snprintf(tools, sizeof tools, "sleep=%s", no_time);
    fails(MITO_E_DIED, "ext file busy", .shell = shell->login,
          .setup = held_by_head(shell, "busy", tools));
    free(output_of(": >'%s/let-go'; sleep 0.3; rm '%s/let-go'", scripts_dir, scripts_dir));
}

/* set -C: shells refuse to write to a file that is there. */
static void with_noclobber(void **state)
{
    const struct shell *shell = *state;
    const char *sh = script("noclobber", "exec %s%s -C \"$@\"\n", shell->login,
                            strcmp(shell->name, "zsh") == 0 ? " --emulate sh" : "");
    char programs[300];

    snprintf(programs, sizeof programs, "head gzip sh=%s", sh);
    const struct shell wrapped = {shell->name, sh, shell->login};
    works(.shell = shell->login, .setup = setup_for(&wrapped, "noclobber", "head gzip"));
}

#if !UNDER_ASAN && !UNDER_TSAN /* whose run-time libraries need /proc */
/* The file cannot be started without its name then: the image removes it. */
static void without_proc(void **state)
{
    const struct shell *shell = *state;

    struct mito_context *context =
        works(.shell = shell->login, .setup = setup_for(shell, "proc", "head gzip"),
              .mounts = "mount -t tmpfs none /proc");
    assert_null(mito_local(tree, .via = context));
    assert_error(MITO_E_SYSTEM, "/proc");
}

/* Nor when its place has a name that needs quotes, nor when it cannot be started after all. */
static void without_proc_in_a_place_with_blanks(void **state)
{
    char mounts[400], place[300];

    (void)state;
    snprintf(place, sizeof place, "%s/a \"place' *", scripts_dir);
    assert_int_equal(mkdir(place, 0700), 0);
    assert_int_equal(setenv("MT_PLACE", place, 1), 0);
    snprintf(mounts, sizeof mounts, "mount -t tmpfs none /proc");
    struct mito_context *context =
        works(.mounts = mounts, .setup = "XDG_RUNTIME_DIR=$MT_PLACE; export XDG_RUNTIME_DIR");
    assert_string_equal(place_of(context), place);
    assert_int_equal(mito_context_shutdown(context, PATIENCE), 0);
    /* The connection ends in the middle. */
    fails(MITO_E_NO_PLACE, "a \"place' *", .mounts = mounts, .input = "head -c 5000",
          .setup = "XDG_RUNTIME_DIR=$MT_PLACE; export XDG_RUNTIME_DIR");
    assert_int_equal(rmdir(place), 0);
}
#endif

/* --- places -----------------------------------------------------------------------------------
 */

/* Each of the places, when those before it in the order do not take files. */
static void places_in_order(void **state)
{
    static const char *const places[] = {"$XDG_RUNTIME_DIR", "/dev/shm", "/run", "/tmp",
                                         "/var/tmp",         "$HOME",    "."};
    char setup[1000], mounts[3000], expected[300], *t = scripts_dir;

    (void)state;
    snprintf(setup, sizeof setup,
             "mkdir -p '%s/xdg' '%s/home' '%s/a dir'; export XDG_RUNTIME_DIR='%s/xdg' "
             "HOME='%s/home'; cd '%s/a dir'",
             t, t, t, t, t, t);
    free(output_of("%s", setup));
    /* Those below one of the others stay writable when that is not. */
    snprintf(mounts, sizeof mounts,
             "mount --bind '%s/home' '%s/home'; mount --bind '%s/a dir' '%s/a dir';", t, t, t, t);
    for (size_t i = 0; i < LENGTH(places); i++) {
        struct mito_context *context = works(.setup = setup, .mounts = mounts);
        snprintf(expected, sizeof expected, "%s%s", i == 0 || i >= 5 ? t : "",
                 i == 0   ? "/xdg"
                 : i == 5 ? "/home"
                 : i == 6 ? "/a dir"
                          : places[i]);
        assert_string_equal(place_of(context), expected);
        assert_int_equal(mito_context_shutdown(context, PATIENCE), 0);
        /* Now that one is read-only, for those that follow. */
        snprintf(mounts + strlen(mounts), sizeof mounts - strlen(mounts),
                 "mount --rbind '%s' '%s'; mount -o remount,bind,ro '%s';", expected, expected,
                 expected);
    }
    struct mito_context *context = works(.setup = setup, .mounts = mounts);
    assert_string_equal(place_of(context), IN_MEMORY);
    assert_int_equal(mito_context_shutdown(context, PATIENCE), 0);
    strcat(mounts, NO_INTERPRETERS);
    fails(MITO_E_NO_PLACE, "/var/tmp(cannot write)", .setup = setup, .mounts = mounts);
}

#define FULL "mount -t tmpfs -o size=64k none /dev/shm; "

/* A place that takes the file but not all of it is left for the next one. */
static void full_place(void **state)
{
    (void)state;
    assert_string_equal(place_of(works(.mounts = FULL, .setup = "unset XDG_RUNTIME_DIR")), "/run");
    works(.mounts = FULL, .setup = setup_for(&shells[0], "raw", "head"));
    works(.mounts = FULL "mount -t tmpfs none /proc", .setup = "unset XDG_RUNTIME_DIR");
}

/* Somebody has taken our name, or left it there. */
static void name_taken(void **state)
{
    char link[300];

    (void)state;
    snprintf(link, sizeof link, "%s/elsewhere", scripts_dir);
    assert_int_equal(mkdir(link, 0777), 0);
    assert_int_equal(setenv("MT_LINK", link, 1), 0);
    struct mito_context *context = works(.mounts = "mount -t tmpfs none /dev/shm; "
                                                   "mount -t tmpfs none /run",
                                         .setup = "unset XDG_RUNTIME_DIR;"
                                                  "mkdir /dev/shm/.mitosis-$$;"
                                                  "ln -s $MT_LINK /run/.mitosis-$$");
    assert_string_equal(place_of(context), "/tmp");
    pid_t pid = tree_pid_of(context);
    free(output_of("test -d /proc/%d/root/dev/shm/.mitosis-%d && "
                   "test -L /proc/%d/root/run/.mitosis-%d",
                   (int)pid, (int)pid, (int)pid, (int)pid));
    assert_int_equal(rmdir(link), 0); /* still empty */
}

/* Nobody else can look into the directory, or put something else there, whatever the umask. */
static void directory_is_private(void **state)
{
    char setup[500], path[300];
    const char *chmod_path =
        script("chmod", "stat -c %%a \"$2\" \"${2%%/*}\" >'%s/modes'\nexec /bin/chmod \"$@\"\n",
               scripts_dir);

    (void)state;
    snprintf(path, sizeof path, "chmod=%s", chmod_path);
    snprintf(setup, sizeof setup, "umask 000; PATH=%s:$PATH", bin("private", path));
    works(.setup = setup);
    char *modes = output_of("cat '%s/modes'", scripts_dir);
    assert_string_equal(modes, "666\n700\n");
    free(modes);
}

/* --- surroundings -----------------------------------------------------------------------------
 */

static void nothing_in_the_environment(void **state)
{
    (void)state;
    works(.setup = "for name in $(compgen -e); do unset -v $name; done 2>/dev/null; PATH=/usr/bin");
}

static void strange_surroundings(void **state)
{
    static const char *const setups[] = {
        "umask 000",
        "umask 777",
        "unset XDG_RUNTIME_DIR HOME",
        "export XDG_RUNTIME_DIR= HOME=",
        "export XDG_RUNTIME_DIR='/nowhere/a \"b' HOME='$(false) `false` *'",
        "export XDG_RUNTIME_DIR=/etc/passwd HOME=-n",
        "export XDG_RUNTIME_DIR=/proc",
        "export PATH=\":/nowhere:/a dir::$PATH:\"",
        "export IFS=/ POSIXLY_CORRECT=1 CDPATH=/ LC_ALL=tr_TR.UTF-8",
        "export u=1 m=2 t=3 d=4 f=5 k=6 n=7 p=8 get=9 say=10",
        "cd /; export PWD=/nowhere OLDPWD=",
        "ulimit -n 20",
        "ulimit -c 0; ulimit -f 65536",
        "trap '' PIPE HUP INT TERM",
        "exec 3>/dev/null 5</dev/null 8</dev/null 9>/dev/null",
        "exec 2>&-",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(setups); i++) {
        struct mito_context *context = connect_to(&(const struct target){.setup = setups[i]});
        if (context == NULL)
            fail_msg("%s: %s", setups[i], mito_error());
        place_of(context);
    }
}

/* A directory that is gone is where logins end up when a home was removed. */
static void in_a_directory_that_is_gone(void **state)
{
    char setup[500];

    (void)state;
    snprintf(setup, sizeof setup, "mkdir '%s/gone'; cd '%s/gone'; rmdir '%s/gone'", scripts_dir,
             scripts_dir, scripts_dir);
    works(.setup = setup);
}

/* An ordinary user, whose umask denies even itself everything. */
static void as_an_ordinary_user(void **state)
{
    const char *shell = script("nobody", "exec setpriv --reuid=65534 --regid=65534 "
                                         "--clear-groups /bin/sh \"$@\"\n");

    (void)state;
    struct mito_context *context = works(.shell = shell, .setup = "umask 777; cd /");
    assert_int_equal(status_of(tree_pid_of(context), "Uid"), 65534);
}

/* sshd of another making: two pipes in place of one socket, small pieces, late. */
static void through_pipes(void **state)
{
    (void)state;
    works(.input = "cat", .setup = "exec > >(cat)");
    works(.input = "dd bs=7 count=5000 2>/dev/null; sleep 0.1; cat", .setup = "exec > >(cat)");
}

/* What bash reads before any command. */
static void noise_of_login_scripts(void **state)
{
    const char *noise = script("bash-env", "echo Welcome; printf 'MITO_'; printf 'no end: '\n"
                                           "echo warning >&2\n");
    char setup[400];

    (void)state;
    snprintf(setup, sizeof setup, "export BASH_ENV='%s' ENV='%s'", noise, noise);
    works(.shell = "/bin/bash", .setup = setup);
}

/* Without a compressor on this side. Another program: this one has its image compressed by now. */
static int master_without_gzip(void)
{
    struct mito_context *context;
    int64_t pid;

    tree = mito_router_new(NULL);
    context = tree == NULL ? NULL : connect_to(&(const struct target){0});
    if (context == NULL || mito_call(context, &tree_pid, "", "i", &pid) < 0)
        printf("%s\n", mito_error());
    else
        printf("up\n");
    mito_router_free(tree);
    return 0;
}

static void no_gzip_here(void **state)
{
    char programs[500];

    (void)state;
    const char *never = script("never", "echo 'never to be run' >&2; exit 1\n");
    snprintf(programs, sizeof programs, TOOLS "sh bash head gzip=%s", never);
    char *out =
        output_of("PATH='%s' /proc/%d/exe without-gzip", bin("here", programs), (int)getpid());
    assert_string_equal(out, "up\n");
    free(out);
    snprintf(programs, sizeof programs, TOOLS "sh bash head");
    out = output_of("PATH='%s' /proc/%d/exe without-gzip", bin("here-2", programs), (int)getpid());
    assert_string_equal(out, "up\n");
    free(out);
}

/* --- what goes wrong half-way -----------------------------------------------------------------
 */

/* What unpacks the image: gzip, below one of the shells in the pipeline. */
static pid_t unpacker(pid_t shell)
{
    char *pid =
        output_of("for p in $(cat /proc/%d/task/*/children); do "
                  "for c in $(cat /proc/$p/task/*/children); do "
                  "[ $(cat /proc/$c/comm) = gzip ] && echo $c; done; done 2>/dev/null; true",
                  (int)shell);
    pid_t found = (pid_t)atoi(pid);

    free(pid);
    return found;
}

/* The shell, a child of ours once ssh's stand-in has become it, waits for the rest of the image. */
static pid_t wait_for_upload(pid_t *gzip)
{
    char path[64], name[PATH_MAX];

    for (int64_t until = now_ms() + PATIENCE; now_ms() < until; sleep_ms(5)) {
        pid_t shell = child_named(getpid(), "sh");
        snprintf(path, sizeof path, "/proc/%d/fd/8", (int)shell);
        memset(name, 0, sizeof name);
        if (shell > 0 && readlink(path, name, sizeof name - 1) > 0 &&
            strstr(name, "(deleted)") != NULL && (*gzip = unpacker(shell)) > 0)
            return shell;
    }
    fail_msg("no shell that receives an image");
    return 0;
}

/* kill -9 in the middle of the upload: what is left closes by itself, and had no name any more. */
static void killed_in_the_middle(void **state)
{
    char input[400], gate[300];
    struct mito_context *context = NULL;

    (void)state;
    snprintf(gate, sizeof gate, "%s/gate", scripts_dir);
    snprintf(input, sizeof input, "head -c 5000; until [ -e '%s' ]; do sleep 0.02; done; cat",
             gate);
    for (int i = 0; i < 2; i++) {
        MITO_AUTO_RECEIVER rx = mito_receiver_new(tree);
        describe(&(const struct target){.input = input});
        assert_int_equal(
            mito_ssh_async(tree, rx, NULL, .hostname = "target", .ssh_path = stand_in()), 0);
        pid_t gzip = 0, shell = wait_for_upload(&gzip);
        assert_int_equal(kill(i == 0 ? shell : gzip, SIGKILL), 0);
        free(output_of("touch '%s'", gate));
        MITO_AUTO_MESSAGE m = tree_receive(rx);
        assert_int_equal(mito_message_read(m, "c", &context), i == 0 ? -1 : 0);
        if (i == 0)
            assert_error(MITO_E_DIED, "signal 9");
        else
            assert_int_equal(mito_context_shutdown(context, PATIENCE), 0); /* sent once more */
        assert_nothing_new(before, "*", GONE_WITHIN);
        assert_no_child("sh");
        assert_int_equal(unlink(gate), 0);
    }
}

/* The connection ends in the middle, for the other side alone. */
static void cut_in_the_middle(void **state)
{
    (void)state;
    fails(MITO_E_NO_PLACE, "could not be written", .input = "head -c 5000");
    fails(MITO_E_NO_PLACE, "could not be written", .input = "head -c 0");
    fails(MITO_E_NO_PLACE, "could not be written", .input = "head -c 8");
}

/* Once: then it is sent again, for another place. Always: each place is tried. */
static void damaged_on_the_way(void **state)
{
    static const char damage[] = "head -c 3000; head -c 10 >/dev/null; printf 0123456789; ";
    char input[200];

    (void)state;
    snprintf(input, sizeof input, "%scat", damage);
    struct mito_context *context = works(.input = input, .setup = "exec > >(cat)");
    assert_int_equal(mito_context_shutdown(context, PATIENCE), 0);
    const char *gzip = script("gzip", "cat >/dev/null; exit 1\n");
    char programs[300], setup[400];
    snprintf(programs, sizeof programs, "gzip=%s", gzip);
    snprintf(setup, sizeof setup, "PATH=%s:$PATH", bin("no-unpacking", programs));
    fails(MITO_E_NO_PLACE, "/dev/shm(damaged)", .setup = setup);
}

static void closed_from_the_start(void **state)
{
    int64_t start = now_ms();

    (void)state;
    assert_null(connect_to(&(const struct target){.setup = "exec <&-"}));
    assert_true(mito_error_code() == MITO_E_NO_PLACE || mito_error_code() == MITO_E_DIED);
    assert_null(connect_to(&(const struct target){.setup = "exec >&-"}));
    assert_error(MITO_E_DIED, "exited with status");
    assert_null(connect_to(&(const struct target){.setup = "exec <&- >&-"}));
    assert_error(MITO_E_DIED, "exited with status");
    assert_null(connect_to(&(const struct target){.setup = "exec <&- >&- 2>&-"}));
    assert_error(MITO_E_DIED, "exited with status");
    assert_true(now_ms() - start < 20000 * SLOWNESS);
    assert_nothing_new(before, "*", GONE_WITHIN);
}

/* An image for this kind of machine that does not start all the same, as on a kernel too old. */
static void image_does_not_run(void **state)
{
    const char *gzip = script("gzip", "cat >/dev/null; printf '#!/nowhere/interpreter\\n'\n");
    char programs[300], setup[400];

    (void)state;
    snprintf(programs, sizeof programs, "gzip=%s", gzip);
    snprintf(setup, sizeof setup, "PATH=%s:$PATH", bin("bad-image", programs));
    fails(MITO_E_DIED, "the first stage exited with status 12", .setup = setup);
}

/* --- all of it --------------------------------------------------------------------------------
 */

#define IN_SHELL(test, n, name)                                                                    \
    {                                                                                              \
#test " in " name, test, tree_open, tree_close, &shells[n]                                 \
    }
#define IN_ALL_SHELLS(test)                                                                        \
    IN_SHELL(test, 0, "dash"), IN_SHELL(test, 1, "bash"), IN_SHELL(test, 2, "bash_posix"),         \
        IN_SHELL(test, 3, "busybox"), IN_SHELL(test, 4, "ksh93"), IN_SHELL(test, 5, "mksh"),       \
        IN_SHELL(test, 6, "zsh")

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        IN_ALL_SHELLS(plain),
        IN_ALL_SHELLS(without_gzip),
        IN_ALL_SHELLS(without_head_c),
        IN_ALL_SHELLS(written_by_one),
        IN_ALL_SHELLS(busy_for_a_moment),
        IN_SHELL(busy, 0, "dash"),
        IN_SHELL(busy, 4, "ksh93"),
        IN_SHELL(busy, 5, "mksh"),
        IN_ALL_SHELLS(with_noclobber),
#if !UNDER_ASAN && !UNDER_TSAN
        IN_ALL_SHELLS(without_proc),
        TREE_TEST(without_proc_in_a_place_with_blanks),
#endif
        TREE_TEST(places_in_order),
        TREE_TEST(full_place),
        TREE_TEST(name_taken),
        TREE_TEST(directory_is_private),
        TREE_TEST(nothing_in_the_environment),
        TREE_TEST(strange_surroundings),
        TREE_TEST(in_a_directory_that_is_gone),
        TREE_TEST(as_an_ordinary_user),
        TREE_TEST(through_pipes),
        TREE_TEST(noise_of_login_scripts),
        TREE_TEST(no_gzip_here),
        TREE_TEST(killed_in_the_middle),
        TREE_TEST(cut_in_the_middle),
        TREE_TEST(damaged_on_the_way),
        TREE_TEST(closed_from_the_start),
        TREE_TEST(image_does_not_run),
    };

    mito_start(argc, argv);
    if (argc > 1 && strcmp(argv[1], "without-gzip") == 0)
        return master_without_gzip();
    return cmocka_run_group_tests(tests, up, down);
}
