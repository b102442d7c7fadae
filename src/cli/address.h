/* HOST and PORT as people write them. */
#ifndef CLI_ADDRESS_H
#define CLI_ADDRESS_H

#include <stdbool.h>

#include "cli.h"

/* An IPv6 address, with or without a zone behind '%'. */
bool is_address6(const char *text);
/* Splits "host", "host:port", "[v6]", "[v6]:port" or "v6" in place: what *text points to becomes
 * the host; returns 0. *port is NULL when there is none; what it points to is not looked at. */
int address_split(char **text, char **port, struct complaint *why);

#endif
