/* The program that the command sends to start contexts: the functions of remote.h and nothing else
 * of the command. It is built first, and embedded (image.c). */
#include "mitosis.h"

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    return 2; /* not for people */
}
