/*
 * A cable with a length: joins two network namespaces by a tap device in each, and carries every
 * frame from one to the other after a delay. It stands in for `tc qdisc ... netem` where the
 * kernel has none.
 *
 *     link [options] NETNS-A DEVICE-A NETNS-B DEVICE-B
 *
 * NETNS-x is a path, as in /run/netns or /proc/PID/ns/net. "ready" appears on standard output when
 * both devices are there; giving them addresses is the caller's part. The devices go with this
 * process, which ends on SIGTERM, or when one of them is taken away.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECOND     1000000000LL
#define FRAME_MAX  65536
#define FRAME_COST ((size_t)64) /* of a frame in memory, besides its bytes */
#define BURST      64           /* frames read from one side before the other has its turn */
#define DELAY_MAX  60000.0      /* ms */
#define RATE_MAX   100000000000ULL
#define QUEUE_MAX  (1ULL << 30)

struct settings {
    int64_t delay;  /* ns, one way */
    uint64_t rate;  /* bits per second each way, 0 without limit */
    uint64_t loss;  /* of 1000 frames */
    uint64_t queue; /* bytes each way that are under way or wait to be */
    bool watch;     /* end with standard input */
};

struct frame {
    struct frame *next;
    int64_t due;
    size_t length;
    unsigned char bytes[];
};

/* One direction. The delay is the same for all frames, so they leave in the order they came. */
struct lane {
    int from;
    int to;
    struct frame *first;
    struct frame *last;
    uint64_t held;     /* bytes, FRAME_COST included: bounded by settings.queue */
    int64_t line_free; /* when the last bit of the last frame is on the line */
};

static uint64_t random_state;

/* xorshift64*: the same losses for the same --seed. */
static uint64_t random_number(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545F4914F6CDD1DULL) >> 32;
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

__attribute__((noreturn)) static void fail(const char *what)
{
    fprintf(stderr, "link: %s: %s\n", what, strerror(errno));
    exit(1);
}

__attribute__((noreturn)) static void usage(void)
{
    fputs("usage: link [--delay MS] [--rate BITS/S] [--loss PERMILLE] [--queue BYTES] [--seed N]\n"
          "            [--watch] NETNS-A DEVICE-A NETNS-B DEVICE-B\n"
          "  --delay   one way; fractions allowed\n"
          "  --queue   frames are dropped when so many bytes are on their way\n"
          "  --watch   end when standard input does\n",
          stderr);
    exit(2);
}

static uint64_t parse_number(const char *text, uint64_t max)
{
    char *end;
    unsigned long long n;

    errno = 0;
    n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || n > max)
        usage();
    return n;
}

static int64_t parse_delay(const char *text)
{
    char *end;
    double ms = strtod(text, &end);

    if (end == text || *end != '\0' || !(ms >= 0.0 && ms <= DELAY_MAX))
        usage();
    return (int64_t)(ms * 1e6);
}

/* What a router would hold: the bytes under way at full rate, and 100 ms of waiting ones. */
static uint64_t default_queue(const struct settings *settings)
{
    const uint64_t least = 128 << 10;
    const uint64_t most = 16 << 20;
    double bytes;

    if (settings->rate == 0)
        return most;
    bytes = (double)settings->rate / 8 * ((double)settings->delay / (double)SECOND + 0.1);
    if (bytes < (double)least)
        return least;
    return bytes > (double)most ? most : (uint64_t)bytes;
}

static struct settings parse_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"delay", required_argument, NULL, 'd'},
        {"rate", required_argument, NULL, 'r'},
        {"loss", required_argument, NULL, 'l'},
        {"queue", required_argument, NULL, 'q'},
        {"seed", required_argument, NULL, 's'},
        {"watch", no_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    struct settings settings = {0};
    uint64_t seed = (uint64_t)now() ^ (uint64_t)getpid() << 32;
    int option;

    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == 'd')
            settings.delay = parse_delay(optarg);
        else if (option == 'r')
            settings.rate = parse_number(optarg, RATE_MAX);
        else if (option == 'l')
            settings.loss = parse_number(optarg, 1000);
        else if (option == 'q')
            settings.queue = parse_number(optarg, QUEUE_MAX);
        else if (option == 's')
            seed = parse_number(optarg, UINT64_MAX);
        else if (option == 'w')
            settings.watch = true;
        else
            usage();
    }
    if (argc - optind != 4)
        usage();
    if (settings.queue == 0)
        settings.queue = default_queue(&settings);
    random_state = seed | 1; /* never 0 */
    return settings;
}

/* A tap device belongs to the namespace that its descriptor was opened in, wherever its holder
 * goes afterwards. */
