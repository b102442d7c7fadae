/* mitosis image symbolize: the functions and lines behind the addresses of crashes. */
#ifndef CLI_SYMBOLIZE_H
#define CLI_SYMBOLIZE_H

/* argv from "symbolize" on; returns the exit status. */
int symbolize_run(int argc, char **argv);

#define SYMBOLIZE_USAGE "mitosis image symbolize [--debug-dir DIR]... [LOG]...\n"

#endif
