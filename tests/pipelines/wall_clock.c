/* Preloaded: the wall clock as if somebody had set it; the seconds that it is off stand in the file $CLOCK_OFF.
   (libfaketime would do, but breaks time.sleep of Python 3.11.) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) {
        const char *path = getenv("CLOCK_OFF");
        FILE *file = path ? fopen(path, "r") : NULL;
        long off = 0;
        if (file) {
            if (fscanf(file, "%ld", &off) == 1) now->tv_sec += off;
            fclose(file);
        }
    }
    return result;
}
