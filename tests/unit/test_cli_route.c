/* Routes: hops and their options, the plan of contexts that they make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../src/cli/address.c"
#include "../../src/cli/bytes.c"
#include "../../src/cli/complaint.c"
#include "../../src/cli/hop.c"
#include "../../src/cli/hosts.c"
#include "../../src/cli/memory.c"
#include "../../src/cli/method.c"
#include "../../src/cli/number.c"
#include "../../src/cli/option.c"
#include "../../src/cli/plan.c"
#include "../../src/cli/printable.c"
#include "../../src/cli/route.c"

/* Of password.c, which is about terminals. */
void passwords_wipe(struct passwords *p)
{
    *p = (struct passwords){0};
}

/* What the methods were asked to open, as text. */
static struct bytes opened;

static void add_field(const char *name, const char *value)
{
    if (value == NULL)
        return;
    bytes_add_text(&opened, " ");
    bytes_add_text(&opened, name);
    bytes_add_text(&opened, "=");
    bytes_add_text(&opened, value);
}

static void add_number(const char *name, int value)
{
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    add_field(name, value != 0 ? text : NULL);
}

/* clang-format off */
#define TEXT_FIELD(f)   add_field(#f, o->f)
#define NUMBER_FIELD(f) add_number(#f, (int)o->f)
#define LIST_FIELD(f)                                                                              \
    for (const char *const *item = o->f; item != NULL && *item != NULL; item++)                    \
        add_field(#f, *item)
#define SHOW(method, ...)                                                                          \
    static void show_##method(const void *options)                                                 \
    {                                                                                              \
        const struct mito_##method##_options *o = options;                                         \
        __VA_ARGS__;                                                                               \
    }

SHOW(local, (void)o)
SHOW(ssh, TEXT_FIELD(hostname); TEXT_FIELD(username); NUMBER_FIELD(port); TEXT_FIELD(identity_file);
     NUMBER_FIELD(identities_only); TEXT_FIELD(password); NUMBER_FIELD(check_host_keys);
     NUMBER_FIELD(compression); NUMBER_FIELD(keepalive_interval); NUMBER_FIELD(keepalive_count);
     NUMBER_FIELD(ssh_debug_level); TEXT_FIELD(ssh_path); LIST_FIELD(ssh_args))
SHOW(sudo, TEXT_FIELD(username); TEXT_FIELD(password); TEXT_FIELD(sudo_path); NUMBER_FIELD(set_home);
     NUMBER_FIELD(preserve_env); NUMBER_FIELD(login); TEXT_FIELD(selinux_role);
     TEXT_FIELD(selinux_type); LIST_FIELD(sudo_args))
SHOW(su, TEXT_FIELD(username); TEXT_FIELD(password); TEXT_FIELD(su_path))
SHOW(doas, TEXT_FIELD(username); TEXT_FIELD(password); TEXT_FIELD(doas_path))
SHOW(docker, TEXT_FIELD(container); TEXT_FIELD(image); TEXT_FIELD(username);
     TEXT_FIELD(docker_path); LIST_FIELD(docker_args))
SHOW(podman, TEXT_FIELD(container); TEXT_FIELD(image); TEXT_FIELD(username);
     TEXT_FIELD(podman_path); LIST_FIELD(podman_args))
SHOW(buildah, TEXT_FIELD(container); TEXT_FIELD(username); TEXT_FIELD(buildah_path);
     LIST_FIELD(buildah_args))
SHOW(kubectl, TEXT_FIELD(pod); TEXT_FIELD(namespace); TEXT_FIELD(container);
     TEXT_FIELD(kubectl_path); LIST_FIELD(kubectl_args))
SHOW(lxc, TEXT_FIELD(container); TEXT_FIELD(lxc_attach_path); LIST_FIELD(lxc_args))
SHOW(lxd, TEXT_FIELD(container); TEXT_FIELD(lxc_path); LIST_FIELD(lxd_args))
SHOW(incus, TEXT_FIELD(container); TEXT_FIELD(incus_path); LIST_FIELD(incus_args))
SHOW(jail, TEXT_FIELD(container); TEXT_FIELD(username); TEXT_FIELD(jexec_path))
SHOW(setns, TEXT_FIELD(container); TEXT_FIELD(kind); NUMBER_FIELD(pid); TEXT_FIELD(username);
     TEXT_FIELD(tool_path))

#define SHOWN(method) {#method, show_##method, sizeof(struct mito_##method##_options)}
static const struct {
    const char *name;
    void (*show)(const void *options);
    size_t size;
} shown[] = {
    SHOWN(local), SHOWN(ssh), SHOWN(sudo), SHOWN(su), SHOWN(doas), SHOWN(docker), SHOWN(podman),
    SHOWN(buildah), SHOWN(kubectl), SHOWN(lxc), SHOWN(lxd), SHOWN(incus), SHOWN(jail),
    SHOWN(setns),
};
/* clang-format on */
enum { METHODS = sizeof shown / sizeof *shown };

/* In place of the library's. */
int mito_connect_async_(struct mito_router *router, struct mito_receiver *rx, void *tag,
                        const char *method, const void *options)
{
    const struct mito_local_options *common = options;
    (void)router, (void)rx, (void)tag;
    bytes_add_text(&opened, method);
    add_field("via", (const char *)common->via);
    add_field("remote_name", common->remote_name);
    add_number("connect_timeout", common->connect_timeout);
    add_number("unidirectional", common->unidirectional);
    add_number("debug", common->debug);
    for (size_t i = 0; i < METHODS; i++) {
        if (strcmp(shown[i].name, method) == 0)
            shown[i].show(options);
    }
    return 7;
}

static void check_open(const struct hop *hop, const struct passwords *passwords)
{
    assert_int_equal(hop_open(hop, passwords, NULL, NULL, NULL, NULL), 7);
}

/* What the hop opens, or "! complaint". From malloc(). */
static char *open_hop(const char *text)
{
    static const struct passwords none;
    struct complaint why = {""};
    struct hop *hop = hop_parse(text, strlen(text), &why);
    if (hop == NULL)
        return memory_printf("! %s", why.text);
    check_open(hop, &none);
    hop_free(hop);
    return bytes_take_text(&opened);
}

static void check_hop(const char *text, const char *expected)
{
    char *got = open_hop(text);
    assert_string_equal(got, expected);
    free(got);
}

static void test_ssh_targets(void **state)
{
    (void)state;
    check_hop("web", "ssh hostname=web");
    check_hop("ssh:web", "ssh hostname=web");
    check_hop("admin@web", "ssh hostname=web username=admin");
    check_hop("ssh:admin@web:2222", "ssh hostname=web username=admin port=2222");
    check_hop("web:22", "ssh hostname=web port=22");
    check_hop("u@dom.ain@web", "ssh hostname=web username=u@dom.ain");
    check_hop("[2001:db8::1]", "ssh hostname=2001:db8::1");
    check_hop("[2001:db8::1]:22", "ssh hostname=2001:db8::1 port=22");
    check_hop("u@[::1]:22", "ssh hostname=::1 username=u port=22");
    check_hop("ssh:u@[fe80::1%eth0]:22", "ssh hostname=fe80::1%eth0 username=u port=22");
    check_hop("2001:db8::1", "ssh hostname=2001:db8::1");
    check_hop("::1", "ssh hostname=::1");
    check_hop("fe80::1%eth0", "ssh hostname=fe80::1%eth0");
    check_hop("ssh:local", "ssh hostname=local");
    check_hop("local", "ssh hostname=local");
    check_hop("h\xc3\xb6st", "ssh hostname=h\xc3\xb6st");
}

static void test_local_targets(void **state)
{
    (void)state;
    check_hop("local:", "local");
    check_hop("local:any name?", "! blank in name 'any name'");
    check_hop("local:-x", "! name '-x' starts with '-'");
    check_hop("local:?remote_name=r&connect_timeout=1.5",
              "local remote_name=r connect_timeout=1500");
    check_hop("local:?name=x&unidirectional=yes&debug=yes", "local unidirectional=1 debug=1");
}

static void test_ssh_options(void **state)
{
    (void)state;
    check_hop("web?port=2222&identity_file=%2Fhome%2fu%20x%2Fid&check_host_keys=accept"
              "&ssh_path=%2Fbin%2Fssh&connect_timeout=7&username=u&remote_name=me"
              "&ssh_arg=-oProxyCommand%3Dsshd%20-i&ssh_arg=-v",
              "ssh remote_name=me connect_timeout=7000 hostname=web username=u port=2222"
              " identity_file=/home/u x/id check_host_keys=1 ssh_path=/bin/ssh"
              " ssh_args=-oProxyCommand=sshd -i ssh_args=-v");
    check_hop("web?check_host_keys=ignore", "ssh hostname=web check_host_keys=2");
    check_hop("web?check_host_keys=enforce", "ssh hostname=web");
    check_hop("web?ssh_arg=a=b", "ssh hostname=web ssh_args=a=b");
    check_hop("web?identities_only=yes&compression=yes&keepalive_interval=5&keepalive_count=2"
              "&ssh_debug_level=3",
              "ssh hostname=web identities_only=1 compression=1 keepalive_interval=5"
              " keepalive_count=2 ssh_debug_level=3");
    check_hop("web?keepalive_interval=-1", "ssh hostname=web keepalive_interval=-1");
    check_hop("ssh:?hostname=web&port=22", "ssh hostname=web port=22");
    check_hop("u@?hostname=web", "ssh hostname=web username=u");
}

static void test_bad_targets(void **state)
{
    (void)state;
    check_hop("ssh:", "! ssh: no hostname given");
    check_hop("u@", "! ssh: no hostname given");
    check_hop("@web", "! empty username");
    check_hop("-oProxyCommand=x", "! hostname '-oProxyCommand=x' starts with '-'");
    check_hop("u@-web", "! hostname '-web' starts with '-'");
    check_hop("-l@web", "! username '-l' starts with '-'");
    check_hop("[-web]", "! bad address '[-web]'");
    check_hop("we b", "! blank in hostname 'we b'");
    check_hop("u x@web", "! blank in username 'u x'");
    check_hop("we\tb", "! control character in hostname");
    check_hop("we\x1b[31mb", "! control character in hostname");
    check_hop("we\xc2\x9b"
              "b",
              "! control character in hostname");
    check_hop("we\xff", "! hostname is not UTF-8");
    check_hop("web:", "! empty port");
    check_hop("web:0", "! port: '0' is not in 1 to 65535");
    check_hop("web:65536", "! port: '65536' is not in 1 to 65535");
    check_hop("ssh:web:x", "! port: 'x' is not in 1 to 65535");
    check_hop("u@web:x", "! port: 'x' is not in 1 to 65535");
    check_hop("[::1", "! bad address '[::1'");
    check_hop("[:1]:22", "! bad address '[:1]'");
    check_hop("2001:db8:::1", "! bad address '2001:db8:::1'");
    check_hop("[::1]x", "! bad address '[::1]x'");
    check_hop("[::1]:", "! empty port");
    check_hop("[::1]::22", "! port: ':22' is not in 1 to 65535");
    check_hop("ssh:a:b:c:x", "! bad address 'a:b:c:x'");
    check_hop("vserver:c1", "! unknown method 'vserver'");
    check_hop("SSH:web", "! unknown method 'SSH'");
    check_hop("ssh2:web:22", "! unknown method 'ssh2'");
}

static void test_bad_options(void **state)
{
    (void)state;
    check_hop("web?", "! option '' needs a value");
    check_hop("web?port", "! option 'port' needs a value");
    check_hop("web?port=", "! empty port");
    check_hop("web?port=22&", "! option '' needs a value");
    check_hop("web?colour=red", "! method ssh has no option 'colour'");
    check_hop("local:?port=22", "! method local has no option 'port'");
    check_hop("web?port=0", "! port: '0' is not in 1 to 65535");
    check_hop("web?port=22x", "! port: '22x' is not in 1 to 65535");
    check_hop("web?port=-1", "! port: '-1' is not in 1 to 65535");
    check_hop("web?port=99999999999999999999",
              "! port: '99999999999999999999' is not in 1 to 65535");
    check_hop("web:22?port=22", "! port is given twice");
    check_hop("u@web?username=v", "! username is given twice");
    check_hop("web?ssh_path=a&ssh_path=b", "! ssh_path is given twice");
    check_hop("web?connect_timeout=0", "! connect_timeout: bad number of seconds '0'");
    check_hop("web?connect_timeout=nan", "! connect_timeout: bad number of seconds 'nan'");
    check_hop("web?connect_timeout=1e9", "! connect_timeout: bad number of seconds '1e9'");
    check_hop("web?check_host_keys=no", "! check_host_keys is enforce, accept or ignore, not 'no'");
    check_hop("web?username=-l", "! username '-l' starts with '-'");
    check_hop("web?identity_file=a%", "! '%' must start a byte in hex, as in %2F");
    check_hop("web?identity_file=a%2", "! '%' must start a byte in hex, as in %2F");
    check_hop("web?identity_file=%zz", "! '%' must start a byte in hex, as in %2F");
    check_hop("web?identity_file=%00", "! '%' must start a byte in hex, as in %2F");
    check_hop("web?identity_file=a%0Ab", "! control character in identity_file");
    check_hop("web?identity_file=a%ff", "! identity_file is not UTF-8");
}

static void test_accounts(void **state)
{
    (void)state;
    check_hop("sudo:", "sudo username=root");
    check_hop("sudo:root", "sudo username=root");
    check_hop("sudo:ci", "sudo username=ci");
    check_hop("sudo:ci@example.org", "sudo username=ci@example.org");
    check_hop("sudo:?username=ci", "sudo username=ci");
    check_hop("sudo:ci?sudo_path=%2Fs&set_home=yes&preserve_env=yes&login=yes&selinux_role=r"
              "&selinux_type=t&sudo_arg=-g&sudo_arg=wheel",
              "sudo username=ci sudo_path=/s set_home=1 preserve_env=1 login=1 selinux_role=r"
              " selinux_type=t sudo_args=-g sudo_args=wheel");
    check_hop("sudo:?set_home=no", "sudo username=root");
    check_hop("su:ci?su_path=%2Fs", "su username=ci su_path=/s");
    check_hop("su:", "su username=root");
    check_hop("doas:?doas_path=%2Fd&connect_timeout=5",
              "doas connect_timeout=5000 username=root doas_path=/d");
    check_hop("sudo:-x", "! username '-x' starts with '-'");
    check_hop("sudo:a b", "! blank in username 'a b'");
    check_hop("sudo:ci?username=ci", "! username is given twice");
    check_hop("sudo:?set_home=1", "! set_home is no or yes, not '1'");
    check_hop("sudo:?set_home=no&set_home=no", "! set_home is given twice");
    check_hop("sudo:?sudo_args=-g", "! method sudo has no option 'sudo_args'");
    check_hop("sudo:?via=x", "! method sudo has no option 'via'");
}

static void test_containers(void **state)
{
    (void)state;
    check_hop("docker:web", "docker container=web");
    check_hop("docker:app@web", "docker container=web username=app");
    check_hop(
        "docker:web?username=app&docker_path=d&docker_arg=-H&docker_arg=unix:%2F%2Fx",
        "docker container=web username=app docker_path=d docker_args=-H docker_args=unix://x");
    check_hop("docker:?image=busybox", "docker image=busybox");
    check_hop("docker:0@?image=library%2Fbusybox:1.36",
              "docker image=library/busybox:1.36 username=0");
    check_hop("podman:app@web?podman_path=p&podman_arg=-r",
              "podman container=web username=app podman_path=p podman_args=-r");
    check_hop("podman:?image=busybox", "podman image=busybox");
    check_hop("buildah:0@c?buildah_path=b&buildah_arg=--isolation%3Dchroot",
              "buildah container=c username=0 buildah_path=b buildah_args=--isolation=chroot");
    check_hop("kubectl:pod-1?namespace=x&container=y&kubectl_path=k&kubectl_arg=--context%3Dz",
              "kubectl pod=pod-1 namespace=x container=y kubectl_path=k kubectl_args=--context=z");
    check_hop("kubectl:?pod=deployment%2Fweb", "kubectl pod=deployment/web");
    check_hop("kubectl:a@b", "kubectl pod=a@b");
    check_hop("lxc:build?lxc_attach_path=l&lxc_arg=-P&lxc_arg=%2Fv",
              "lxc container=build lxc_attach_path=l lxc_args=-P lxc_args=/v");
    check_hop("lxd:far:c1?lxc_path=l&lxd_arg=--force-noninteractive",
              "lxd container=far:c1 lxc_path=l lxd_args=--force-noninteractive");
    check_hop("incus:c1?incus_path=i&incus_arg=-T",
              "incus container=c1 incus_path=i incus_args=-T");
    check_hop("jail:www@7?jexec_path=j", "jail container=7 username=www jexec_path=j");
    check_hop("docker:", "! docker: no container or image given");
    check_hop("docker:app@", "! docker: no container or image given");
    check_hop("docker:web?image=x", "! docker: both container and image given");
    check_hop("docker:-web", "! container '-web' starts with '-'");
    check_hop("docker:@web", "! empty username");
    check_hop("docker:a@web?username=b", "! username is given twice");
    check_hop("docker:web:22", "docker container=web:22");
    check_hop("buildah:", "! buildah: no container given");
    check_hop("kubectl:", "! kubectl: no pod given");
    check_hop("lxc:?lxc_arg=-q", "! lxc: no container given");
    check_hop("lxc:app@c", "lxc container=app@c");
}

static void test_setns(void **state)
{
    (void)state;
    check_hop("setns:1234", "setns pid=1234");
    check_hop("setns:?pid=1234", "setns pid=1234");
    check_hop("setns:ci@1234", "setns pid=1234 username=ci");
    check_hop("setns:web?kind=docker&username=0&tool_path=%2Fd",
              "setns container=web kind=docker username=0 tool_path=/d");
    check_hop("setns:ci@m1?kind=machinectl", "setns container=m1 kind=machinectl username=ci");
    check_hop("setns:?container=1234&kind=lxc", "setns container=1234 kind=lxc");
    check_hop("setns:", "! setns: no container or pid given");
    check_hop("setns:web", "! setns: container and kind go together");
    check_hop("setns:1234?kind=lxc", "! setns: container and kind go together");
    check_hop("setns:web?pid=1&kind=lxc", "! setns: both container and pid given");
    check_hop("setns:0", "! pid: '0' is not in 1 to 2147483647");
    check_hop("setns:2147483648", "! pid: '2147483648' is not in 1 to 2147483647");
    check_hop("setns:2147483647", "setns pid=2147483647");
    check_hop("setns:web?kind=jail",
              "! kind is docker, podman, lxc, lxd, incus or machinectl, not 'jail'");
}

static void test_numbers(void **state)
{
    (void)state;
    check_hop("web?keepalive_interval=-2", "! keepalive_interval: '-2' is not in -1 to 2147483647");
    check_hop("web?keepalive_interval=-", "! keepalive_interval: '-' is not in -1 to 2147483647");
    check_hop("web?keepalive_interval=--1",
              "! keepalive_interval: '--1' is not in -1 to 2147483647");
    check_hop("web?keepalive_interval=-0", "! keepalive_interval: '-0' is not in -1 to 2147483647");
    check_hop("web?keepalive_count=0", "! keepalive_count: '0' is not in 1 to 2147483647");
    check_hop("web?ssh_debug_level=4", "! ssh_debug_level: '4' is not in 0 to 3");
    check_hop("web?ssh_debug_level=-1", "! ssh_debug_level: '-1' is not in 0 to 3");
}

/* A password gets into the options when the hop is opened, and into nothing else. */
static void test_passwords(void **state)
{
    (void)state;
    static char account[] = "acc", login[] = "log";
    static const struct {
        const char *hop, *opens;
    } hops[] = {
        {"web", "ssh hostname=web password=log"}, {"sudo:", "sudo username=root password=acc"},
        {"su:", "su username=root password=acc"}, {"doas:", "doas username=root password=acc"},
        {"docker:c", "docker container=c"},       {"local:", "local"},
    };
    const struct passwords passwords = {.account = account, .login = login};
    struct complaint why;
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        struct hop *hop = hop_parse(hops[i].hop, strlen(hops[i].hop), &why);
        check_open(hop, &passwords);
        char *got = bytes_take_text(&opened);
        assert_string_equal(got, hops[i].opens);
        free(got);
        assert_null(strstr(hop->key, "acc"));
        assert_null(strstr(hop->key, "log"));
        hop_free(hop);
    }
    check_hop("web?password=x", "! a password has no place in a route; use --ask-ssh-pass");
    check_hop("sudo:?password=x", "! a password has no place in a route; use --ask-pass");
    check_hop("su:?password=x", "! a password has no place in a route; use --ask-pass");
    check_hop("doas:?password=", "! a password has no place in a route; use --ask-pass");
    check_hop("docker:c?password=x", "! method docker has no option 'password'");
}

