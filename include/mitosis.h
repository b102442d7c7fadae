/*
 * Mitosis: distributed self-replicating programs, in C.
 *
 * A program that links with Mitosis starts copies of itself in other processes, accounts and
 * machines, and calls its own functions in them. The copies ("contexts") form a tree.
 *
 *     #include <mitosis.h>
 *
 *     MITO_FUNCTION(add)
 *     {
 *         int64_t a, b;
 *         if (mito_args(call, "ii", &a, &b) < 0)
 *             return -1;
 *         return mito_return(call, "i", a + b);
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         mito_start(argc, argv);
 *         struct mito_router *router = mito_router_new(NULL);
 *         struct mito_context *child = mito_local(router);
 *         int64_t sum = 0;
 *         if (child == NULL || mito_call(child, &add, "ii", 2, 3, "i", &sum) < 0)
 *             fprintf(stderr, "%s\n", mito_error());
 *         printf("%" PRId64 "\n", sum);
 *         mito_router_free(router);
 *     }
 *
 * Conventions, true of every declaration below unless it says otherwise
 *   Errors   a function that returns int returns 0 or more, or -1; one that returns a pointer
 *            returns NULL. Then mito_error() and mito_error_code() of the same thread tell why.
 *   Threads  every function may be called from any thread. One object may be used by several
 *            threads at once, except struct mito_value and struct mito_message, which belong to
 *            one thread at a time. None may be called from a signal handler.
 *   Time     in milliseconds, monotonic; a timeout of MITO_FOREVER (-1) never ends, 0 only polls.
 *   Text     UTF-8, NUL-terminated.
 *   Lifetime what a mito_..._new function or a connection method returns is released by the
 *            mito_..._free (or unref) function of its type. Everything that belongs to a router
 *            must be released before mito_router_free(), contexts excepted: those go with it.
 */
#ifndef MITOSIS_H
#define MITOSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#error "mitosis.h is a C header: it relies on _Generic (C11)"
#endif

#define MITO_VERSION "0.1.0"
#define MITO_FOREVER (-1)

struct mito_listener; /* lets other programs of this machine join the tree */
struct mito_router;   /* routes messages and owns this process's broker thread */
struct mito_context;  /* a process of our tree */
struct mito_receiver; /* where messages arrive for a user thread */
struct mito_sender;   /* the address of a receiver, anywhere in the tree */
struct mito_channel;  /* a receiver and a sender, joined */
struct mito_select;   /* waits on many receivers at once */
struct mito_message;  /* one received message */
struct mito_value;    /* one decoded value */
struct mito_call;     /* inside a function: the call being served */
struct mito_chain;    /* calls of which the later ones fail with the first */

/* ------------------------------------------------------------------------------------------- */
/* Errors                                                                                        */
/* ------------------------------------------------------------------------------------------- */

/* What went wrong, for programs. The text from mito_error() is for people. Codes cross the wire
 * by name, so they mean the same on both sides. */
enum mito_error_code {
    MITO_OK = 0,
    MITO_E_NOMEM,        /* out of memory */
    MITO_E_SYSTEM,       /* a system call failed; the text names it */
    MITO_E_INVALID,      /* a bad argument, option or signature */
    MITO_E_TYPE,         /* a value of another type, or too few or too many values */
    MITO_E_RANGE,        /* an integer or string that does not fit what it is read into */
    MITO_E_MALFORMED,    /* bytes that are no valid value or frame */
    MITO_E_TOO_LARGE,    /* over max_message_size, or over another bound that the text names */
    MITO_E_TIMEOUT,      /* the time given ran out */
    MITO_E_CLOSED,       /* the other end closed the receiver; no more will come */
    MITO_E_DEAD,         /* the context is gone, or the message could not be delivered */
    MITO_E_DENIED,       /* refused by policy: no authority */
    MITO_E_OVERFLOW,     /* a bounded queue was full and messages were lost */
    MITO_E_NO_FUNCTION,  /* the other context has no function of that name */
    MITO_E_REMOTE,       /* the function failed and gave no code of its own */
    MITO_E_REFUSED,      /* connect: connection refused */
    MITO_E_UNREACHABLE,  /* connect: unknown host or no route to it */
    MITO_E_HOST_KEY,     /* connect: host key unknown or changed */
    MITO_E_PERMISSION,   /* connect: the other side did not accept who we are */
    MITO_E_NO_SHELL,     /* connect: no POSIX sh there */
    MITO_E_NO_PLACE,     /* connect: no place to put the image */
    MITO_E_ARCH,         /* connect: no image for that kind of machine */
    MITO_E_GARBAGE,      /* connect: something else than our first stage answered */
    MITO_E_DIED,         /* connect: the process ended before it was up */
    MITO_E_NO_TOOL,      /* connect: the program that connects (ssh ...) is not there */
    MITO_E_PASSWORD,     /* connect: the password is wrong */
    MITO_E_NO_PASSWORD,  /* connect: a password is asked for, and none was given */
    MITO_E_NO_USER,      /* connect: no such user there */
    MITO_E_LOCKED,       /* connect: the account is locked or has expired */
    MITO_E_NOT_ALLOWED,  /* connect: sudo or doas does not let us */
    MITO_E_NO_CONTAINER, /* connect: no such container, pod, jail or process */
    MITO_E_STOPPED,      /* connect: the container is not running */
    MITO_E_CRASHED,      /* the program there, or on the way there, crashed or called exit(3) */
    MITO_E_USER = 1000,  /* from here on: codes of the program's own, for mito_fail() */
};

/* The calling thread's last error: one line that names the context, the step and the cause.
 * Never NULL. Valid until the thread's next failing call. */
const char *mito_error(void);

/* Its code: enum mito_error_code, or one of the program's own. */
int mito_error_code(void);

/* The name of a code ("timeout", "host_key" ...), as it crosses the wire; never NULL. */
const char *mito_error_name(int code);

/* ------------------------------------------------------------------------------------------- */
/* Signatures: how typed values go in and out of variable argument lists                         */
/* ------------------------------------------------------------------------------------------- */
/*
 * A signature has one letter per value. "in" is what is passed when values are sent, "out" when
 * they are read.
 *
 *     letter  value                      in                              out
 *     n       None                       (nothing)                       (nothing)
 *     b       truth value                any integer, 0 is false         bool *
 *     i       integer, 64 bit            any integer                     int64_t *
 *     d       floating point             any float or double             double *
 *     s       text                       const char *                    const char **
 *     y       bytes                      const void *, integer length    const void **, size_t *
 *     B       Blob (bytes kept out       const void *, integer length    const void **, size_t *
 *             of logs)
 *     S       Secret (text kept out      const char *                    const char **
 *             of logs)
 *     c       context                    struct mito_context *           struct mito_context **
 *     r       receiver, as its sender    struct mito_receiver *          struct mito_sender **
 *     t       sender                     struct mito_sender *            struct mito_sender **
 *     v       any value                  const struct mito_value *       const struct mito_value **
 *     ( )     tuple of what is inside    -                               -
 *     [ ]     list of what is inside     -                               -
 *     { }     dict: key, value, ...      -                               read with v instead
 *
 * "s" and "S" may be given NULL: None is sent; a received None is read as NULL. A string that
 * contains a NUL byte is a MITO_E_RANGE error when read as "s"; read it with "v".
 * Out pointers may be NULL: the value is checked for its type and thrown away.
 *
 * The arguments of a call may end with keyword arguments: behind a '|' stand a name ("s") and a
 * value in turn: "is|sbsi", 3, "text", "deep", true, "limit", 10.
 *
 * Who owns what is read
 *   mito_args, mito_message_read: s, y, B, S, v point into the message and live as long as it
 *   does; c, r and t are references to be released with mito_context_unref / mito_sender_free.
 *   mito_call and mito_chain_call, which have no message to show: s, y, B, S are from malloc(),
 *   to be released with free() (declare them `char *`, `void *` and pass &s), v with
 *   mito_value_free().
 *
 * Arguments are widened by the macros below, so that an int may be passed where a 64-bit integer
 * is expected, and an out pointer of a wrong integer width is a compile error.
 */

