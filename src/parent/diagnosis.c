/* Why a connection did not come up, in one sentence for people. All that the other side said is
 * hostile: it is shortened, and shown in a form that a terminal can bear. */
#include <string.h>
#include <sys/wait.h>

#include "base/format.h"
#include "base/text.h"
#include "parent/connection_state.h"

/* Appends the lines of `text`, harmless for a terminal, joined by " / "; empty ones are left out.
 */
static void join_lines(struct buf *out, const char *text, size_t length)
{
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t line = end != NULL ? (size_t)(end - text) : length;
        size_t shown = line > 0 && text[line - 1] == '\r' ? line - 1 : line;
        if (shown > 0 && out->length > 0)
            buf_str(out, " / ");
        text_escape(out, text, shown);
        length -= end != NULL ? line + 1 : line;
        text += line + 1;
    }
}

/* The last lines on stderr, or what came instead of our first stage; one line. */
static const char *last_words(const struct connection *c, char *out, size_t size)
{
    enum { SHOWN = 240 };
    const struct buf *from = c->err.length > 0 ? &c->err : &c->noise;
    size_t start = from->length > SHOWN ? from->length - SHOWN : 0;
    AUTO_BUF text = {0};

    if (from->length > 0)
        join_lines(&text, (const char *)from->data + start, from->length - start);
    size_t skipped = text.length < size ? 0 : text.length - (size - 1); /* the end counts */
    while (skipped < text.length && (text.data[skipped] & 0xc0) == 0x80)
        skipped++;
    format_to(out, size, "%.*s", (int)(text.length - skipped),
              text.length > 0 ? (char *)text.data + skipped : "");
    return out;
}

#define GARBAGE_TEXT                                                                               \
    "something else than our shell command answered: \"%s\"; use an account whose login shell "    \
    "runs commands"

static void first_noise_line(const struct connection *c, char *out, size_t size)
{
    enum { SHOWN = 120 };
    const char *text = (const char *)c->noise.data;
    size_t start = 0, length = 0;
    AUTO_BUF line = {0};

    while (start < c->noise.length && (text[start] == '\n' || text[start] == '\r'))
        start++;
    while (start + length < c->noise.length && text[start + length] != '\n' && length < SHOWN)
        length++;
    if (length > 0)
        join_lines(&line, text + start, length);
    format_to(out, size, "%.*s", (int)line.length, line.length > 0 ? (char *)line.data : "");
}

void connection_got_garbage(struct connection *c)
{
    char line[200];

    first_noise_line(c, line, sizeof line);
    connection_fail(c, MITO_E_GARBAGE, GARBAGE_TEXT, line);
}

bool saying_find(const struct saying *sayings, const struct symptoms *s, struct error *out)
{
    for (; sayings->said != NULL; sayings++) {
        if (text_find(s->said, strlen(s->said), sayings->said) == NULL &&
            text_find(s->noise, strlen(s->noise), sayings->said) == NULL)
            continue;
        error_fill(out, sayings->code, "%s", sayings->sentence);
        return true;
    }
    return false;
}

/* Does the method know why? `status` -1: it has not ended. */
static bool diagnosed(struct connection *c, int status)
{
    struct error e;
    AUTO_BUF said = {0};
    AUTO_BUF noise = {0};

    join_lines(&said, (const char *)c->err.data, c->err.length);
    join_lines(&noise, (const char *)c->noise.data, c->noise.length);
    if (buf_byte(&said, 0) < 0 || buf_byte(&noise, 0) < 0)
        return false;
    struct symptoms s = {.said = (const char *)said.data,
                         .noise = (const char *)noise.data,
                         .typed = c->typed,
                         .status = status};
    bool found = c->method->diagnose != NULL  ? c->method->diagnose(&s, &e)
                 : c->method->sayings != NULL ? saying_find(c->method->sayings, &s, &e)
                                              : false;
    if (!found)
        return false;
    bool asks = e.code == MITO_E_STOPPED && c->method->inquiry != NULL && !c->inquired;
    if (!asks || connection_inquire(c) < 0)
        connection_fail(c, e.code, "%s", e.text);
    return true;
}

void connection_refused(struct connection *c)
{
    if (!diagnosed(c, -1))
        connection_fail(c, MITO_E_PASSWORD, "wrong password; check it, and whose is asked for");
}

void connection_died(struct connection *c)
{
    char words[300], how[100], line[200];
    int status = c->process.status;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    if (!c->spoke && diagnosed(c, status))
        return;
    process_describe(status, how, sizeof how);
    last_words(c, words, sizeof words);
    if (!c->spoke && text_find(words, strlen(words), ": restricted") != NULL) {
        connection_fail(c, MITO_E_NO_SHELL,
                        "a restricted shell is there; use an account whose shell runs any command; "
                        "last words: %s",
                        words);
    } else if (!c->spoke && !c->method->direct && (code == 127 || code == 126)) {
        connection_fail(c, MITO_E_NO_SHELL, "no POSIX sh there (it %s); install one as /bin/sh%s%s",
                        how, *words != '\0' ? "; last words: " : "", words);
    } else if (!c->spoke && c->noise.length > 0) {
        first_noise_line(c, line, sizeof line);
        connection_fail(c, MITO_E_GARBAGE, GARBAGE_TEXT " (it %s)", line, how);
    } else {
        connection_fail(c, MITO_E_DIED, "%s %s%s%s", c->spoke ? "the first stage" : "the process",
                        how, *words != '\0' ? "; last words: " : "", words);
    }
}

void connection_timed_out(void *arg)
{
    static const char *const steps[] = {
        [WAITING_FOR_ID] = "asking for a context id",
        [WAITING_FOR_MODULE] = "asking for the program",
        [WAITING_FOR_SHELL] = "waiting for a shell to answer",
        [WAITING_FOR_UP] = "waiting for the image to start",
    };
    struct connection *c = arg;
    const struct common_options *o = c->options;
    char words[250];

    last_words(c, words, sizeof words);
    connection_fail(
        c, MITO_E_TIMEOUT,
        "timed out after %d ms while %s; if it may take longer, set connect_timeout%s%s",
        o->connect_timeout > 0 ? o->connect_timeout : CONNECT_TIMEOUT, steps[c->state],
        *words != '\0' ? "; last words: " : "", words);
}
