#define _GNU_SOURCE
#include "cntk.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *in_library(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    void *found = handle ? dlsym(handle, name) : NULL;
    if (!found) {
        fprintf(stderr, "%s has no %s\n", library, name);
        abort();
    }
    return found;
}

void *original(const char *name) {
    return in_library("libCntk.Math-2.7.so", name);
}

typedef struct {
    size_t count;
    void (*work)(void *about, size_t first, size_t last);
    void *about;
} Parts;

static int (*omp_get_max_threads)(void);
static int (*omp_get_num_threads)(void);
static int (*omp_get_thread_num)(void);
static void (*GOMP_parallel)(void (*)(void *), void *, unsigned, unsigned);

static void own_part(void *parts_) {
    const Parts *parts = parts_;
    size_t number = omp_get_thread_num(), threads = omp_get_num_threads();
    size_t first = parts->count * number / threads, last = parts->count * (number + 1) / threads;
    if (first < last)
        parts->work(parts->about, first, last);
}

void in_parts(size_t count, size_t grain, void (*work)(void *about, size_t first, size_t last), void *about) {
    if (!GOMP_parallel) {
        const char *openmp = "libiomp5.so";
        omp_get_max_threads = (int (*)(void))in_library(openmp, "omp_get_max_threads");
        omp_get_num_threads = (int (*)(void))in_library(openmp, "omp_get_num_threads");
        omp_get_thread_num = (int (*)(void))in_library(openmp, "omp_get_thread_num");
        GOMP_parallel = (void (*)(void (*)(void *), void *, unsigned, unsigned))in_library(openmp, "GOMP_parallel");
    }
    Parts parts = {count, work, about};
    if (count < 2 * grain || omp_get_max_threads() < 2)
        work(about, 0, count);
    else
        GOMP_parallel(own_part, &parts, 0, 0);
}