/* Every field of every struct has a row: what is left over is padding, less than a pointer. */
static void test_tables_are_complete(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        [TEXT] = sizeof(char *),
        [WORD] = sizeof(char *),
        [SECRET] = sizeof(char *),
        [TEXTS] = sizeof(char *),
        [CONTAINER_KIND] = sizeof(char *),
        [TRUTH] = sizeof(bool),
        [SECONDS] = sizeof(int),
        [PORT] = sizeof(int),
        [COUNT] = sizeof(int),
        [INTERVAL] = sizeof(int),
        [LEVEL] = sizeof(int),
        [HOST_KEYS] = sizeof(int),
    };
    for (size_t i = 0; i < METHODS; i++) {
        const struct method *method = method_named(shown[i].name, strlen(shown[i].name));
        bool covered[sizeof(union method_options)] = {false};
        memset(covered, true, sizeof(struct mito_context *)); /* via */
        assert_non_null(method);
        size_t count = 0;
        for (const struct method_option *o = method->options; o->name != NULL; o++, count++) {
            assert_int_equal(o->offset % sizes[o->kind], 0);
            for (size_t at = o->offset; at < o->offset + sizes[o->kind]; at++) {
                assert_false(covered[at]);
                covered[at] = true;
            }
        }
        assert_in_range(count, 1, 31); /* bits of hop->given */
        size_t gap = 0;
        for (size_t at = 0; at < shown[i].size; at++) {
            gap = covered[at] ? 0 : gap + 1;
            if (gap >= sizeof(char *))
                fail_msg("%s: byte %zu has no row", method->name, at);
        }
    }
}

