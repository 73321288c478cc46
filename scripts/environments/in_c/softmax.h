/* What cross entropy behind softmax is made of, with the bits of CNTK's own. */

#ifndef CNTK_KERNELS_SOFTMAX_H
#define CNTK_KERNELS_SOFTMAX_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this processor and the system's library are ones for which the bits are the same. */
bool logarithms_agree(void);

/* to[i] becomes the logarithm of the sum of e^x[i * next + k * step] over `inner` numbers. Only where they agree. */
void log_sums(const float *x, ptrdiff_t next, ptrdiff_t step, size_t inner, float *to, size_t count);

/* In each column, of rows that lie side by side, to[i] grows by a[0] e^(x[i] - y[0]), or becomes it. The columns of
   the operands are so far apart. Only where functions_agree(). */
typedef struct {
    const float *a, *x, *y;
    float *to;
    size_t rows, columns;
    ptrdiff_t next_a, next_x, next_y, next_to;
    bool added;
} Scaled;

void scaled_exponentials(const Scaled *s);

#endif
