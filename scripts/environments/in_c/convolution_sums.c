/* Convolutions of pictures, and their gradients by the pictures: sixteen neighbouring pixels at a time.

   Intel's library takes sixteen channels at a time instead, for which pictures have to be turned into an order
   of its own and back; here they stay as they are. Pixels next to each other look at pixels next to each other,
   also over the end of a row, where those that lie outside are masked out. */

#include "convolution.h"
#include "cntk.h"

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#define WIDE 16
#define FOR_WIDE __attribute__((target("avx512f,avx512bw")))
#define BLOCK 16   /* channels that Intel's library adds up together */
#define TOGETHER 8 /* channels of the result that are computed side by side, for two vectors of pixels */
#define MOST_PLACES 64
/* Of more products a number, turning the pictures costs less than Intel's code for whole vectors gains. */
#define MOST_PRODUCTS 400
/* So much of the vectors has to be of use. */
#define FILLED 0.85

typedef struct {
    size_t from, to;       /* where the first pixel is, and its result */
    __mmask16 lanes;       /* that are of use */
    __mmask16 *inside;     /* for each place of the kernel: whether the pixel there is inside */
} Vector;

struct Sums {
    Pictures from, to;
    size_t images, places, block, vectors;
    bool fused, for_gradient;
    ptrdiff_t offset[MOST_PLACES]; /* of the pixels that a place of the kernel looks at */
    size_t place[MOST_PLACES];     /* of the kernel, in the order of adding */
    Vector *vector;                /* an even number */
    __mmask16 *masks;
    float *weights;
};

typedef struct {
    Sums *sums;
    const float *pictures;
    float *result;
} Computation;

static size_t up(size_t count, size_t unit) {
    return (count + unit - 1) / unit;
}

static bool is_inside(ptrdiff_t at, size_t size) {
    return at >= 0 && at < (ptrdiff_t)size;
}

Sums *sums_plan(const Shape *shape, bool for_gradient, Summation summation) {
    Pictures from = for_gradient ? shape->to : shape->from, to = for_gradient ? shape->from : shape->to;
    size_t places = shape->kernel_width * shape->kernel_height;
    /* Rows of the same length are taken as one. */
    bool flat = from.width == to.width;
    size_t rows = flat ? 1 : to.height, row = flat ? to.width * to.height : to.width;
    size_t vectors = up(rows * up(row, WIDE), 2) * 2;
    if (places > MOST_PLACES || from.channels * places > MOST_PRODUCTS ||
        (double)(to.width * to.height) < FILLED * WIDE * (double)vectors)
        return NULL;
    Sums *s = calloc(1, sizeof *s);
    Vector *vector = calloc(vectors, sizeof *vector);
    __mmask16 *masks = calloc(vectors * places, sizeof *masks);
    size_t pairs = up(to.channels, TOGETHER) * TOGETHER * from.channels;
    float *weights = aligned_alloc(64, pairs * places * sizeof *weights);
    if (!s || !vector || !masks || !weights)
        abort();
    *s = (Sums){.from = from, .to = to, .images = shape->images, .places = places, .vectors = vectors,
                .block = summation == BLOCKED ? BLOCK : from.channels, .fused = summation == BLOCKED,
                .for_gradient = for_gradient, .vector = vector, .masks = masks, .weights = weights};
    for (size_t v = 0; v < vectors; v++)
        vector[v].inside = masks + v * places;
    int sign = for_gradient ? -1 : 1;
    for (size_t i = 0; i < places; i++) {
        size_t place = summation == BACKWARD ? places - 1 - i : i;
        int down = sign * ((int)(place / shape->kernel_width) + shape->top);
        int right = sign * ((int)(place % shape->kernel_width) + shape->left);
        s->place[i] = place;
        s->offset[i] = (ptrdiff_t)from.width * down + right;
        for (size_t pixel = 0; pixel < to.width * to.height; pixel++) {
            size_t y = pixel / to.width, x = pixel % to.width;
            size_t in_row = flat ? pixel : x, lane = in_row % WIDE;
            Vector *of = vector + (flat ? 0 : y * up(row, WIDE)) + in_row / WIDE;
            if (lane == 0) {
                of->from = y * from.width + x;
                of->to = pixel;
            }
            of->lanes |= (__mmask16)(1u << lane);
            if (is_inside((ptrdiff_t)y + down, from.height) && is_inside((ptrdiff_t)x + right, from.width))
                of->inside[i] |= (__mmask16)(1u << lane);
        }
    }
    return s;
}

void sums_free(Sums *s) {
    if (!s)
        return;
    free(s->vector);
    free(s->masks);
    free(s->weights);
    free(s);
}