static void test_keys(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"web", "ssh:web"},
        {"u@web:22", "ssh:web?port=22&username=u"},
        {"web?port=22&username=u", "web?username=u&port=22"},
        {"[::1]:22", "::1?port=22"},
        {"web?check_host_keys=enforce", "web"},
        {"web?ssh_path=%2Fx%20y", "web?ssh_path=%2fx y"},
        {"local:", "local:local"},
        {"sudo:", "sudo:root"},
        {"sudo:?username=ci&set_home=no", "sudo:ci"},
        {"docker:app@web", "docker:web?username=app"},
        {"docker:?container=web", "docker:web"},
        {"docker:?image=a%2Fb&username=u", "docker:u@?image=a%2fb"},
        {"setns:12", "setns:?pid=0012"},
        {"setns:?container=web&kind=lxc", "setns:web?kind=lxc"},
        {"kubectl:?pod=deployment%2Fweb", "kubectl:?pod=deployment%2fweb"},
        {"web?compression=yes&keepalive_interval=-1", "web?keepalive_interval=-1&compression=yes"},
    };
    static const char *const different[][2] = {
        {"web", "web2"},
        {"web", "web?port=22"},
        {"ssh:local", "local:"},
        {"local:a", "local:b"},
        {"web?ssh_arg=a&ssh_arg=b", "web?ssh_arg=b&ssh_arg=a"},
        {"web?ssh_arg=a%26ssh_arg%3Db", "web?ssh_arg=a&ssh_arg=b"},
        {"web?check_host_keys=accept", "web?check_host_keys=ignore"},
        {"sudo:", "su:"},
        {"sudo:", "sudo:?login=yes"},
        {"docker:c", "docker:?image=c"},
        {"docker:c", "podman:c"},
        {"docker:?container=web%3Fusername%3Dx", "docker:x@web"},
        {"setns:12", "setns:?container=12&kind=lxc"},
    };
    struct complaint why;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct hop *a = hop_parse(same[i][0], strlen(same[i][0]), &why);
        struct hop *b = hop_parse(same[i][1], strlen(same[i][1]), &why);
        assert_string_equal(a->key, b->key);
        hop_free(b);
        b = hop_parse(a->key, strlen(a->key), &why); /* a key can be read back */
        assert_string_equal(a->key, b->key);
        hop_free(a);
        hop_free(b);
    }
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        struct hop *a = hop_parse(different[i][0], strlen(different[i][0]), &why);
        struct hop *b = hop_parse(different[i][1], strlen(different[i][1]), &why);
        assert_string_not_equal(a->key, b->key);
        hop_free(a);
        hop_free(b);
    }
}

