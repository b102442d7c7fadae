#include "parent/prompt.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* How sudo, su, doas, ssh and PAM ask in the languages that they speak; each the part of the word
 * that does not change, in lower case where it has any. sudo is made to use our own words, but a
 * policy (passprompt_override), sudo-rs and PAM modules need not care. */
static const char words[] =
    "password\0passwort\0kennwort\0mot de passe\0contrase\0senha\0"
    "palavra-passe\0wachtwoord\0adgangskode\0passord\0l\xc3\xb6senord\0"
    "has\xc5\x82o\0heslo\0parol\0jelsz\xc3\xb3\0salasana\0pasahitz\0"
    "contrasenya\0lozinka\0geslo\0\xc5\x9fifre\0m\xe1\xba\xadt kh\xe1\xba\xa9u\0"
    "\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\0"                             /* Russian, Ukrainian ... */
    "\xd0\xbb\xd0\xbe\xd0\xb7\xd0\xb8\xd0\xbd\xd0\xba\0"             /* Serbian */
    "\xe3\x83\x91\xe3\x82\xb9\xe3\x83\xaf\xe3\x83\xbc\xe3\x83\x89\0" /* ja */
    "\xe5\xaf\x86\xe7\xa0\x81\0\xe5\xaf\x86\xe7\xa2\xbc\0"           /* zh */
    "\xec\x95\x94\xed\x98\xb8\0";                                    /* ko */
static const char wide_colon[] = "\xef\xbc\x9a";

static bool contains(const char *line, size_t length, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= length; i++) {
        if (strncasecmp(line + i, word, n) == 0)
            return true;
    }
    return false;
}

static bool ends_with(const char *line, size_t length, const char *end)
{
    size_t n = strlen(end);

    return length >= n && memcmp(line + length - n, end, n) == 0;
}

enum prompt prompt_recognize(const char *line, size_t length)
{
    while (length > 0 && line[length - 1] == ' ')
        length--;
    bool colon = ends_with(line, length, ":") || ends_with(line, length, wide_colon);
    if (!colon)
        return ends_with(line, length, "?") ? PROMPT_OTHER : PROMPT_NONE;
    if (contains(line, length, "passphrase"))
        return PROMPT_PASSPHRASE;
    /* "New password:" wants another one than ours. */
    if (contains(line, length, "new password") || contains(line, length, "retype"))
        return PROMPT_OTHER;
    for (const char *word = words; *word != '\0'; word += strlen(word) + 1) {
        if (contains(line, length, word))
            return PROMPT_PASSWORD;
    }
    return PROMPT_OTHER;
}

void prompt_line_add(struct prompt_line *l, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] == '\n' || data[i] == '\r')
            l->length = 0;
        else if (l->length < sizeof l->text)
            l->text[l->length++] = data[i];
        else { /* the end of a long line counts */
            l->length = sizeof l->text / 2;
            memcpy(l->text, l->text + l->length, l->length);
            l->text[l->length++] = data[i];
        }
    }
}
