/* tanh, the logistic function and exp of many numbers, with the bits that the system's mathematical library gives. */

#ifndef CNTK_KERNELS_FUNCTIONS_H
#define CNTK_KERNELS_FUNCTIONS_H

#include "rows.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether this processor and the system's library are ones for which the bits are the same. */
bool functions_agree(void);

/* found[i] becomes e^x[i], where all are between LEAST_EXPONENT and MOST_EXPONENT. */
#define LEAST_EXPONENT -104.0f
#define MOST_EXPONENT 88.0f
void exponentials(const float *restrict x, float *restrict found, size_t count);

/* to[i] becomes the function of x[i], or that is added to it. `to` may be `x`; y is not used. */
void sigmoid_each(const float *x, const float *y, float *to, size_t count, How how);
void tanh_each(const float *x, const float *y, float *to, size_t count, How how);

#endif
