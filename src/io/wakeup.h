/* A descriptor that one thread makes readable so that another, asleep in poll(2), wakes. */
#ifndef IO_WAKEUP_H
#define IO_WAKEUP_H

struct wakeup {
    int read_fd;  /* to poll */
    int write_fd; /* the same one where there is eventfd(2) */
};

#define WAKEUP_NONE                                                                                \
    {                                                                                              \
        -1, -1                                                                                     \
    }

int wakeup_open(struct wakeup *w);
void wakeup_close(struct wakeup *w);
void wakeup_raise(const struct wakeup *w); /* never blocks; raising twice is raising once */
void wakeup_clear(const struct wakeup *w);

#endif
