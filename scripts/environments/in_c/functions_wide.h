/* tanh, the logistic function and exp on processors with AVX-512. `powers` are 2^(i/32), less i/32 in their exponents. */

#ifndef CNTK_KERNELS_FUNCTIONS_WIDE_H
#define CNTK_KERNELS_FUNCTIONS_WIDE_H

#include <stddef.h>

void wide_tanh(const float *x, float *found, size_t count);
void wide_sigmoid(const float *x, float *found, size_t count, const double *powers);
void wide_exponentials(const float *x, float *found, size_t count, const double *powers);

#endif
