/* What a child says when it crashes. The handler runs on the thread that crashed, which may hold
 * any lock: it allocates nothing, calls nothing that may wait without a bound, and lets the process
 * die of the same signal in the end, so that core files and its parent see what happened. */
#include "child/crash.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "child/child.h"
#include "wire/failure.h"

enum {
    TURNS = 300,       /* ms until what was said before is written */
    WRITE_GRACE = 200, /* ms for a parent that does not read */
    STACK_PAGES = 16,  /* so much of the stack is looked at */
    ADDRESSES_MAX = 24,
    PAGE = 4096,
};

__thread const struct mito_function *running_function;

static const struct {
    int number;
    char name[8];
} fatal[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGILL, "SIGILL"}, {SIGFPE, "SIGFPE"},
    {SIGABRT, "SIGABRT"}, {SIGTRAP, "SIGTRAP"}, {SIGSYS, "SIGSYS"},
};

/* --- the image, as it is mapped ----------------------------------------------------------------
 */

static struct {
    uintptr_t bias; /* address in memory minus address in the file */
    uintptr_t text, text_end;
    const uint8_t *id; /* its build id */
    size_t id_length;
} image;

static void find_build_id(const char *at, size_t size)
{
    const ElfW(Nhdr) * note;

    while (size >= sizeof *note) {
        note = (const void *)at;
        size_t name = (note->n_namesz + 3u) & ~(size_t)3, desc = (note->n_descsz + 3u) & ~(size_t)3;
        if (name > size - sizeof *note || desc > size - sizeof *note - name)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            memcmp(at + sizeof *note, "GNU", 4) == 0) {
            image.id = (const uint8_t *)at + sizeof *note + name;
            image.id_length = note->n_descsz;
            return;
        }
        at += sizeof *note + name + desc;
        size -= sizeof *note + name + desc;
    }
}

static void find_image(void)
{
    uintptr_t address = getauxval(AT_PHDR);
    const ElfW(Phdr) *headers = (const void *)address; /* of the program, as the kernel says */
    size_t count = getauxval(AT_PHNUM);

    if (headers == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        if (headers[i].p_type == PT_PHDR)
            image.bias = address - headers[i].p_vaddr;
    }
    for (size_t i = 0; i < count; i++) {
        uintptr_t start = image.bias + headers[i].p_vaddr;
        if (headers[i].p_type == PT_LOAD && (headers[i].p_flags & PF_X)) {
            image.text = start;
            image.text_end = start + headers[i].p_memsz;
        } else if (headers[i].p_type == PT_NOTE) {
            find_build_id((const void *)start, headers[i].p_memsz);
        }
    }
}

/* --- text, without stdio -----------------------------------------------------------------------
 */

struct text {
    char *at, *end; /* what does not fit is left out */
};

static void put(struct text *t, const char *s)
{
    while (*s != '\0' && t->at < t->end)
        *t->at++ = *s++;
}

static void put_number(struct text *t, uintptr_t x, unsigned base)
{
    char digits[24], *at = digits + sizeof digits - 1;

    *at = '\0';
    do
        *--at = "0123456789abcdef"[x % base];
    while ((x /= base) > 0);
    put(t, at);
}

static void put_build_id(struct text *t)
{
    put(t, "; build id ");
    if (image.id_length == 0)
        put(t, "unknown");
    for (size_t i = 0; i < image.id_length && i < 32; i++) {
        put_number(t, image.id[i] >> 4, 16);
        put_number(t, image.id[i] & 15, 16);
    }
}

static void put_function(struct text *t)
{
    const struct mito_function *f = running_function;

    if (f == NULL)
        return;
    put(t, " in function ");
    put(t, f->module);
    put(t, ".");
    put(t, f->name);
}

/* --- where it crashed --------------------------------------------------------------------------
 */

#if defined(__x86_64__)
#define PROGRAM_COUNTER(u) ((uintptr_t)(u)->uc_mcontext.gregs[REG_RIP])
#define STACK_POINTER(u)   ((uintptr_t)(u)->uc_mcontext.gregs[REG_RSP])
#elif defined(__i386__)
#define PROGRAM_COUNTER(u) ((uintptr_t)(u)->uc_mcontext.gregs[REG_EIP])
#define STACK_POINTER(u)   ((uintptr_t)(u)->uc_mcontext.gregs[REG_ESP])
#elif defined(__aarch64__)
#define PROGRAM_COUNTER(u) ((uintptr_t)(u)->uc_mcontext.pc)
#define STACK_POINTER(u)   ((uintptr_t)(u)->uc_mcontext.sp)
#elif defined(__arm__)
#define PROGRAM_COUNTER(u) ((uintptr_t)(u)->uc_mcontext.arm_pc)
#define STACK_POINTER(u)   ((uintptr_t)(u)->uc_mcontext.arm_sp)
#elif defined(__riscv)
#define PROGRAM_COUNTER(u) ((uintptr_t)(u)->uc_mcontext.__gregs[0])
#define STACK_POINTER(u)   ((uintptr_t)(u)->uc_mcontext.__gregs[2])
#else
#define PROGRAM_COUNTER(u) ((uintptr_t)0) /* no addresses, then */
#define STACK_POINTER(u)   ((uintptr_t)0)
#endif