static inline int64_t mito_widen_int_(int64_t x)
{
    return x;
}
static inline int64_t mito_widen_unsigned_(uint64_t x)
{
    return (int64_t)x;
}
static inline double mito_widen_double_(double x)
{
    return x;
}
static inline const void *mito_widen_const_(const void *x)
{
    return x;
}
static inline const void *mito_widen_pointer_(void *x)
{
    return x;
}
/* Never defined: choosing it is the error. For bytes ("y") of such a type, cast to const void *. */
__attribute__((error("mitosis: integers are read into an int64_t, floats into a double")))
const void *
mito_wrong_out_type_(const void *x);

/* clang-format off */
#define MITO_WIDEN_(x)                                                                             \
    _Generic((x),                                                                                  \
        _Bool: mito_widen_int_, char: mito_widen_int_, signed char: mito_widen_int_,               \
        short: mito_widen_int_, int: mito_widen_int_, long: mito_widen_int_,                       \
        long long: mito_widen_int_,                                                                \
        unsigned char: mito_widen_unsigned_, unsigned short: mito_widen_unsigned_,                 \
        unsigned int: mito_widen_unsigned_, unsigned long: mito_widen_unsigned_,                   \
        unsigned long long: mito_widen_unsigned_,                                                  \
        float: mito_widen_double_, double: mito_widen_double_,                                     \
        short *: mito_wrong_out_type_, unsigned short *: mito_wrong_out_type_,                     \
        int *: mito_wrong_out_type_,                                                               \
        unsigned int *: _Generic((size_t *)0,                                                      \
            unsigned int *: mito_widen_pointer_, default: mito_wrong_out_type_),                   \
        float *: mito_wrong_out_type_,                                                             \
        const void *: mito_widen_const_, const char *: mito_widen_const_,                          \
        const signed char *: mito_widen_const_, const unsigned char *: mito_widen_const_,          \
        const struct mito_value *: mito_widen_const_,                                              \
        default: mito_widen_pointer_)(x)

#define MITO_EXPAND_(x) x
#define MITO_COUNT_(...) MITO_EXPAND_(MITO_COUNT_PICK_(__VA_ARGS__,                                \
    24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1))
#define MITO_COUNT_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16,    \
                         a17, a18, a19, a20, a21, a22, a23, a24, n, ...) n
#define MITO_JOIN_(a, b) MITO_JOIN2_(a, b)
#define MITO_JOIN2_(a, b) a##b
/* Up to 24 arguments, each widened, with a leading comma; the last is always (char *)0. */
#define MITO_VALUES_(...) MITO_JOIN_(MITO_EACH_, MITO_COUNT_(__VA_ARGS__))(__VA_ARGS__)
#define MITO_EACH_1(x) , MITO_WIDEN_(x)
#define MITO_EACH_2(x, ...) , MITO_WIDEN_(x) MITO_EACH_1(__VA_ARGS__)
#define MITO_EACH_3(x, ...) , MITO_WIDEN_(x) MITO_EACH_2(__VA_ARGS__)
#define MITO_EACH_4(x, ...) , MITO_WIDEN_(x) MITO_EACH_3(__VA_ARGS__)
#define MITO_EACH_5(x, ...) , MITO_WIDEN_(x) MITO_EACH_4(__VA_ARGS__)
#define MITO_EACH_6(x, ...) , MITO_WIDEN_(x) MITO_EACH_5(__VA_ARGS__)
#define MITO_EACH_7(x, ...) , MITO_WIDEN_(x) MITO_EACH_6(__VA_ARGS__)
#define MITO_EACH_8(x, ...) , MITO_WIDEN_(x) MITO_EACH_7(__VA_ARGS__)
#define MITO_EACH_9(x, ...) , MITO_WIDEN_(x) MITO_EACH_8(__VA_ARGS__)
#define MITO_EACH_10(x, ...) , MITO_WIDEN_(x) MITO_EACH_9(__VA_ARGS__)
#define MITO_EACH_11(x, ...) , MITO_WIDEN_(x) MITO_EACH_10(__VA_ARGS__)
#define MITO_EACH_12(x, ...) , MITO_WIDEN_(x) MITO_EACH_11(__VA_ARGS__)
#define MITO_EACH_13(x, ...) , MITO_WIDEN_(x) MITO_EACH_12(__VA_ARGS__)
#define MITO_EACH_14(x, ...) , MITO_WIDEN_(x) MITO_EACH_13(__VA_ARGS__)
#define MITO_EACH_15(x, ...) , MITO_WIDEN_(x) MITO_EACH_14(__VA_ARGS__)
#define MITO_EACH_16(x, ...) , MITO_WIDEN_(x) MITO_EACH_15(__VA_ARGS__)
#define MITO_EACH_17(x, ...) , MITO_WIDEN_(x) MITO_EACH_16(__VA_ARGS__)
#define MITO_EACH_18(x, ...) , MITO_WIDEN_(x) MITO_EACH_17(__VA_ARGS__)
#define MITO_EACH_19(x, ...) , MITO_WIDEN_(x) MITO_EACH_18(__VA_ARGS__)
#define MITO_EACH_20(x, ...) , MITO_WIDEN_(x) MITO_EACH_19(__VA_ARGS__)
#define MITO_EACH_21(x, ...) , MITO_WIDEN_(x) MITO_EACH_20(__VA_ARGS__)
#define MITO_EACH_22(x, ...) , MITO_WIDEN_(x) MITO_EACH_21(__VA_ARGS__)
#define MITO_EACH_23(x, ...) , MITO_WIDEN_(x) MITO_EACH_22(__VA_ARGS__)
#define MITO_EACH_24(x, ...) , MITO_WIDEN_(x) MITO_EACH_23(__VA_ARGS__)
/* clang-format on */

/* ------------------------------------------------------------------------------------------- */
/* Functions: what other contexts may call                                                       */
/* ------------------------------------------------------------------------------------------- */

/* One callable function. Defined by the macros below, never by hand; constant and static. */
struct mito_function {
    const char *module; /* MITO_MODULE where it was defined */
    const char *name;
    int (*run)(struct mito_call *call);
    unsigned flags;
};