/* ------------------------------------------------------------------------------------------- */

static void check_route(const char *text, const char *expected)
{
    struct route route;
    struct complaint why = {""};
    struct bytes out = {0};
    if (route_parse(&route, text, &why) < 0) {
        bytes_add_text(&out, why.text);
    } else {
        for (size_t i = 0; i < route.count; i++) {
            bytes_add_text(&out, i > 0 ? " " : "");
            bytes_add_text(&out, route.hops[i]->key);
        }
        route_free(&route);
    }
    char *got = bytes_take_text(&out);
    assert_string_equal(got, expected);
    free(got);
}

static void test_routes(void **state)
{
    (void)state;
    check_route("web", "ssh:web");
    check_route("ssh:admin@bastion?port=2222/ssh:db1",
                "ssh:bastion?username=admin&port=2222 ssh:db1");
    check_route("a/local:/[::1]:22", "ssh:a local:local ssh:::1?port=22");
    check_route("a?identity_file=%2Fk/b", "ssh:a?identity_file=%2Fk ssh:b");
    check_route("db1/sudo:/docker:app@web/lxc:build/su:ci",
                "ssh:db1 sudo:root docker:web?username=app lxc:build su:ci");
    check_route(
        "a/sudo:?password=geheim/b",
        "bad route 'a/sudo:?password=...': a password has no place in a route; use --ask-pass");
    check_route("a?x=1&password=geheim",
                "bad route 'a?x=1&password=...': method ssh has no option 'x'");
    check_route("", "bad route '': empty hop");
    check_route("/a", "bad route '/a': empty hop");
    check_route("a/", "bad route 'a/': empty hop");
    check_route("a//b", "bad route 'a//b': empty hop");
    check_route("a/b?x=y/c", "bad route 'a/b?x=y/c': method ssh has no option 'x'");
    check_route(
        "1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2",
        "ssh:1 ssh:2 ssh:3 ssh:4 ssh:5 ssh:6 ssh:7 ssh:8 ssh:9 ssh:0 ssh:1 ssh:2 ssh:3 ssh:4 "
        "ssh:5 ssh:6 ssh:7 ssh:8 ssh:9 ssh:0 ssh:1 ssh:2 ssh:3 ssh:4 ssh:5 ssh:6 ssh:7 ssh:8 "
        "ssh:9 ssh:0 ssh:1 ssh:2");
    check_route("1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3",
                "bad route '1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3': "
                "more than 32 hops");
}

