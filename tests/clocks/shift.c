/* The wall clock of a process and of its children, shifted by GATEREEVE_CLOCK_SHIFT seconds.
 *
 * Loaded with LD_PRELOAD by `make test-clocks`. Only readings of the wall clock are shifted. Monotonic
 * clocks, sleeps and time-outs are the kernel's own, so that nothing waits longer or shorter.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift;

__attribute__((constructor)) static void read_shift(void) {
  const char *text = getenv("GATEREEVE_CLOCK_SHIFT");
  shift = text == NULL ? 0 : (time_t)strtoll(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) {
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  }
  int failed = real == NULL ? (int)syscall(SYS_clock_gettime, clock, at) : real(clock, at);
  if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    at->tv_sec += shift;
  }
  return failed;
}

int timespec_get(struct timespec *at, int base) {
  if (base != TIME_UTC) {
    return 0;
  }
  return clock_gettime(CLOCK_REALTIME, at) == 0 ? base : 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec read;
  if (clock_gettime(CLOCK_REALTIME, &read) != 0) {
    return -1;
  }
  at->tv_sec = read.tv_sec;
  at->tv_usec = read.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec read;
  if (clock_gettime(CLOCK_REALTIME, &read) != 0) {
    return (time_t)-1;
  }
  if (at != NULL) {
    *at = read.tv_sec;
  }
  return read.tv_sec;
}
