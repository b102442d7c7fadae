#include "host_options.h"

#include <stdio.h>
#include <string.h>

#include "number.h"

static int add_local(struct names *routes, const char *count, struct complaint *why)
{
    char pattern[64];
    int64_t number = 0;
    if (!number_parse(count, 1, HOSTS_MAX, &number))
        return complain(why, "--local: bad number '%s'", count);
    snprintf(pattern, sizeof pattern, "local:local[1-%d]", (int)number);
    return hosts_expand(routes, pattern, strlen(pattern), why);
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
    default:
        return misused(option, argv, why);
    }
}

int host_options_plan(struct host_options *h, struct plan *plan, struct complaint *why)
{
    int result = h->via != NULL ? plan_via(plan, h->via, why) : 0;
    for (size_t i = 0; result == 0 && i < h->routes.count; i++)
        result = plan_add(plan, h->routes.items[i], why);
    names_free(&h->routes);
    plan_set_labels(plan);
    return result;
}
