/* A program with an event loop of its own: poll(2) waits for lines on standard input and for the
 * answers of a copy at the same time. Nothing in the loop blocks.
 *     printf 'one\ntwo\n' | eventloop */
#include <ctype.h>
#include <mitosis.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

MITO_FUNCTION(shout)
{
    const char *line;
    char loud[4096];

    if (mito_args(call, "s", &line) < 0)
        return -1;
    size_t length = strlen(line) < sizeof loud ? strlen(line) : sizeof loud - 1;
    for (size_t i = 0; i < length; i++)
        loud[i] = (char)toupper((unsigned char)line[i]);
    loud[length] = '\0';
    return mito_return(call, "s", loud);
}

/* How many answers are awaited more or fewer; -1 at the end of the input. */
static int on_input(struct mito_context *copy, struct mito_receiver *rx)
{
    static char text[4096];
    static size_t length;
    ssize_t n = read(STDIN_FILENO, text + length, sizeof text - 1 - length);
    int calls = 0;
    char *end;

    if (n <= 0)
        return -1;
    length += (size_t)n;
    text[length] = '\0';
    while ((end = strchr(text, '\n')) != NULL) {
        *end = '\0';
        calls += mito_call_async(copy, &shout, rx, NULL, "s", text) == 0;
        length = strlen(end + 1);
        memmove(text, end + 1, length + 1);
    }
    if (length == sizeof text - 1)
        length = 0; /* a line that long is dropped */
    return calls;
}

static int on_answers(struct mito_receiver *rx)
{
    struct mito_message *m;
    const char *line;
    int count = 0;

    while ((m = mito_receive(rx, 0)) != NULL) { /* 0: only what is there */
        if (mito_message_read(m, "s", &line) == 0)
            printf("%s\n", line);
        else
            fprintf(stderr, "eventloop: %s\n", mito_error());
        mito_message_free(m);
        count++;
    }
    return count;
}

static void loop(struct mito_context *copy, struct mito_receiver *rx)
{
    struct pollfd fds[] = {{.fd = mito_receiver_fd(rx), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    int awaited = 0;

    while (awaited > 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents != 0)
            awaited -= on_answers(rx);
        if (fds[1].revents != 0) {
            int calls = on_input(copy, rx);
            if (calls < 0)
                fds[1].fd = -1; /* poll(2) skips it from now on */
            else
                awaited += calls;
        }
    }
}

int main(int argc, char **argv)
{
    mito_start(argc, argv);
    struct mito_router *router = mito_router_new(NULL);
    struct mito_context *copy = mito_local(router);
    struct mito_receiver *rx = mito_receiver_new(router);

    if (copy != NULL && rx != NULL)
        loop(copy, rx);
    else
        fprintf(stderr, "eventloop: %s\n", mito_error());
    int rc = copy == NULL || rx == NULL;
    mito_receiver_free(rx);
    mito_router_free(router);
    return rc;
}