static int open_tap(const char *netns, const char *name)
{
    struct ifreq request;
    int ns, tap;

    if (strlen(name) >= sizeof request.ifr_name)
        usage();
    ns = open(netns, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
        fail(netns);
    close(ns);
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0)
        fail("/dev/net/tun");
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, name, strlen(name));
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(tap, TUNSETIFF, &request) < 0)
        fail(name);
    return tap;
}

/* When the frame arrives: it waits for the line to be free, takes its time to go onto it, and
 * then the length of the cable. */
static int64_t due_time(struct lane *lane, const struct settings *settings, size_t length)
{
    int64_t start = now();

    if (start < lane->line_free)
        start = lane->line_free;
    lane->line_free = start;
    if (settings->rate > 0)
        lane->line_free += (int64_t)(length * 8 * (uint64_t)SECOND / settings->rate);
    return lane->line_free + settings->delay;
}

static void take_in(struct lane *lane, const struct settings *settings, const void *bytes,
                    size_t length)
{
    struct frame *frame;

    if (lane->held + length + FRAME_COST > settings->queue)
        return;
    if (settings->loss > 0 && random_number() % 1000 < settings->loss)
        return;
    frame = malloc(sizeof *frame + length);
    if (frame == NULL)
        return; /* a full queue by another name */
    frame->next = NULL;
    frame->due = due_time(lane, settings, length);
    frame->length = length;
    memcpy(frame->bytes, bytes, length);
    if (lane->first == NULL)
        lane->first = frame;
    else
        lane->last->next = frame;
    lane->last = frame;
    lane->held += length + FRAME_COST;
}

/* Reads what has come. False when the device is gone. */
static bool receive(struct lane *lane, const struct settings *settings)
{
    static unsigned char bytes[FRAME_MAX];

    for (int i = 0; i < BURST; i++) {
        ssize_t n = read(lane->from, bytes, sizeof bytes);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        take_in(lane, settings, bytes, (size_t)n);
    }
    return true;
}

/* Hands over what is due. A frame that the other side cannot take, because its device is down or
 * it has no memory, is lost, as on a cable. Returns when the next one is due, -1 if there is none.
 */
static int64_t deliver(struct lane *lane)
{
    int64_t time = now();

    while (lane->first != NULL && lane->first->due <= time) {
        struct frame *frame = lane->first;

        (void)!write(lane->to, frame->bytes, frame->length);
        lane->first = frame->next;
        lane->held -= frame->length + FRAME_COST;
        free(frame);
    }
    return lane->first == NULL ? -1 : lane->first->due;
}

/* Until the earlier of two times, of which -1 is none, or an event. */
static void wait_for(struct pollfd *fds, nfds_t count, int64_t a, int64_t b)
{
    int64_t next = a < 0 || (b >= 0 && b < a) ? b : a;
    struct timespec timeout = {0, 0};

    if (next >= 0) {
        int64_t left = next - now();

        if (left > 0) {
            timeout.tv_sec = left / SECOND;
            timeout.tv_nsec = left % SECOND;
        }
    }
    if (ppoll(fds, count, next < 0 ? NULL : &timeout, NULL) < 0) {
        if (errno != EINTR)
            fail("poll");
        for (nfds_t i = 0; i < count; i++)
            fds[i].revents = 0;
    }
}

static bool input_ended(void)
{
    char bytes[256];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static int carry(struct lane lanes[2], const struct settings *settings)
{
    struct pollfd fds[3] = {
        {.fd = lanes[0].from, .events = POLLIN},
        {.fd = lanes[1].from, .events = POLLIN},
        {.fd = settings->watch ? STDIN_FILENO : -1, .events = POLLIN},
    };

    for (;;) {
        int64_t a = deliver(&lanes[0]);
        int64_t b = deliver(&lanes[1]);

        wait_for(fds, 3, a, b);
        if (fds[2].revents != 0 && input_ended())
            return 0;
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents != 0 && !receive(&lanes[i], settings)) {
                fputs("link: a device is gone\n", stderr);
                return 1;
            }
        }
    }
}

/* Whoever reads our standard output to its end waits for "ready", not for us. */
static void say_ready(void)
{
    int null;

    if (puts("ready") < 0 || fflush(stdout) != 0)
        fail("standard output");
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
        fail("/dev/null");
    close(null);
}

int main(int argc, char **argv)
{
    struct settings settings = parse_options(argc, argv);
    struct lane lanes[2];
    int a, b;

    memset(lanes, 0, sizeof lanes);
    close_range(3, ~0u, 0); /* a pipe of our caller's must not stay open because of us */
    /* Late frames would be measured as a longer cable. Not everyone may do this; no matter. */
    (void)setpriority(PRIO_PROCESS, 0, -10);
    a = open_tap(argv[optind], argv[optind + 1]);
    b = open_tap(argv[optind + 2], argv[optind + 3]);
    lanes[0].from = lanes[1].to = a;
    lanes[1].from = lanes[0].to = b;
    say_ready();
    return carry(lanes, &settings);
}
