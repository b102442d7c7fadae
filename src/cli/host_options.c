#include "host_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "number.h"
#include "signals.h"

static int add_local(struct names *routes, const char *count, struct complaint *why)
{
    char pattern[64];
    int64_t number = 0;
    if (!number_parse(count, 1, HOSTS_MAX, &number))
        return complain(why, "--local: bad number '%s'", count);
    snprintf(pattern, sizeof pattern, "local:local[1-%d]", (int)number);
    return hosts_expand(routes, pattern, strlen(pattern), why);
}

static int set_sudo(struct host_options *h, const char *user, struct complaint *why)
{
    if (h->sudo != NULL)
        return complain(why, "--sudo is given twice");
    if (user != NULL && *user == '\0')
        return complain(why, "--sudo: empty username");
    h->sudo = user != NULL ? user : "";
    return 0;
}

static int misused(int option, char *const *argv, struct complaint *why)
{
    if (option == ':') {
        while (argv[1] != NULL)
            argv++; /* only the last one can lack its value */
        return complain(why, "option %s needs a value", argv[0]);
    }
    if (optopt > 0 && optopt < 256 && argv[optind - 1][1] != '-')
        return complain(why, "unknown option -%c", optopt);
    return complain(why, "unknown option %s", argv[optind - 1]);
}

int host_options_take(struct host_options *h, int option, char *const *argv, struct complaint *why)
{
    switch (option) {
    case 'H':
        return hosts_expand_list(&h->routes, optarg, why);
    case 'f':
        return hosts_expand_path(&h->routes, optarg, why);
    case OPTION_LOCAL:
        return add_local(&h->routes, optarg, why);
    case OPTION_VIA:
        if (h->via != NULL)
            return complain(why, "--via is given twice; it takes a whole route, as in a/b/c");
        h->via = optarg;
        return 0;
    case OPTION_SUDO:
        return set_sudo(h, optarg, why);
    case OPTION_ASK_PASS:
        h->ask_pass = true;
        return 0;
    case OPTION_ASK_SSH_PASS:
        h->ask_ssh_pass = true;
        return 0;
    case OPTION_CONNECT:
        if (h->connect != NULL)
            return complain(why, "--connect is given twice");
        h->connect = optarg;
        return 0;
    default:
        return misused(option, argv, why);
    }
}

static int end_with_sudo(struct plan *plan, const char *user, struct complaint *why)
{
    char *hop = memory_printf("sudo:%s", user);
    int result = plan_end_with(plan, hop, why);
    free(hop);
    return result < 0 ? complain_prefix(why, "--sudo") : 0;
}

int host_options_plan(struct host_options *h, const char *last_hop, struct plan *plan,
                      struct complaint *why)
{
    int result = h->via != NULL ? plan_via(plan, h->via, why) : 0;
    if (result == 0 && h->sudo != NULL)
        result = end_with_sudo(plan, h->sudo, why);
    if (result == 0 && last_hop != NULL)
        result = plan_end_with(plan, last_hop, why);
    for (size_t i = 0; result == 0 && i < h->routes.count; i++)
        result = plan_add(plan, h->routes.items[i], why);
    names_free(&h->routes);
    plan->connect = h->connect;
    plan_set_labels(plan);
    return result;
}

static int ask(char **password, struct plan *plan, bool account, const char *option,
               const char *what, struct complaint *why)
{
    if (!plan_asks(plan, account))
        complain(why, "there is no hop of %s", what);
    else if (password_ask(password, what, why) == 0)
        return 0;
    return complain_prefix(why, "%s", option);
}

int host_options_ask(const struct host_options *h, struct plan *plan, struct complaint *why)
{
    struct passwords *p = &plan->passwords;
    if (h->ask_ssh_pass && ask(&p->login, plan, false, "--ask-ssh-pass", "ssh", why) < 0)
        return -1;
    if (h->ask_pass && ask(&p->account, plan, true, "--ask-pass", "sudo, su, doas", why) < 0)
        return -1;
    return 0;
}

int host_options_refused(const struct complaint *why)
{
    return signals_caught() != 0 ? 128 + signals_caught() : print_complaint(why);
}