/* The kernels in the order in which they are needed. */
static void arrange(Sums *s, const float *kernels) {
    float *to = s->weights;
    for (size_t k = 0; k < s->to.channels; k += TOGETHER)
        for (size_t first = 0; first < s->from.channels; first += s->block)
            for (size_t i = 0; i < s->places; i++)
                for (size_t c = first; c < s->from.channels && c < first + s->block; c++)
                    for (size_t j = k; j < k + TOGETHER; j++) {
                        size_t pair = s->for_gradient ? c * s->to.channels + j : j * s->from.channels + c;
                        *to++ = j < s->to.channels ? kernels[pair * s->places + s->place[i]] : 0.0f;
                    }
}

/* Results of two vectors for TOGETHER channels, the first of which is `result`. */
FOR_WIDE static inline __attribute__((always_inline)) void
tile(const Sums *s, bool fused, const Vector *a, const Vector *b, const float *picture, const float *weights,
     float *result, size_t channels) {
    size_t plane = s->from.width * s->from.height;
    __m512 sum[TOGETHER][2] = {0}, all[TOGETHER][2] = {0};
    for (size_t first = 0; first < s->from.channels; first += s->block) {
        size_t count = s->from.channels - first < s->block ? s->from.channels - first : s->block;
#pragma GCC unroll 8
        for (int j = 0; j < TOGETHER; j++)
            sum[j][0] = sum[j][1] = _mm512_setzero_ps();
        for (size_t i = 0; i < s->places; i++, weights += count * TOGETHER) {
            __mmask16 in_a = a->inside[i], in_b = b->inside[i];
            if (!(in_a | in_b))
                continue;
            const float *from_a = picture + (ptrdiff_t)(first * plane + a->from) + s->offset[i];
            const float *from_b = picture + (ptrdiff_t)(first * plane + b->from) + s->offset[i];
            const float *weight = weights;
            for (size_t c = 0; c < count; c++, from_a += plane, from_b += plane, weight += TOGETHER) {
                __m512 x = _mm512_maskz_loadu_ps(in_a, from_a), y = _mm512_maskz_loadu_ps(in_b, from_b);
#pragma GCC unroll 8
                for (int j = 0; j < TOGETHER; j++) {
                    __m512 w = _mm512_set1_ps(weight[j]);
                    if (fused) {
                        sum[j][0] = _mm512_mask3_fmadd_ps(x, w, sum[j][0], in_a);
                        sum[j][1] = _mm512_mask3_fmadd_ps(y, w, sum[j][1], in_b);
                    } else {
                        sum[j][0] = _mm512_mask_add_ps(sum[j][0], in_a, sum[j][0], _mm512_mul_ps(x, w));
                        sum[j][1] = _mm512_mask_add_ps(sum[j][1], in_b, sum[j][1], _mm512_mul_ps(y, w));
                    }
                }
            }
        }
        if (s->from.channels > s->block)
#pragma GCC unroll 8
            for (int j = 0; j < TOGETHER; j++)
                for (int v = 0; v < 2; v++)
                    sum[j][v] = all[j][v] = first ? _mm512_add_ps(all[j][v], sum[j][v]) : sum[j][v];
    }
    size_t apart = s->to.width * s->to.height;
#pragma GCC unroll 8
    for (int j = 0; j < TOGETHER; j++)
        if ((size_t)j < channels) {
            _mm512_mask_storeu_ps(result + j * apart + a->to, a->lanes, sum[j][0]);
            _mm512_mask_storeu_ps(result + j * apart + b->to, b->lanes, sum[j][1]);
        }
}

FOR_WIDE static inline __attribute__((always_inline)) void
some_images(const Computation *c, bool fused, size_t first, size_t last) {
    const Sums *s = c->sums;
    size_t from = s->from.width * s->from.height, to = s->to.width * s->to.height;
    for (size_t image = first; image < last; image++)
        for (size_t v = 0; v < s->vectors; v += 2) {
            const float *weights = s->weights, *picture = c->pictures + image * from * s->from.channels;
            for (size_t k = 0; k < s->to.channels; k += TOGETHER) {
                size_t channels = s->to.channels - k < TOGETHER ? s->to.channels - k : TOGETHER;
                tile(s, fused, s->vector + v, s->vector + v + 1, picture, weights,
                     c->result + (image * s->to.channels + k) * to, channels);
                weights += TOGETHER * s->from.channels * s->places;
            }
        }
}

FOR_WIDE static void some_fused(void *about, size_t first, size_t last) {
    some_images(about, true, first, last);
}

FOR_WIDE static void some_rounded(void *about, size_t first, size_t last) {
    some_images(about, false, first, last);
}

void sums_compute(Sums *s, const float *pictures, const float *kernels, float *result) {
    Computation about = {s, pictures, result};
    arrange(s, kernels);
    in_parts(s->images, 1, s->fused ? some_fused : some_rounded, &about);
}
