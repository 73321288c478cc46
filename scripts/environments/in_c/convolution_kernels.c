/* Gradients of a convolution's kernels: sixteen channels of its output at a time.

   The gradient of a picture is turned in a place that stays in the cache; the sums of all places of one kernel
   stay in registers. What lies outside of the picture is left out, so rows and columns at the edges look at a
   part of the kernel. */

#include "convolution.h"
#include "cntk.h"
#include "turn.h"

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#define FOR_WIDE __attribute__((target("avx512f")))
#define INLINE static inline __attribute__((always_inline))

struct Kernels {
    Shape shape;
    int size, outside;
    float *turned, *sums; /* both for TILE channels of the output behind those for the ones before */
};

Kernels *kernels_plan(const Shape *shape) {
    int size = (int)shape->kernel_width, outside = -shape->left;
    size_t wanted = outside ? shape->from.width : shape->from.width - size + 1;
    size_t wanted_rows = outside ? shape->from.height : shape->from.height - size + 1;
    if (shape->kernel_height != shape->kernel_width || (size != 3 && size != 5) || shape->top != shape->left ||
        (outside != 0 && outside != size / 2) || shape->to.channels % TILE || shape->to.width != wanted ||
        shape->to.height != wanted_rows || shape->from.width < shape->kernel_width ||
        shape->from.height < shape->kernel_height)
        return NULL;
    Kernels *k = calloc(1, sizeof *k);
    size_t pixels = shape->to.width * shape->to.height, pairs = shape->from.channels * size * size;
    float *turned = aligned_alloc(64, shape->to.channels * pixels * sizeof *turned);
    float *sums = aligned_alloc(64, shape->to.channels * pairs * sizeof *sums);
    if (!k || !turned || !sums)
        abort();
    *k = (Kernels){*shape, size, outside, turned, sums};
    return k;
}

void kernels_free(Kernels *k) {
    if (!k)
        return;
    free(k->turned);
    free(k->sums);
    free(k);
}

/* Adds the products of one pixel of the output at places of the kernel from (y0, x0) to before (y1, x1). */
FOR_WIDE INLINE void pixel(__m512 *sum, int size, const float *gradient, const float *from, size_t width, int y0,
                           int y1, int x0, int x1) {
    __m512 g = _mm512_load_ps(gradient);
#pragma GCC unroll 5
    for (int y = y0; y < y1; y++)
#pragma GCC unroll 5
        for (int x = x0; x < x1; x++)
            sum[y * size + x] = _mm512_fmadd_ps(g, _mm512_set1_ps(from[y * width + x]), sum[y * size + x]);
}

/* The same of a row; `from` is where the first place of the kernel would look for its first pixel. */
FOR_WIDE INLINE void row(__m512 *sum, int size, int outside, const float *gradient, const float *from, size_t width,
                         size_t count, int y0, int y1) {
    for (int x = 0; x < outside; x++)
        pixel(sum, size, gradient + x * TILE, from + x, width, y0, y1, outside - x, size);
    for (size_t x = outside; x < count - outside; x++)
        pixel(sum, size, gradient + x * TILE, from + x, width, y0, y1, 0, size);
    for (int x = outside; x > 0; x--)
        pixel(sum, size, gradient + (count - x) * TILE, from + count - x, width, y0, y1, 0, size - 1 - outside + x);
}

/* The same of a picture's channel of the input and TILE channels of the output. */
FOR_WIDE INLINE void picture(const Kernels *k, int size, int outside, const float *from, const float *turned,
                             float *sums) {
    size_t width = k->shape.from.width, count = k->shape.to.width, rows = k->shape.to.height;
    __m512 sum[25];
#pragma GCC unroll 25
    for (int i = 0; i < size * size; i++)
        sum[i] = _mm512_load_ps(sums + i * TILE);
    from -= outside * width + outside;
    for (size_t y = 0; y < rows; y++) {
        const float *gradient = turned + y * count * TILE, *at = from + y * width;
        if (outside && y == 0)
            row(sum, size, outside, gradient, at, width, count, outside, size);
        else if (outside == 2 && y == 1)
            row(sum, size, outside, gradient, at, width, count, 1, size);
        else if (outside == 2 && y == rows - 2)
            row(sum, size, outside, gradient, at, width, count, 0, size - 1);
        else if (outside && y == rows - 1)
            row(sum, size, outside, gradient, at, width, count, 0, size - outside);
        else
            row(sum, size, outside, gradient, at, width, count, 0, size);
    }
#pragma GCC unroll 25
    for (int i = 0; i < size * size; i++)
        _mm512_store_ps(sums + i * TILE, sum[i]);
}

FOR_WIDE static void picture_3(const Kernels *k, const float *from, const float *turned, float *sums) {
    picture(k, 3, 0, from, turned, sums);
}

FOR_WIDE static void picture_3_outside(const Kernels *k, const float *from, const float *turned, float *sums) {
    picture(k, 3, 1, from, turned, sums);
}

FOR_WIDE static void picture_5(const Kernels *k, const float *from, const float *turned, float *sums) {
    picture(k, 5, 0, from, turned, sums);
}

FOR_WIDE static void picture_5_outside(const Kernels *k, const float *from, const float *turned, float *sums) {
    picture(k, 5, 2, from, turned, sums);
}

typedef struct {
    const Kernels *kernels;
    const float *from, *gradient;
    float *result;
} Computation;

/* For some times TILE channels of the output. */
static void some_channels(void *about, size_t first, size_t last) {
    const Computation *c = about;
    const Kernels *k = c->kernels;
    const Shape *s = &k->shape;
    size_t of_from = s->from.width * s->from.height, of_to = s->to.width * s->to.height;
    size_t places = (size_t)k->size * k->size, pairs = s->from.channels * places;
    void (*one)(const Kernels *, const float *, const float *, float *) =
        k->size == 3 ? k->outside ? picture_3_outside : picture_3 : k->outside ? picture_5_outside : picture_5;
    for (size_t block = first; block < last; block++) {
        size_t channel = block * TILE;
        float *turned = k->turned + channel * of_to, *sums = k->sums + channel * pairs;
        memset(sums, 0, TILE * pairs * sizeof *sums);
        for (size_t image = 0; image < s->images; image++) {
            const float *from = c->from + image * s->from.channels * of_from;
            turn(c->gradient + (image * s->to.channels + channel) * of_to, TILE, of_to, turned);
            for (size_t i = 0; i < s->from.channels; i++)
                one(k, from + i * of_from, turned, sums + i * places * TILE);
        }
        turn(sums, pairs, TILE, c->result + channel * pairs);
    }
}

void kernels_compute(Kernels *k, const float *from, const float *gradient, float *result) {
    Computation about = {k, from, gradient, result};
    in_parts(k->shape.to.channels / TILE, 1, some_channels, &about);
}