/* Runs on a small pool of threads instead of the main thread: several such calls run at once, and
 * beside one that the main thread is busy with. At most MITO_POOL_THREADS at a time; more wait.
 * Calls of a chain always run one after the other on the main thread. */
#define MITO_CONCURRENT   1u
#define MITO_POOL_THREADS 8

/* The module part of the name on the wire, module.function. Define it before including this header
 * where two files of one program have functions of the same name. */
#ifndef MITO_MODULE
#define MITO_MODULE "main"
#endif

/* Defines a function that every context of this program can be asked to run:
 *
 *     MITO_FUNCTION(add)
 *     {
 *         ... mito_args(call, ...) ...
 *         return mito_return(call, ...);
 *     }
 *
 * The body gets `struct mito_call *call` and returns 0, or -1 for failure, in which case the caller
 * gets this thread's mito_error(). It runs on the main thread of its context, one call at a time,
 * in the order in which they arrive, unless its flags say MITO_CONCURRENT. Only a context with
 * authority (a parent, at any distance) can call it.
 *
 * The name is a linker symbol: callers say &add, so a misspelt name does not compile.
 *
 * A function that crashes (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS; also of a
 * used up stack) or calls exit(3) ends its context. Everyone who waits for anything of that
 * context, and of those below it, anywhere in the tree, is told at once: MITO_E_CRASHED, with the
 * signal and the function in the text. A record of logger "crash" says where, in addresses of the
 * image: see mitosis image symbolize. The process dies of the signal (and leaves a core file, where
 * those are made). This is done by signal handlers, which are set before the first function runs,
 * on alternate stacks; a handler that was there before stays, and one that the program sets takes
 * their place. A process that is killed (SIGKILL, perhaps for want of memory) or calls _exit(2)
 * says nothing itself: then the text has what its parent sees, which behind ssh and the like is
 * what those programs end with. */