/* ------------------------------------------------------------------------------------------- */

/* Every node as "depth:label(unfinished)", targets with a '*'. */
static char *plan_text(const struct plan *plan)
{
    struct bytes out = {0};
    for (struct node *node = NULL; (node = plan_next(plan, node)) != NULL;) {
        int depth = 0;
        for (const struct node *up = node->parent; up != NULL; up = up->parent)
            depth++;
        char *text = memory_printf("%s%d:%s%s(%zu)", out.length > 0 ? " " : "", depth, node->label,
                                   node->is_target ? "*" : "", node->unfinished);
        bytes_add_text(&out, text);
        free(text);
    }
    return bytes_take_text(&out);
}

static void add(struct plan *plan, const char *text)
{
    struct complaint why;
    assert_int_equal(plan_add(plan, text, &why), 0);
}

static void check_plan(struct plan *plan, const char *expected)
{
    plan_set_labels(plan);
    char *got = plan_text(plan);
    assert_string_equal(got, expected);
    free(got);
    plan_free(plan);
}

static void test_shared_prefixes(void **state)
{
    (void)state;
    struct plan plan = {0};
    add(&plan, "b/db1");
    add(&plan, "ssh:b/db2");
    add(&plan, "b/db1/local:x");
    add(&plan, "b/db2"); /* again */
    add(&plan, "u@b/db3");
    add(&plan, "c");
    assert_int_equal(plan.target_count, 5);
    assert_int_equal(plan.node_count, 7);
    check_plan(&plan, "0:b(3) 1:db1*(2) 2:x*(1) 1:db2*(1) 0:b(1) 1:db3*(1) 0:c*(1)");
}