/* What kind of address it is that could not be accessed; only the kernel knows one. */
static void put_fault(struct text *t, const siginfo_t *info, const ucontext_t *u)
{
    uintptr_t address = (uintptr_t)info->si_addr, sp = STACK_POINTER(u);

    if ((info->si_signo != SIGSEGV && info->si_signo != SIGBUS) || info->si_code <= 0 ||
        info->si_code == SI_KERNEL)
        return;
    put(t, " at 0x");
    put_number(t, address, 16);
    if (address < PAGE)
        put(t, " (null pointer)");
    else if (sp - address < STACK_PAGES * PAGE || address - sp < PAGE)
        put(t, " (stack overflow)");
}

/* Does a call come before it? Only where that is cheap to tell. */
static bool is_return_address(uintptr_t a)
{
    if (a < image.text + 8 || a >= image.text_end)
        return false;
#if defined(__x86_64__) || defined(__i386__)
    const uint8_t *code = (const uint8_t *)a;
    if (code[-5] == 0xe8)
        return true;
    for (int length = 2; length <= 7; length++) {
        if (code[-length] == 0xff && (code[1 - length] & 0x38) == 0x10)
            return true;
    }
    return false;
#elif defined(__aarch64__)
    uint32_t code = a % 4 == 0 ? ((const uint32_t *)a)[-1] : 0;
    return (code & 0xfc000000) == 0x94000000 || (code & 0xfffffc1f) == 0xd63f0000;
#else
    return true;
#endif
}

static void put_address(struct text *t, uintptr_t a)
{
    put(t, " +0x");
    put_number(t, a - image.bias, 16);
}

/* Everything on the stack that looks like a return address into the image: there are no frame
 * pointers to follow, so what was returned to earlier may be among it. The stack is read through a
 * pipe, since what cannot be read is an error there and not another crash. (Not write(2) of libc: a
 * sanitizer would object.) */
static void put_backtrace(struct text *t, const ucontext_t *u)
{
    static uintptr_t page[PAGE / sizeof(uintptr_t)];
    uintptr_t sp = STACK_POINTER(u) & ~(sizeof(uintptr_t) - 1), pc = PROGRAM_COUNTER(u);
    int ends[2], count = 0;

    if (pc >= image.text && pc < image.text_end)
        put_address(t, pc);
    else
        put(t, " outside"); /* in a library, or nowhere; what follows are callers */
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return;
    for (int i = 0; i < STACK_PAGES && count < ADDRESSES_MAX; i++) {
        long room = (long)(PAGE - sp % PAGE);
        if (syscall(SYS_write, ends[1], sp, room) == room && read(ends[0], page, PAGE) == room) {
            for (size_t w = 0; w < (size_t)room / sizeof *page && count < ADDRESSES_MAX; w++) {
                if (is_return_address(page[w]))
                    put_address(t, page[w]), count++;
            }
        }
        sp += (uintptr_t)room;
    }
}

/* --- telling -----------------------------------------------------------------------------------
 */

static struct frame frame_to(const struct neighbour *parent, uint32_t dst, uint32_t handle)
{
    uint32_t id = parent->router->config.id;

    return (struct frame){
        .magic = FRAME_LEGACY, .dst_id = dst, .src_id = id, .auth_id = id, .handle = handle};
}

static void put_frame(uint8_t *header, struct frame f, const char *end)
{
    f.length = (uint32_t)((const uint8_t *)end - header) - FRAME_HEADER_SIZE;
    frame_encode(&f, header);
}

static void write_report(const struct stream *s, const char *report, const char *end)
{
    struct pollfd p = {.fd = s->out_fd, .events = POLLOUT};
    int left = 2; /* what a socket takes at once it takes at the second time, or not at all */

    while (report < end && left > 0) {
        ssize_t n = write(s->out_fd, report, (size_t)(end - report));
        if (n > 0)
            report += n;
        else if (--left > 0)
            poll(&p, 1, WRITE_GRACE);
    }
    /* Now: a large core file takes its time. */
    if (shutdown(s->out_fd, SHUT_WR) < 0)
        close(s->out_fd);
}

