/* Recognizing that a program asks for a password. */
#ifndef PARENT_PROMPT_H
#define PARENT_PROMPT_H

#include <stddef.h>

enum prompt {
    PROMPT_NONE,       /* nothing that is asked for */
    PROMPT_PASSWORD,   /* the password of an account */
    PROMPT_PASSPHRASE, /* that of a key: never ours to type */
    PROMPT_OTHER,      /* it looks like a question, but not for a password */
};

/* What we make sudo say, whatever the language there. */
#define PROMPT_OURS "[mitosis] password:"

/* `line`: what stands behind the last newline. */
enum prompt prompt_recognize(const char *line, size_t length);

/* The end of what a program writes, as far as it may be a prompt: its last, unfinished line. */
struct prompt_line {
    char text[256];
    size_t length;
};

void prompt_line_add(struct prompt_line *l, const char *data, size_t length);

#endif
