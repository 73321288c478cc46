#define _GNU_SOURCE
#include "cntk.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void *of_library(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    void *found = handle ? dlsym(handle, name) : NULL;
    if (!found) {
        fprintf(stderr, "%s has no %s\n", library, name);
        abort();
    }
    return found;
}

void *original(const char *name) {
    return of_library("libCntk.Math-2.7.so", name);
}

void *of_openmp(const char *name) {
    return of_library("libiomp5.so", name);
}

typedef struct {
    size_t count;
    void (*work)(void *about, size_t first, size_t last);
    void *about;
} Parts;

static int (*most_threads)(void), (*threads_now)(void), (*this_thread)(void);
static void (*in_a_team)(void (*)(void *), void *, unsigned, unsigned);

static void own_part(void *parts_) {
    const Parts *parts = parts_;
    size_t number = this_thread(), threads = threads_now();
    size_t first = parts->count * number / threads, last = parts->count * (number + 1) / threads;
    if (first < last)
        parts->work(parts->about, first, last);
}

void in_parts(size_t count, size_t grain, void (*work)(void *about, size_t first, size_t last), void *about) {
    if (!in_a_team) {
        *(void **)&most_threads = of_openmp("omp_get_max_threads");
        *(void **)&threads_now = of_openmp("omp_get_num_threads");
        *(void **)&this_thread = of_openmp("omp_get_thread_num");
        *(void **)&in_a_team = of_openmp("GOMP_parallel");
    }
    Parts parts = {count, work, about};
    if (count < 2 * grain || most_threads() < 2)
        work(about, 0, count);
    else
        in_a_team(own_part, &parts, 0, 0);
}
