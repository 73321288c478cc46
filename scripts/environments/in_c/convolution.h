/* Convolutions of pictures in CNTK's own order of numbers, with the bits of Intel's library (ADR 10). */

#ifndef CNTK_KERNELS_CONVOLUTION_H
#define CNTK_KERNELS_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t width, height, channels;
} Pictures;

/* A convolution that takes a step of one: `to` is made of `from`, of so many pictures, with kernels of
   [to's channels][from's channels][kernel's height][its width] whose first row and column lie `top` and
   `left` outside. Of each picture one channel lies behind the other, in each of these row behind row. */
typedef struct {
    Pictures from, to;
    size_t images, kernel_width, kernel_height;
    int left, top;
} Shape;

/* Sums of products, one for each number of pictures. */
typedef struct Sums Sums;

/* The ways in which Intel's library adds the products up. */
typedef enum {
    BLOCKED,  /* 16 channels at a time, in each of them place by place of the kernel; fused */
    BACKWARD, /* place by place of the kernel, the last first, channel by channel; each product rounded */
} Summation;

/* What a convolution makes of its input, or, `for_gradient`, the gradient of its input of that of its output.
   NULL where it is not worthwhile. To be freed by sums_free. */
Sums *sums_plan(const Shape *shape, bool for_gradient, Summation summation);
void sums_compute(Sums *sums, const float *pictures, const float *kernels, float *result);
void sums_free(Sums *sums);

/* The gradient of the kernels, one picture and in it one place after the other, fused. */
typedef struct Kernels Kernels;
Kernels *kernels_plan(const Shape *shape);
void kernels_compute(Kernels *kernels, const float *from, const float *gradient_of_to, float *result);
void kernels_free(Kernels *kernels);

#endif
