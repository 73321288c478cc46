/* What the kernels know of CNTK 2.7: where a matrix keeps its numbers, and how its own functions are found. */

#ifndef CNTK_KERNELS_CNTK_H
#define CNTK_KERNELS_CNTK_H

#include <stdbool.h>
#include <stddef.h>

/* One version for each kind of processor in one library; the loader takes the best that the machine has. */
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))

/* Microsoft::MSR::CNTK::CPUMatrix<T>, column by column, as libCntk.Math-2.7.so lays it out. */
typedef struct {
    void *methods;
    size_t rows, columns;
    size_t first; /* of its numbers among those of the storage, which it may share with others */
    void *unused;
    char *storage;
} Matrix;

static inline void *stored(const Matrix *matrix) {
    return *(void **)(matrix->storage + 0x38);
}

static inline float *floats(const Matrix *matrix) {
    return (float *)stored(matrix) + matrix->first;
}

static inline const int *integers(const Matrix *matrix) {
    return (const int *)stored(matrix) + matrix->first;
}

/* A function of a library that is loaded. */
void *of_library(const char *library, const char *name);

/* CNTK's own function of this name, which the one here stands before. */
void *original(const char *name);

/* A function of the OpenMP that CNTK runs with. */
void *of_openmp(const char *name);

/* Has CNTK's threads do work(about, first, last) for parts of 0 to count, at least `grain` each. */
void in_parts(size_t count, size_t grain, void (*work)(void *about, size_t first, size_t last), void *about);

#endif