static void test_prefix_that_is_a_target(void **state)
{
    (void)state;
    struct plan plan = {0};
    add(&plan, "b/db1");
    add(&plan, "b");
    check_plan(&plan, "0:b*(2) 1:db1*(1)");
}

static void test_via(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct complaint why;
    assert_int_equal(plan_via(&plan, "gate/b", &why), 0);
    add(&plan, "db1");
    add(&plan, "local:x");
    check_plan(&plan, "0:gate(2) 1:b(2) 2:db1*(1) 2:x*(1)");

    assert_int_equal(plan_via(&plan, "b[1-2]", &why), -1);
    assert_string_equal(why.text, "--via takes one route, not 'b[1-2]'");
    assert_int_equal(plan_via(&plan, "", &why), -1);
    assert_int_equal(plan_via(&plan, "b//c", &why), -1);
    plan_free(&plan);
}

static void test_labels_of_accounts(void **state)
{
    (void)state;
    struct plan plan = {0};
    add(&plan, "web1/sudo:");
    add(&plan, "web2/sudo:/doas:ci");
    add(&plan, "db/su:ci/docker:c/su:app");
    add(&plan, "sudo:ci");
    check_plan(&plan, "0:web1(1) 1:web1*(1) 0:web2(1) 1:web2(1) 2:web2*(1) 0:db(1) 1:db(1) 2:c(1) "
                      "3:c*(1) 0:ci*(1)");
    add(&plan, "web");
    add(&plan, "web/sudo:");
    add(&plan, "web/sudo:ci");
    check_plan(&plan, "0:ssh:web*(3) 1:ssh:web/sudo:root*(1) 1:ssh:web/sudo:ci*(1)");
}