/* Two frames: LAST_WORDS to the parent, a record to the master. */
static void say(const struct neighbour *parent, const char *name, const siginfo_t *info,
                const ucontext_t *u)
{
    static char report[2048], what[512];
    struct text w = {what, what + sizeof what - 1}, t = {report, report + sizeof report};

    put(&w, "signal ");
    put_number(&w, (uintptr_t)info->si_signo, 10);
    put(&w, " (");
    put(&w, name);
    put(&w, ")");
    put_fault(&w, info, u);
    put_function(&w);
    put_build_id(&w);
    t.at += FRAME_HEADER_SIZE;
    put_number(&t, parent->router->config.id, 10);
    put(&t, ":" FAILURE_CRASHED "crashed: ");
    put(&t, what);
    put_frame((uint8_t *)report, frame_to(parent, parent->id, HANDLE_LAST_WORDS), t.at);
    char *record = t.at;
    t.at += FRAME_HEADER_SIZE;
    memcpy(t.at, "crash\00040", sizeof "crash\00040");
    t.at += sizeof "crash\00040";
    put(&t, what);
    put(&t, ":");
    put_backtrace(&t, u);
    put_frame((uint8_t *)record, frame_to(parent, 0, HANDLE_FORWARD_LOG), t.at);
    write_report(&parent->stream, report, t.at);
}

static bool output_waits(void)
{
    int waiting = 0;

    for (int i = 0; i < 2; i++) {
        if (waiting == 0 && this_child.out[i].fd >= 0)
            ioctl(this_child.out[i].fd, FIONREAD, &waiting);
    }
    return waiting > 0;
}

/* Waits until what was said before is written; holds the lock from then on, so that nobody else
 * writes. When it cannot be had in all that time, this thread has it, or one that waits for what
 * this thread holds: nobody writes either. */
static const struct neighbour *take_turn(struct mito_router *r)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 1; i <= TURNS; i++) {
        if (pthread_mutex_trylock(&r->broker.lock) == 0) {
            const struct neighbour *n = r->parent;
            if (i == TURNS || n == NULL || n->stream.broken ||
                (n->stream.out_bytes == 0 && !output_waits()))
                return n;
            router_unlock(r);
        }
        nanosleep(&pause, NULL);
    }
    return r->parent;
}

/* Never into the middle of a frame. */
static void tell(const char *name, const siginfo_t *info, const ucontext_t *u)
{
    const struct neighbour *parent = take_turn(this_child.router);

    if (parent != NULL && !parent->stream.broken && parent->stream.out_offset == 0)
        say(parent, name, info, u);
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    static bool crashed;

    if (getpid() == this_child.pid) { /* and not a process that a function forked */
        if (__atomic_exchange_n(&crashed, true, __ATOMIC_SEQ_CST)) {
            for (;;)
                pause(); /* another thread was first */
        }
        this_child.ending = true; /* no other end than this one */
        for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
            if (fatal[i].number == number)
                tell(fatal[i].name, info, context);
        }
    }
    signal(number, SIG_DFL);
    raise(number); /* when we return */
}

/* --- before it comes to that -------------------------------------------------------------------
 */

void crash_watch(void)
{
    struct sigaction act = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK}, before;

    find_image();
    sigfillset(&act.sa_mask); /* a crash in the handler is the end */
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        if (sigaction(fatal[i].number, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(fatal[i].number, &act, NULL);
    }
}

void crash_use_stack(struct crash_stack *stack)
{
    stack_t ours = {.ss_sp = stack->bytes, .ss_size = sizeof stack->bytes}, before;

    if (sigaltstack(NULL, &before) == 0 && (before.ss_flags & SS_DISABLE))
        sigaltstack(&ours, NULL);
}

void crash_say_exit(void)
{
    struct mito_router *r = this_child.router;
    char what[256];
    struct text t = {what, what + sizeof what - 1};
    struct error e;
    AUTO_BUF text = {0};

    if (r->parent == NULL || this_child.ending)
        return;
    put(&t, LAST_WORDS_EXIT);
    put_function(&t);
    *t.at = '\0';
    error_fill(&e, MITO_E_CRASHED, "%s", what);
    struct frame f = {.dst_id = r->parent->id, .handle = HANDLE_LAST_WORDS};
    if (last_words_encode(&text, r->config.id, &e) == 0)
        router_send(r, &f, text.data, text.length, false);
}
