/* Element-wise operations on rows of numbers that lie side by side, with the bits of CNTK's own. */

#ifndef CNTK_KERNELS_ROWS_H
#define CNTK_KERNELS_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* CNTK's numbers for the operations; NEGATIVE is ours. */
typedef enum {
    COPY = 2,
    TANH = 9,
    RECTIFIER = 15,
    SIGMOID = 26,
    SUM = 36,
    DIFFERENCE = 37,
    PRODUCT = 38,
    LOG_SUM = 40,
    BY_SIGMOID = 56,
    BY_TANH = 57,
    BY_RECTIFIER = 58,
    CHOICE = 76, /* of x or y, by another operand */
    BY_EXPONENTIAL = 80, /* of the difference of two others */
    NEGATIVE = 1000
} Operation;

/* FIRST is ADDED where there was nothing: so -0 becomes 0. */
typedef enum { INSTEAD, ADDED, FIRST } How;

/* to[i] becomes the operation of x[i] and y[i], or that is added to it. `to` may be x or y. */
typedef void Row(const float *x, const float *y, float *to, size_t count, How how);

/* Its function where the numbers of an operand lie side by side or, where `x` or `y` is false, one number
   serves all; NULL where there is none. RECTIFIER is computed in CNTK's way of one long row. */
Row *row_of(Operation operation, bool x, bool y);

#endif