#define MITO_FUNCTION(name) MITO_FUNCTION_FLAGS(name, 0u)
#define MITO_FUNCTION_FLAGS(function_name, function_flags)                                         \
    static int mito_run_##function_name(struct mito_call *call);                                   \
    extern const struct mito_function function_name;                                               \
    const struct mito_function function_name = {MITO_MODULE, #function_name,                       \
                                                mito_run_##function_name, (function_flags)};       \
    __attribute__((section("mito_functions"),                                                      \
                   used)) static const struct mito_function *const mito_entry_##function_name =    \
        &function_name;                                                                            \
    static int mito_run_##function_name(struct mito_call *call)

/* Declares a function defined in another file of this program, for use with mito_call(). */
#define MITO_DECLARE_FUNCTION(name) extern const struct mito_function name

/* Reads the arguments of the call, all of them, by signature (see above). */
#define mito_args(call, ...) mito_args_((call)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_args_(struct mito_call *call, const void *signature, ...);

/* The whole argument list as a tuple value, or one argument; NULL when there is none. Borrowed. */
const struct mito_value *mito_call_arguments(struct mito_call *call);
const struct mito_value *mito_call_argument(struct mito_call *call, size_t index);
/* The keyword argument of that name (Python callers have them), NULL when there is none. */
const struct mito_value *mito_call_keyword(struct mito_call *call, const char *name);

/* Sets the result. A signature of one letter is that value, of several a tuple, "" or no call at
 * all None. Returns 0, so that a function can end with `return mito_return(...)`. */
#define mito_return(call, ...) mito_return_((call)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_return_(struct mito_call *call, const void *signature, ...);

/* Fails the call with a code of the program's own (MITO_E_USER and up, or any of ours) and a text.
 * Returns -1, so that a function can end with `return mito_fail(...)`. `call` may be NULL: then it
 * only sets this thread's error.
 * `format`, here and for mito_log(): what printf(3) takes, of which %d %i %u %o %x %X %c %s %p %%
 * with a width, the flags - and 0, a precision of %s, and all length modifiers of integers are
 * there. There is no floating point (that alone would make every program that is sent 5 KB larger):
 * format it with snprintf(3) and give it as %s. What is behind another conversion stays as it is.
 */
int mito_fail(struct mito_call *call, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The router of this process, to grow the tree from where the function runs. Borrowed. */
struct mito_router *mito_call_router(struct mito_call *call);
/* The context that asked for this call. Borrowed, valid until the function returns. */
struct mito_context *mito_call_caller(struct mito_call *call);

/* ------------------------------------------------------------------------------------------- */
/* Start, router                                                                                 */
/* ------------------------------------------------------------------------------------------- */

/* The first statement of main(). In the program that the user started it returns at once. In a copy
 * that Mitosis started it serves calls and never returns: what follows in main() is the master's.
 * Before it, main() must not write to stdout, nor read stdin. */
void mito_start(int argc, char **argv);

/* Copies are made of this executable, whole in memory, instead of this program's own file: for a
 * master that carries more than its copies need. It must begin with mito_start(), have the
 * functions that are called (they are found by module and name), and run here as well as there.
 * Copied; after mito_start(), before the first context. MITO_E_SYSTEM on kernels without
 * memfd_create(2), when there is no room for a file either: then nothing has changed. */
int mito_set_image(const void *image, size_t size);

#define MITO_SHA256_SIZE 32

/* An image that an executable carries for its copies: a program, compressed by gzip. */
struct mito_image {
    const char *kind;      /* of machine: x86_64, aarch64, armv7, riscv64, i386 */
    uint64_t offset;       /* in the file, in bytes */
    uint32_t packed_size;  /* in the file */
    uint32_t size;         /* uncompressed */
    const uint8_t *sha256; /* of the uncompressed program; MITO_SHA256_SIZE bytes */
};

/* Calls `each` for every image that is bound to the executable of that name (`mitosis image bind`,
 * `mitosis cc`), in their order; what it is given is valid during the call. Ends early when `each`
 * does not return 0. Returns what it returned last, 0 when there are none; -1 with MITO_E_SYSTEM
 * when the file cannot be read, MITO_E_MALFORMED when it is no ELF executable or the table of its
 * images is damaged. The images themselves are not looked at. */
int mito_images(const char *file, int (*each)(void *arg, const struct mito_image *image),
                void *arg);

/* The SHA-256 of `size` bytes, as it stands in struct mito_image. */
void mito_sha256(const void *data, size_t size, uint8_t out[MITO_SHA256_SIZE]);

enum mito_level { MITO_ERROR, MITO_WARNING, MITO_INFO, MITO_DEBUG, MITO_IO };

/* One log record, from this process or any below it. All pointers are valid during the call only.
 * Everything in it but `level` and `context_id` is what that context says: text is to be treated as
 * hostile (mito_log_format() makes it safe for a terminal). */
struct mito_log_record {
    enum mito_level level;
    uint32_t context_id;
    const char *context_name;
    const char *logger; /* "stdout", "stderr" for output; else who spoke */
    const char *text;   /* one line, no newline */
};

struct mito_router_options {
    /* Gets every log record. Called on a thread kept for it, one record at a time; it may block,
     * may not call mito_router_free(). Default: one line per record on stderr. */
    void (*log)(void *arg, const struct mito_log_record *record);
    void *log_arg;
    /* Records above this level are not made, here or in any context below. Default: MITOSIS_LOG of
     * the environment (error, warning, info, debug, io), else info. Set log_level_set with it. */
    enum mito_level log_level;
    bool log_level_set;
    /* Contexts may only talk to their parents and children, not sideways. Holds for the tree. */
    bool unidirectional;
    /* Bytes in the largest message that is sent or accepted. 0: 128 MiB. */
    uint32_t max_message_size;
    /* Bytes that may wait for one receiver, or to be written to one stream. 0: 64 MiB. One message
     * more than this may be held. A thread that sends waits while its stream is full; a message
     * that is only passing through is refused (its sender gets a dead reply). */
    size_t queue_limit;
};

/* Starts this process's broker and router. `options` may be NULL. One per process: a second one
 * while the first lives is MITO_E_INVALID. In a child mito_start() has made it; see
 * mito_call_router(). */
struct mito_router *mito_router_new(const struct mito_router_options *options);

/* Shuts every context below down, gracefully and within at most 5 s, then by force; every child is
 * gone, every record delivered, the broker's thread ended when this returns. Other threads that
 * wait in a call, a connection method or mito_context_shutdown() are told, and have left it by
 * then: what they wait for fails with MITO_E_DEAD. They may use nothing of the router from then on.
 * NULL is allowed. */
void mito_router_free(struct mito_router *router);

/* ------------------------------------------------------------------------------------------- */
/* Contexts                                                                                      */
/* ------------------------------------------------------------------------------------------- */

/* Options that every connection method has. */
#define MITO_COMMON_OPTIONS                                                                        \
    struct mito_context *via; /* connect from there instead of from this process */                \
    const char *remote_name;  /* how the child names who started it; default user@host:pid */      \
    int connect_timeout;      /* until it is up; 0: 30 s */                                        \
    bool unidirectional;      /* it and its subtree may not talk sideways */                       \
    bool debug                /* the child starts at log level debug */

struct mito_local_options {
    MITO_COMMON_OPTIONS;
};

/* fork(2) without exec: the child starts with a copy of all memory of its parent, as it is at this
 * moment. Threads are not copied, nor is what exec would close. Of what the parent's router made
 * (contexts, receivers, senders ...) nothing is of use in the child. Other libraries must bear to
 * be used in a forked child of a process with threads. */
struct mito_fork_options {
    MITO_COMMON_OPTIONS;
};

enum mito_host_keys {
    MITO_HOST_KEYS_ENFORCE, /* only known keys (the default) */
    MITO_HOST_KEYS_ACCEPT,  /* unknown keys are taken, changed ones refused */
    MITO_HOST_KEYS_IGNORE,  /* none is looked at: anyone can pretend to be the host */
};

/* Passwords. One is typed only where the program that connects asks for it: at its prompt, on a
 * terminal made for that or (su) on its standard error and input, once. It is part of no command
 * line, environment, log or error, and our copies are wiped after use; a process that connects with
 * one writes no core files from then on (setrlimit(2), RLIMIT_CORE). Control characters in one, and
 * more than 1000 bytes, are MITO_E_INVALID. NULL: none; then being asked for one is
 * MITO_E_NO_PASSWORD (ssh is told to ask for nothing then: MITO_E_PERMISSION).
 *
 * Lists of arguments end with NULL. They reach the program as they are, through no shell. */

struct mito_ssh_options {
    MITO_COMMON_OPTIONS;
    const char *hostname;      /* required; a name, an address or a Host of ssh_config(5) */
    const char *username;      /* default: as ssh_config(5) says */
    int port;                  /* default: as ssh_config(5) says */
    const char *identity_file; /* the only key that is tried, besides the agent's */
    bool identities_only;      /* no keys of the agent but those of the configuration */
    const char *password;      /* for password and keyboard-interactive authentication, of this host
                                  alone: a jump host (ProxyJump) that asks for one is
                                  MITO_E_PERMISSION, unless ssh_path is a script around
                                  ssh; let it have a key, or be a context (via) */
    enum mito_host_keys check_host_keys;
    bool compression;       /* ssh's own (the image is compressed in any case) */
    int keepalive_interval; /* s between questions whether the host is there; 0: 15, -1: never */
    int keepalive_count;    /* so many without an answer are the end; 0: 3 */
    int ssh_debug_level;    /* 0 to 3; what ssh says is logged at level info */
    const char *ssh_path;   /* default "ssh", looked up in PATH */
    const char *const *ssh_args; /* further arguments; they go first, and so override ours */
};

/* sudo(8), with a terminal of its own, so that requiretty is no hindrance. */
struct mito_sudo_options {
    MITO_COMMON_OPTIONS;
    const char *username; /* default root */
    const char *password;
    const char *sudo_path;        /* default "sudo" */
    bool set_home;                /* -H */
    bool preserve_env;            /* -E */
    bool login;                   /* -i: through the user's login shell */
    const char *selinux_role;     /* -r */
    const char *selinux_type;     /* -t */
    const char *const *sudo_args; /* further options; what would not leave us a command (-l, -v, -e
                                     ...) or asks for a password elsewhere is MITO_E_INVALID */
};

/* su(1). */
struct mito_su_options {
    MITO_COMMON_OPTIONS;
    const char *username; /* default root */
    const char *password;
    const char *su_path; /* default "su" */
};

/* doas(1). */
struct mito_doas_options {
    MITO_COMMON_OPTIONS;
    const char *username; /* default root */
    const char *password;
    const char *doas_path; /* default "doas" */
};

/* docker exec, in a running container; or docker run, in a temporary one of an image, which is
 * removed at the end. One of both is required. */
struct mito_docker_options {
    MITO_COMMON_OPTIONS;
    const char *container;
    const char *image;
    const char *username;           /* a name or number; default: the container's */
    const char *docker_path;        /* default "docker" */
    const char *const *docker_args; /* global options, before exec or run */
};

/* podman exec, podman run: as docker. */
struct mito_podman_options {
    MITO_COMMON_OPTIONS;
    const char *container;
    const char *image;
    const char *username;
    const char *podman_path; /* default "podman" */
    const char *const *podman_args;
};

/* buildah run, in a working container. */
struct mito_buildah_options {
    MITO_COMMON_OPTIONS;
    const char *container; /* required */
    const char *username;
    const char *buildah_path;        /* default "buildah" */
    const char *const *buildah_args; /* options of buildah run */
};

/* kubectl exec. */
struct mito_kubectl_options {
    MITO_COMMON_OPTIONS;
    const char *pod; /* required; or "deployment/name" ..., as kubectl takes it */
    const char *namespace;
    const char *container;           /* default: kubectl's choice */
    const char *kubectl_path;        /* default "kubectl" */
    const char *const *kubectl_args; /* global options, before exec */
};

/* lxc-attach(1), of the LXC tools. */
struct mito_lxc_options {
    MITO_COMMON_OPTIONS;
    const char *container;       /* required */
    const char *lxc_attach_path; /* default "lxc-attach" */
    const char *const *lxc_args; /* further options, such as -P and a path */
};

/* lxc exec, of LXD. */
struct mito_lxd_options {
    MITO_COMMON_OPTIONS;
    const char *container;       /* required */
    const char *lxc_path;        /* default "lxc" */
    const char *const *lxd_args; /* options of lxc exec */
};

/* incus exec. */
struct mito_incus_options {
    MITO_COMMON_OPTIONS;
    const char *container;         /* required */
    const char *incus_path;        /* default "incus" */
    const char *const *incus_args; /* options of incus exec */
};

/* jexec(8), on FreeBSD. */
struct mito_jail_options {
    MITO_COMMON_OPTIONS;
    const char *container;  /* required: name or number of the jail */
    const char *username;   /* as the jail knows it; default root */
    const char *jexec_path; /* default "jexec" */
};

/* setns(2): the copy enters the namespaces of a process by itself, no program is run in the
 * container, nor needs to be there. Needs the rights for it (usually root's). */
struct mito_setns_options {
    MITO_COMMON_OPTIONS;
    const char *container; /* of `kind`: its first process is asked of the kind's tool */
    const char *kind;      /* "docker", "podman", "lxc", "lxd", "incus", "machinectl" */
    int pid;               /* instead of both: the process itself */
    const char *username;  /* as /etc/passwd there says, or a number; default root */
    const char *tool_path; /* of the kind's tool; default: docker, podman, lxc-info, lxc ... */
};

/* A Python interpreter that becomes a context of Mitogen, whose functions mito_call_python() calls.
 * It runs where `via` is, so with .via = mito_ssh(...) on another machine, with .via =
 * mito_docker(...) in a container. Mitogen itself, and the modules that the interpreter has not,
 * come from the master: see mito_serve_python(). */
struct mito_python_options {
    MITO_COMMON_OPTIONS;
    const char *python_path; /* default "python3", looked up in PATH there */
};

/* Starts a copy of this program: as a new process on this machine (local), or behind a program that
 * leads elsewhere: another machine, account, container. Returns when the copy is ready to be
 * called; on failure the error's code is one of the "connect:" codes above, or a general one.
 *
 *     mito_local(router, .via = other, .connect_timeout = 5000)
 *     mito_ssh(router, .hostname = "db1", .username = "admin")
 *     mito_sudo(router, .via = db1, .password = secret)
 *
 * The result is a reference for the caller; mito_router_free() takes all that are left.
 *
 * mito_..._async does not wait: any number may be under way at once. When one is up, or has failed,
 * a message arrives in `rx`; mito_message_read(m, "c", &context) gives the context or the failure,
 * and mito_message_tag(m) is `tag`. Options are copied before these return. */
/* clang-format off */
#define MITO_CONNECT_(router, method, ...)                                                         \
    mito_connect_((router), #method, &(const struct mito_##method##_options){__VA_ARGS__})
#define MITO_CONNECT_ASYNC_(router, rx, tag, method, ...)                                          \
    mito_connect_async_((router), (rx), (tag), #method,                                            \
                        &(const struct mito_##method##_options){__VA_ARGS__})
#define mito_local(router, ...) MITO_CONNECT_(router, local, __VA_ARGS__)
#define mito_fork(router, ...)       MITO_CONNECT_(router, fork, __VA_ARGS__)
#define mito_ssh(router, ...) MITO_CONNECT_(router, ssh, __VA_ARGS__)
#define mito_sudo(router, ...) MITO_CONNECT_(router, sudo, __VA_ARGS__)
#define mito_su(router, ...) MITO_CONNECT_(router, su, __VA_ARGS__)
#define mito_doas(router, ...) MITO_CONNECT_(router, doas, __VA_ARGS__)
#define mito_docker(router, ...) MITO_CONNECT_(router, docker, __VA_ARGS__)
#define mito_podman(router, ...) MITO_CONNECT_(router, podman, __VA_ARGS__)
#define mito_buildah(router, ...) MITO_CONNECT_(router, buildah, __VA_ARGS__)
#define mito_kubectl(router, ...) MITO_CONNECT_(router, kubectl, __VA_ARGS__)
#define mito_lxc(router, ...) MITO_CONNECT_(router, lxc, __VA_ARGS__)
#define mito_lxd(router, ...) MITO_CONNECT_(router, lxd, __VA_ARGS__)
#define mito_incus(router, ...) MITO_CONNECT_(router, incus, __VA_ARGS__)
#define mito_jail(router, ...) MITO_CONNECT_(router, jail, __VA_ARGS__)
#define mito_setns(router, ...) MITO_CONNECT_(router, setns, __VA_ARGS__)
#define mito_python(router, ...) \
    mito_python_((router), &(const struct mito_python_options){__VA_ARGS__})
#define mito_python_async(router, rx, tag, ...) \
    mito_python_async_((router), (rx), (tag), &(const struct mito_python_options){__VA_ARGS__})
#define mito_local_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, local, __VA_ARGS__)
#define mito_fork_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, fork, __VA_ARGS__)
#define mito_ssh_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, ssh, __VA_ARGS__)
#define mito_sudo_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, sudo, __VA_ARGS__)
#define mito_su_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, su, __VA_ARGS__)
#define mito_doas_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, doas, __VA_ARGS__)
#define mito_docker_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, docker, __VA_ARGS__)
#define mito_podman_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, podman, __VA_ARGS__)
#define mito_buildah_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, buildah, __VA_ARGS__)
#define mito_kubectl_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, kubectl, __VA_ARGS__)
#define mito_lxc_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, lxc, __VA_ARGS__)
#define mito_lxd_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, lxd, __VA_ARGS__)
#define mito_incus_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, incus, __VA_ARGS__)
#define mito_jail_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, jail, __VA_ARGS__)
#define mito_setns_async(router, rx, tag, ...) MITO_CONNECT_ASYNC_(router, rx, tag, setns, __VA_ARGS__)
/* clang-format on */
/* What the macros call: `options` is the struct of that method. */
struct mito_context *mito_connect_(struct mito_router *router, const char *method,
                                   const void *options);
int mito_connect_async_(struct mito_router *router, struct mito_receiver *rx, void *tag,
                        const char *method, const void *options);

struct mito_context *mito_python_(struct mito_router *router,
                                  const struct mito_python_options *options);
int mito_python_async_(struct mito_router *router, struct mito_receiver *rx, void *tag,
                       const struct mito_python_options *options);

/* Where the contexts that run Python get their modules from, and Mitogen itself: from an
 * interpreter that is run in the master when the first one is asked for. It has to have Mitogen
 * (Debian: python3-mitogen), and gives what it could import itself: everybody below the master can
 * read the source of that, and the other files of those packages. Modules of its standard library
 * and those that are no Python text are left out. When it dies it is started again with the next
 * question; who waits does not notice. */
struct mito_python_modules {
    const char *python_path; /* default "python3", or /usr/bin/python3 when only that has Mitogen */
    const char *const *directories; /* looked in before those of the interpreter; NULL-terminated */
    const struct mito_python_text *texts; /* before all of those; the last one has no name */
};

/* A Python module that the program has in itself, instead of in a file. */
struct mito_python_text {
    const char *name; /* letters, digits and '_'; it is in no package */
    const char *text; /* copied */
};

/* Sets that; once, in the master, before the first mito_python(), which else does it with the
 * defaults. -1: MITO_E_INVALID when it was set, or not in the master. */
int mito_serve_python(struct mito_router *router, const struct mito_python_modules *options);

/* The context of this process; of its parent (NULL in the master); of any id. Each returns a
 * reference. mito_context_by_id() says nothing about whether such a context lives. */
struct mito_context *mito_context_self(struct mito_router *router);
struct mito_context *mito_context_parent(struct mito_router *router);
struct mito_context *mito_context_by_id(struct mito_router *router, uint32_t id);

struct mito_context *mito_context_ref(struct mito_context *context); /* returns its argument */
void mito_context_unref(struct mito_context *context);               /* NULL is allowed */

uint32_t mito_context_id(const struct mito_context *context); /* the master's is 0 */
/* "local.1234", "ssh.db1", "sudo.root" ...; valid as long as the reference. Never NULL. */
const char *mito_context_name(const struct mito_context *context);
struct mito_router *mito_context_router(const struct mito_context *context);

/* Asks the context and all below it to end and waits until it is gone. If it does not end in time
 * it is killed by its parent. Needs authority over it. Returns 0 when it is gone, also when it was
 * gone before. */
int mito_context_shutdown(struct mito_context *context, int timeout);

/* Called in a child: cuts this process and its subtree loose from its parent, so that it outlives
 * the program that started it. From then on it is its own root, its output and logs go nowhere,
 * and it ends when the function that called this returns. The parent sees it as gone. */
int mito_detach(struct mito_router *router);

/* ------------------------------------------------------------------------------------------- */
/* Other programs in the same tree                                                               */
/* ------------------------------------------------------------------------------------------- */

struct mito_listen_options {
    const char *path;      /* required; of the socket, at most 107 bytes */
    unsigned clients;      /* at a time, at most; 0: 256 */
    int handshake_timeout; /* ms for a client to say who it is; 0: 5 s */
};

/* Lets other programs join the tree through a unix socket: with mito_unix_connect(), or Python ones
 * with mitogen.unix.connect(). Each becomes a context below this one, and has its authority: it may
 * call functions here and everywhere below, and open further contexts from here. Those that it
 * opens from itself have no authority. The socket has mode 0600, and only processes of the same
 * user, or root's, are let in.
 *
 *     struct mito_listener *door = mito_listen(router, .path = "/run/user/1000/tree");
 *
 * A socket that nobody listens to any more is replaced; MITO_E_INVALID when somebody does, or what
 * is there is no socket. The path is removed by mito_listener_free() or the end of the router; when
 * the process is killed it stays, until somebody listens there again.
 *
 * In the master, functions are served from now on: on one thread of their own, and on the pool's
 * when they are MITO_CONCURRENT. mito_router_free() waits for those that run. */
#define mito_listen(router, ...)                                                                   \
    mito_listen_((router), &(const struct mito_listen_options){__VA_ARGS__})
struct mito_listener *mito_listen_(struct mito_router *router,
                                   const struct mito_listen_options *options);
/* Takes no more clients and removes the path; those that are connected stay. NULL is allowed. Not
 * after mito_router_free(), which does the same. */
void mito_listener_free(struct mito_listener *listener);
/* For how many ms nobody has been connected; -1 while somebody is. */
int64_t mito_listener_idle(struct mito_listener *listener);

/* Joins the tree of the program that listens at that path, a Mitosis or a Mitogen one, instead of
 * starting one with mito_router_new(): the router's context has an id of that tree, its parent
 * (mito_context_parent()) is the one that listens. Contexts opened here, or there with
 * `.via = parent` (if that is a Mitosis program), are part of the tree. Log records of this process
 * go to options->log, those of contexts below it to the tree's master.
 *
 * When the listener is gone, all calls to contexts behind it fail with MITO_E_DEAD at once, and all
 * receivers end with it. mito_router_free() leaves the tree. Errors: MITO_E_REFUSED (nobody
 * listens, or turned us away), MITO_E_PERMISSION (also when who listens is neither root nor the
 * same user), MITO_E_TIMEOUT, MITO_E_GARBAGE, MITO_E_INVALID (a path too long). */
struct mito_router *mito_unix_connect(const char *path, const struct mito_router_options *options);

/* ------------------------------------------------------------------------------------------- */
/* Calling                                                                                       */
/* ------------------------------------------------------------------------------------------- */

/* Runs a function in another context and waits for its result:
 *     mito_call(context, &disk_usage, "s", "/var", "i", &bytes)
 * first the signature and values of the arguments, then the signature of the result and where it
 * goes; "" and nothing for none of either. mito_call_timeout() gives up after that many ms, the
 * function runs on. Errors: the function's own; MITO_E_DEAD at once when the context is or goes
 * away, MITO_E_CRASHED when it crashes; MITO_E_TYPE when the result is another than the signature
 * says. */
#define mito_call(context, function, ...)                                                          \
    mito_call_((context), MITO_FOREVER, (function)MITO_VALUES_(__VA_ARGS__, (char *)0))
#define mito_call_timeout(context, timeout, function, ...)                                         \
    mito_call_((context), (timeout), (function)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_call_(struct mito_context *context, int timeout, const struct mito_function *function,
               const void *signature, ...);

/* Without waiting. The result, or the error, arrives in `rx` as a message whose
 * mito_message_context() is the callee and whose mito_message_tag() is `tag`. Many calls may share
 * a receiver, and what is sent to the receiver itself arrives between their results, in the order
 * in which the callee sent it. */
#define mito_call_async(context, function, rx, tag, ...)                                           \
    mito_call_async_((context), (function), (rx), (tag)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_call_async_(struct mito_context *context, const struct mito_function *function,
                     struct mito_receiver *rx, void *tag, const void *signature, ...);

/* Without a result. An error of the function is logged where it ran. */
#define mito_call_no_reply(context, function, ...)                                                 \
    mito_call_no_reply_((context), (function)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_call_no_reply_(struct mito_context *context, const struct mito_function *function,
                        const void *signature, ...);

/* The same for a function of Python, in a context that runs it (a Mitogen child): of a module that
 * can be imported there, by its name, or by "Class.name" when it belongs to a class:
 *     mito_call_python(context, "os", "getpid", "", "i", &pid)
 *     mito_call_python(context, "subprocess", "check_output", "[s]|sb", "ls", "text", true, "s",
 * &out) An exception is MITO_E_REMOTE; mito_error() has its class, its text and its traceback,
 * whose lines are joined with " | " (the middle of a long one is left out). Python's integers,
 * floats, str, bytes, None, bool, tuples, lists and dicts arrive as such; results of other types
 * (sets, objects) are MITO_E_MALFORMED. */
#define mito_call_python(context, module, function, ...)                                           \
    mito_call_python_((context), MITO_FOREVER, (module),                                           \
                      (function)MITO_VALUES_(__VA_ARGS__, (char *)0))
#define mito_call_python_timeout(context, timeout, module, function, ...)                          \
    mito_call_python_((context), (timeout), (module),                                              \
                      (function)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_call_python_(struct mito_context *context, int timeout, const char *module,
                      const char *function, const void *signature, ...);
#define mito_call_python_async(context, module, function, rx, tag, ...)                            \
    mito_call_python_async_((context), (module), (function), (rx),                                 \
                            (tag)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_call_python_async_(struct mito_context *context, const char *module, const char *function,
                            struct mito_receiver *rx, void *tag, const void *signature, ...);
#define mito_call_python_no_reply(context, module, function, ...)                                  \
    mito_call_python_no_reply_((context), (module), (function)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_call_python_no_reply_(struct mito_context *context, const char *module,
                               const char *function, const void *signature, ...);

/* Calls a method of a service (mitogen.service) of a Python context, such as its master, by the
 * name of the service, "module.Class". Services take keyword arguments alone: the signature has
 * names and values in turn. mito_call_service(master, "mitogen.service.FileService", "register",
 * "ss", "path", "/etc/motd",
 *                       "")
 */
#define mito_call_service(context, service, method, ...)                                           \
    mito_call_service_((context), MITO_FOREVER, (service),                                         \
                       (method)MITO_VALUES_(__VA_ARGS__, (char *)0))
#define mito_call_service_timeout(context, timeout, service, method, ...)                          \
    mito_call_service_((context), (timeout), (service),                                            \
                       (method)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_call_service_(struct mito_context *context, int timeout, const char *service,
                       const char *method, const void *signature, ...);
#define mito_call_service_async(context, service, method, rx, tag, ...)                            \
    mito_call_service_async_((context), (service), (method), (rx),                                 \
                             (tag)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_call_service_async_(struct mito_context *context, const char *service, const char *method,
                             struct mito_receiver *rx, void *tag, const void *signature, ...);

/* A chain of calls to one context that are sent without waiting for each other: once one fails, the
 * later ones fail with the same error and do not run. */
struct mito_chain *mito_chain_new(struct mito_context *context);
void mito_chain_free(struct mito_chain *chain); /* resets it first */
/* Forgets a failure: calls made after this run again. */
int mito_chain_reset(struct mito_chain *chain);
#define mito_chain_call(chain, function, ...)                                                      \
    mito_chain_call_((chain), MITO_FOREVER, (function)MITO_VALUES_(__VA_ARGS__, (char *)0))
#define mito_chain_call_async(chain, function, rx, tag, ...)                                       \
    mito_chain_call_async_((chain), (function), (rx), (tag)MITO_VALUES_(__VA_ARGS__, (char *)0))
#define mito_chain_call_no_reply(chain, function, ...)                                             \
    mito_chain_call_no_reply_((chain), (function)MITO_VALUES_(__VA_ARGS__, (char *)0))
/* For a context that runs Python. All calls of one chain are of the same kind. */
#define mito_chain_call_python(chain, module, function, ...)                                       \
    mito_chain_call_python_((chain), MITO_FOREVER, (module),                                       \
                            (function)MITO_VALUES_(__VA_ARGS__, (char *)0))
#define mito_chain_call_python_async(chain, module, function, rx, tag, ...)                        \
    mito_chain_call_python_async_((chain), (module), (function), (rx),                             \
                                  (tag)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_chain_call_python_(struct mito_chain *chain, int timeout, const char *module,
                            const char *function, const void *signature, ...);
int mito_chain_call_python_async_(struct mito_chain *chain, const char *module,
                                  const char *function, struct mito_receiver *rx, void *tag,
                                  const void *signature, ...);
int mito_chain_call_(struct mito_chain *chain, int timeout, const struct mito_function *function,
                     const void *signature, ...);
int mito_chain_call_async_(struct mito_chain *chain, const struct mito_function *function,
                           struct mito_receiver *rx, void *tag, const void *signature, ...);
int mito_chain_call_no_reply_(struct mito_chain *chain, const struct mito_function *function,
                              const void *signature, ...);

/* ------------------------------------------------------------------------------------------- */
/* Receivers, senders, channels, select                                                          */
/* ------------------------------------------------------------------------------------------- */

/* A place where messages arrive, in order. Any context that was told its address may send
 * there; mito_message_src_id() says who did, and cannot be forged. Pass it to another context with
 * "r" in a signature; what is sent to it from there can be received here. */
struct mito_receiver *mito_receiver_new(struct mito_router *router);
/* Later messages to it are undeliverable; threads that wait on it fail with MITO_E_CLOSED. */
void mito_receiver_free(struct mito_receiver *rx);

/* The next message, or NULL: MITO_E_TIMEOUT; MITO_E_CLOSED when the other end closed it and all
 * that came before was received, so `while ((m = mito_receive(rx, MITO_FOREVER)))` ends with the
 * sender; MITO_E_DEAD when the context it was waiting on is gone; MITO_E_OVERFLOW once when more
 * than queue_limit was waiting and messages were lost. To be released with mito_message_free(). */
struct mito_message *mito_receive(struct mito_receiver *rx, int timeout);

/* A descriptor that is readable while mito_receive() would not block, for an event loop of one's
 * own: poll(2) it, never read it. Stays the receiver's. */
int mito_receiver_fd(struct mito_receiver *rx);

/* Reads the value of the message by signature; several letters read a tuple. When the message
 * carries a failure (of an asynchronous call or connection), this fails with it. */
#define mito_message_read(message, ...)                                                            \
    mito_message_read_((message)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_message_read_(struct mito_message *message, const void *signature, ...);
/* Its value, decoded; borrowed; NULL when it is a failure or malformed. */
const struct mito_value *mito_message_value(struct mito_message *message);
/* The context that sent it: a reference. NULL only when out of memory. */
struct mito_context *mito_message_context(struct mito_message *message);
uint32_t mito_message_src_id(const struct mito_message *message);
void *mito_message_tag(const struct mito_message *message);
/* Answers a message that asks for an answer (see mito_request). Others: MITO_E_INVALID. */
#define mito_message_reply(message, ...)                                                           \
    mito_message_reply_((message)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_message_reply_(struct mito_message *message, const void *signature, ...);
void mito_message_free(struct mito_message *message); /* NULL is allowed */

/* A sender that came in a message ("r", "t") may point to any receiver in the tree, whoever sent
 * it, and what is sent carries this context's authority. Such a sender never points to the handles
 * that act on authority (MITO_E_DENIED when it is read); where it matters whose receiver it is,
 * compare mito_sender_context(). */
/* Sends a value to the receiver behind the sender; returns when it is handed to the stream, waiting
 * while the stream's queue is full. Whether it arrives is not known. */
#define mito_send(sender, ...) mito_send_((sender)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_send_(struct mito_sender *sender, const void *signature, ...);
/* Sends a value and asks for an answer, which arrives in `rx`. */
#define mito_request(sender, rx, tag, ...)                                                         \
    mito_request_((sender), (rx), (tag)MITO_VALUES_(__VA_ARGS__, (char *)0))
int mito_request_(struct mito_sender *sender, struct mito_receiver *rx, void *tag,
                  const void *signature, ...);
/* Tells the receiver that no more will come: it ends with MITO_E_CLOSED. */
int mito_sender_close(struct mito_sender *sender);
/* A sender to a receiver of this process; to a known handle of another context. */
struct mito_sender *mito_sender_to(struct mito_receiver *rx);
struct mito_sender *mito_sender_new(struct mito_context *context, uint32_t handle);
struct mito_context *mito_sender_context(struct mito_sender *sender); /* a reference */
uint32_t mito_sender_handle(const struct mito_sender *sender);
void mito_sender_free(struct mito_sender *sender); /* NULL is allowed; does not close */

/* Two directions in one object; takes over both parts. Freeing it closes the sender. */
struct mito_channel *mito_channel_new(struct mito_receiver *rx, struct mito_sender *tx);
#define mito_channel_send(channel, ...) mito_send(mito_channel_sender(channel), __VA_ARGS__)
struct mito_message *mito_channel_receive(struct mito_channel *channel, int timeout);
struct mito_receiver *mito_channel_receiver(struct mito_channel *channel); /* borrowed */
struct mito_sender *mito_channel_sender(struct mito_channel *channel);     /* borrowed */
int mito_channel_close(struct mito_channel *channel);
void mito_channel_free(struct mito_channel *channel);

/* Waits on many receivers, and on other selects, at once. Neither takes over what is added; what is
 * added must be removed (or the select freed) before it is freed itself. A receiver can be in one
 * select at a time, a select in one other; rings are MITO_E_INVALID. */
struct mito_select *mito_select_new(struct mito_router *router);
void mito_select_free(struct mito_select *select);
int mito_select_add(struct mito_select *select, struct mito_receiver *rx);
int mito_select_remove(struct mito_select *select, struct mito_receiver *rx);
int mito_select_add_select(struct mito_select *select, struct mito_select *inner);
int mito_select_remove_select(struct mito_select *select, struct mito_select *inner);
/* The next receiver for which mito_receive() would not block (a message, or its end), fairly in
 * turn; NULL: MITO_E_TIMEOUT, MITO_E_INVALID when nothing is in it, also when the last was removed
 * meanwhile. Another thread may be faster: receive with a timeout of 0 when receivers are shared.
 */
struct mito_receiver *mito_select_wait(struct mito_select *select, int timeout);
int mito_select_fd(struct mito_select *select); /* as mito_receiver_fd */

/* ------------------------------------------------------------------------------------------- */
/* Logs                                                                                          */
/* ------------------------------------------------------------------------------------------- */

/* Makes a log record; in a child it travels to the master. Never blocks, never fails: when the
 * bounded queue is full, records are counted and the count is logged. `format` as for mito_fail().
 */
void mito_log(struct mito_router *router, enum mito_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the record as one line without newline, control characters made visible as \xNN, to out;
 * always terminates it; returns the length it would need, like snprintf(3). */
size_t mito_log_format(const struct mito_log_record *record, char *out, size_t size);

/* ------------------------------------------------------------------------------------------- */
/* Values                                                                                        */
/* ------------------------------------------------------------------------------------------- */

enum mito_type {
    MITO_NONE,
    MITO_BOOL,
    MITO_INT, /* of any size: read_int fails with MITO_E_RANGE when it does not fit */
    MITO_DOUBLE,
    MITO_STR,
    MITO_BYTES,
    MITO_TUPLE,
    MITO_LIST,
    MITO_DICT,
    MITO_BLOB,
    MITO_SECRET,
    MITO_KWARGS,
    MITO_FAILURE, /* an error as a value; its text is read with mito_value_str */
    MITO_CONTEXT,
    MITO_SENDER,
};

/* Reading. A value inside another is borrowed from it. NULL arguments are MITO_E_TYPE errors. */
enum mito_type mito_value_type(const struct mito_value *value);
int mito_value_bool(const struct mito_value *value, bool *out);
int mito_value_int(const struct mito_value *value, int64_t *out);
int mito_value_double(const struct mito_value *value, double *out);
/* Text of STR, SECRET, FAILURE; *length may be NULL. NUL-terminated, may contain more NULs. */
const char *mito_value_str(const struct mito_value *value, size_t *length);
/* Bytes of BYTES and BLOB; for INT its two's complement, little endian. Never NULL on success. */
const void *mito_value_bytes(const struct mito_value *value, size_t *length);
/* Items of TUPLE, LIST; pairs of DICT, KWARGS; 0 for others. */
size_t mito_value_length(const struct mito_value *value);
const struct mito_value *mito_value_item(const struct mito_value *value, size_t index);
const struct mito_value *mito_value_key(const struct mito_value *value, size_t index);
/* The item of DICT or KWARGS with that text as its key, NULL (and no error) when there is none. */
const struct mito_value *mito_value_get(const struct mito_value *value, const char *key);
/* Ids of CONTEXT (handle 0) and SENDER. */
int mito_value_address(const struct mito_value *value, uint32_t *context_id, uint32_t *handle);

/* Making. Each returns a value of its own, to be released with mito_value_free() or given away. */
struct mito_value *mito_value_new_none(void);
struct mito_value *mito_value_new_bool(bool x);
struct mito_value *mito_value_new_int(int64_t x);
struct mito_value *mito_value_new_double(double x);
struct mito_value *mito_value_new_str(const char *text, size_t length);
struct mito_value *mito_value_new_bytes(const void *data, size_t length);
struct mito_value *mito_value_new_list(void);
struct mito_value *mito_value_new_dict(void);
/* Appends to a list; sets a pair of a dict (the key is not looked for). The container takes the
 * items over, also when this fails. */
int mito_value_append(struct mito_value *list, struct mito_value *item);
int mito_value_set(struct mito_value *dict, struct mito_value *key, struct mito_value *item);
/* A deep copy that is the caller's own. */
struct mito_value *mito_value_copy(const struct mito_value *value);
void mito_value_free(struct mito_value *value); /* NULL is allowed; only for values of one's own */

/* For MITO_AUTO variables: released when the scope ends. */
static inline void mito_message_freep_(struct mito_message **p)
{
    mito_message_free(*p);
}
static inline void mito_receiver_freep_(struct mito_receiver **p)
{
    if (*p != NULL)
        mito_receiver_free(*p);
}
static inline void mito_context_unrefp_(struct mito_context **p)
{
    mito_context_unref(*p);
}
static inline void mito_sender_freep_(struct mito_sender **p)
{
    mito_sender_free(*p);
}
#define MITO_AUTO_MESSAGE  __attribute__((cleanup(mito_message_freep_))) struct mito_message *
#define MITO_AUTO_RECEIVER __attribute__((cleanup(mito_receiver_freep_))) struct mito_receiver *
#define MITO_AUTO_CONTEXT  __attribute__((cleanup(mito_context_unrefp_))) struct mito_context *
#define MITO_AUTO_SENDER   __attribute__((cleanup(mito_sender_freep_))) struct mito_sender *

#endif
