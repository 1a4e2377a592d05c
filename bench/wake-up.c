/*
 * How late a program that does nothing but wait is woken on one processor: the measure of what the machine itself does to
 * whoever runs there. Wakes every 10 ms and prints what was more than 1 ms late: Unix milliseconds, microseconds late.
 *
 *   wake-up CPU
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { INTERVAL_NS = 10000000, TOLD_NS = 1000000 };

int main(int count, char **arguments) {
  cpu_set_t processors;
  struct timespec due, now, day;
  CPU_ZERO(&processors);
  CPU_SET(count > 1 ? atoi(arguments[1]) : 0, &processors);
  if (sched_setaffinity(0, sizeof processors, &processors) < 0) {
    perror("wake-up");
    return 1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("waiting");
  clock_gettime(CLOCK_MONOTONIC, &due);
  for (;;) {
    due.tv_nsec += INTERVAL_NS;
    if (due.tv_nsec >= 1000000000) {
      due.tv_nsec -= 1000000000;
      due.tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    const long long late = (now.tv_sec - due.tv_sec) * 1000000000LL + now.tv_nsec - due.tv_nsec;
    if (late <= TOLD_NS) continue;
    clock_gettime(CLOCK_REALTIME, &day);
    printf("%lld %lld\n", day.tv_sec * 1000LL + day.tv_nsec / 1000000, late / 1000);
    due = now;
  }
}