static void test_last_hop(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct complaint why;
    assert_int_equal(plan_via(&plan, "gate", &why), 0);
    assert_int_equal(plan_end_with(&plan, "sudo:", &why), 0);
    add(&plan, "web1");
    add(&plan, "web1/local:");
    assert_true(plan_asks(&plan, true));
    assert_true(plan_asks(&plan, false));
    check_plan(&plan, "0:gate(2) 1:web1(2) 2:web1*(1) 2:local(1) 3:local*(1)");

    add(&plan, "local:/docker:c");
    assert_false(plan_asks(&plan, true));
    assert_false(plan_asks(&plan, false));
    assert_int_equal(plan_end_with(&plan, "sudo:-x", &why), -1);
    assert_string_equal(why.text, "username '-x' starts with '-'");
    plan_free(&plan);
}

/* A prefix and a route, both as long as can be, and the hops behind them. */
static void test_deepest_route(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct complaint why;
    struct bytes text = {0};
    for (int i = 0; i < HOPS_MAX; i++)
        bytes_add_text(&text, i == 0 ? "a" : "/a");
    char *route = bytes_take_text(&text);
    assert_int_equal(plan_end_with(&plan, "sudo:", &why), 0);
    assert_int_equal(plan_end_with(&plan, "python:", &why), 0);
    assert_int_equal(plan_via(&plan, route, &why), 0);
    add(&plan, route);
    free(route);
    assert_int_equal(plan.node_count, DEPTH_MAX);
    route = whole_route(plan.targets[0]);
    assert_int_equal(strlen(route), 2 * HOPS_MAX * strlen("ssh:a/") + strlen("sudo:root/") +
                                        strlen("python:python3"));
    free(route);
    assert_string_equal(plan.targets[0]->label, "a");
    plan_free(&plan);
}

