#include "address.h"

#include <arpa/inet.h>
#include <string.h>

bool is_address6(const char *text)
{
    char address[INET6_ADDRSTRLEN] = {0};
    struct in6_addr parsed;
    size_t length = strcspn(text, "%");
    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

static int split_brackets(char **text, char **port, struct complaint *why)
{
    char *open = *text, *close = strchr(open, ']');
    if (close == NULL || (close[1] != '\0' && close[1] != ':'))
        return complain(why, "bad address '%s'", open);
    *close = '\0';
    if (!is_address6(open + 1))
        return complain(why, "bad address '[%s]'", open + 1);
    *text = open + 1;
    *port = close[1] == ':' ? close + 2 : NULL;
    return 0;
}

int address_split(char **text, char **port, struct complaint *why)
{
    char *colon = strchr(*text, ':');
    *port = NULL;
    if (**text == '[')
        return split_brackets(text, port, why);
    if (colon == NULL)
        return 0;
    if (strchr(colon + 1, ':') != NULL)
        return is_address6(*text) ? 0 : complain(why, "bad address '%s'", *text);
    *colon = '\0';
    *port = colon + 1;
    return 0;
}
