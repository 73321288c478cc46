/* Left factors of matrix products that stay as they are while a recurrence runs. */

#ifndef CNTK_KERNELS_PRODUCTS_H
#define CNTK_KERNELS_PRODUCTS_H

#include <stddef.h>

#define MOST_LASTING 8

typedef struct {
    const float *numbers; /* as CNTK keeps them */
    float *arranged;      /* as our products read them, once there was one; NULL before */
    size_t rows, depth, apart;
    int turned; /* in that product */
} Lasting;

typedef struct Factors {
    struct Factors *outer;
    size_t count;
    Lasting lasting[MOST_LASTING];
} Factors;

/* Between the two, products of this thread arrange each of the factors once. */
void factors_use(Factors *factors);
void factors_leave(Factors *factors);

#endif