static void test_labels_that_differ(void **state)
{
    (void)state;
    struct plan plan = {0};
    add(&plan, "web:1");
    add(&plan, "web:2");
    add(&plan, "b/web");
    add(&plan, "db");
    check_plan(&plan,
               "0:ssh:web?port=1*(1) 0:ssh:web?port=2*(1) 0:b(1) 1:ssh:b/ssh:web*(1) 0:db*(1)");
}

static void test_large_plan(void **state)
{
    (void)state;
    struct plan plan = {0};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20000; i++) {
            char text[64];
            snprintf(text, sizeof text, "b%d/db%d", i % 10, i);
            add(&plan, text);
        }
    }
    assert_int_equal(plan.target_count, 20000);
    assert_int_equal(plan.node_count, 20010);
    plan_set_labels(&plan);
    assert_string_equal(plan.targets[19999]->label, "db19999");
    assert_int_equal(plan.first->unfinished, 2000);
    size_t below = 0;
    for (struct node *node = plan.first; (node = node_next(plan.first, node)) != NULL;)
        below++;
    assert_int_equal(below, 2000);
    plan_free(&plan);
}

static void test_seconds(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_true(seconds_parse("5", &ms) && ms == 5000);
    assert_true(seconds_parse("0.25", &ms) && ms == 250);
    assert_true(seconds_parse("1.0009", &ms) && ms == 1000);
    assert_true(seconds_parse("2000000", &ms) && ms == 2000000000);
    static const char *const bad[] = {
        "",    "0",   "0.0", ".",       ".5",     "5.", "-1", "+1",
        "1e3", "1,5", "inf", "2000001", "0.0001", " 1", "1 ", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (seconds_parse(bad[i], &ms))
            fail_msg("'%s' was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ssh_targets),
        cmocka_unit_test(test_local_targets),
        cmocka_unit_test(test_ssh_options),
        cmocka_unit_test(test_bad_targets),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_setns),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_tables_are_complete),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_shared_prefixes),
        cmocka_unit_test(test_prefix_that_is_a_target),
        cmocka_unit_test(test_via),
        cmocka_unit_test(test_labels_of_accounts),
        cmocka_unit_test(test_last_hop),
        cmocka_unit_test(test_deepest_route),
        cmocka_unit_test(test_labels_that_differ),
        cmocka_unit_test(test_large_plan),
        cmocka_unit_test(test_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
