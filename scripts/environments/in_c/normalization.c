/* dnnBatchNormalizationCreate…_v2_F32: batch normalization in training, both ways.

   Intel's reference code has one number at a time. It adds up a channel picture by picture and row by row, in each
   row every second number apart, in single precision. So do we, for sixteen channels side by side: a picture is
   turned in a place that stays in the cache. */

#include "cntk.h"
#include "primitives.h"
#include "turn.h"

#include <immintrin.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FOR_WIDE __attribute__((target("avx512f")))
/* Intel's flag: the scale and the shift are given, the mean and the variance are not. */
#define IN_TRAINING 2

/* Pictures in CNTK's order, as a layout of Intel's says. */
typedef struct Known {
    struct Known *next;
    const void *layout;
    size_t sizes[4];
} Known;

static Known *layouts;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int dnnLayoutCreate_F32(void **layout, size_t dimensions, const size_t *sizes, const size_t *apart) {
    int error = intel()->layout(layout, dimensions, sizes, apart);
    if (error || dimensions != 4)
        return error;
    size_t next = 1;
    for (int i = 0; i < 4; next *= sizes[i++])
        if (apart[i] != next)
            return error;
    Known *made = malloc(sizeof *made);
    if (!made)
        abort();
    *made = (Known){.layout = *layout, .sizes = {sizes[0], sizes[1], sizes[2], sizes[3]}};
    pthread_mutex_lock(&lock);
    made->next = layouts;
    layouts = made;
    pthread_mutex_unlock(&lock);
    return error;
}

int dnnLayoutDelete_F32(void *layout) {
    pthread_mutex_lock(&lock);
    for (Known **at = &layouts; *at; at = &(*at)->next)
        if ((*at)->layout == layout) {
            Known *gone = *at;
            *at = gone->next;
            free(gone);
            break;
        }
    pthread_mutex_unlock(&lock);
    return intel()->layout_delete(layout);
}

/* All that a verdict hangs on. */
typedef struct {
    size_t width, height, channels, images;
    size_t backward;
    double epsilon;
} Shape;

static bool known(const void *layout, Shape *shape) {
    pthread_mutex_lock(&lock);
    const Known *found = layouts;
    while (found && found->layout != layout)
        found = found->next;
    if (found) {
        shape->width = found->sizes[0];
        shape->height = found->sizes[1];
        shape->channels = found->sizes[2];
        shape->images = found->sizes[3];
    }
    pthread_mutex_unlock(&lock);
    return found;
}

typedef struct {
    const Shape *shape;
    void *const *resources;
} Computation;

#define LOAD(place) _mm512_loadu_ps(place)

FOR_WIDE static inline __m512 inverse_deviation(__m512 variance, const Shape *s) {
    __m512 sum = _mm512_add_ps(variance, _mm512_set1_ps((float)s->epsilon)), guess = _mm512_rsqrt14_ps(sum);
    __m512 error = _mm512_fmsub_ps(_mm512_mul_ps(sum, guess), guess, _mm512_set1_ps(3.0f));
    return _mm512_mul_ps(_mm512_mul_ps(guess, _mm512_set1_ps(-0.5f)), error);
}

/* Adds what `EACH(place, sum)` adds of each pixel, in Intel's order. `sum` and `odd` are arrays of so many sums. */
#define ADD_UP(s, SUMS, EACH)                                                                                 \
    for (size_t y = 0, at = 0; y < (s)->height; y++) {                                                        \
        __m512 odd[SUMS] = {0};                                                                               \
        size_t end = at + (s)->width;                                                                         \
        for (; at + 1 < end; at += 2) {                                                                       \
            EACH(at * TILE, sum)                                                                              \
            EACH((at + 1) * TILE, odd)                                                                        \
        }                                                                                                     \
        if ((s)->width > 1)                                                                                   \
            for (int i = 0; i < (SUMS); i++)                                                                  \
                sum[i] = _mm512_add_ps(sum[i], odd[i]);                                                       \
        if (at < end) {                                                                                       \
            EACH(at * TILE, sum)                                                                              \
            at++;                                                                                             \
        }                                                                                                     \
    }

FOR_WIDE static void forward_channels(void *about, size_t first, size_t last) {
    const Computation *c = about;
    const Shape *s = c->shape;
    size_t pixels = s->width * s->height, all = pixels * s->channels;
    float count = (float)(pixels * s->images), *turned = numbers(TILE * pixels);
    const float *from = c->resources[FROM], *scale = c->resources[SCALE_AND_SHIFT], *shift = scale + s->channels;
    float *to = c->resources[TO], *means = c->resources[MEAN], *variances = c->resources[VARIANCE];
    for (size_t block = first; block < last; block++) {
        size_t channel = block * TILE;
        const float *picture = from + channel * pixels;
        __m512 sum[1] = {0};
        for (size_t image = 0; image < s->images; image++) {
            turn(picture + image * all, TILE, pixels, turned);
#define NUMBER(place, sum) sum[0] = _mm512_add_ps(sum[0], LOAD(turned + (place)));
            ADD_UP(s, 1, NUMBER)
        }
        __m512 mean = _mm512_div_ps(sum[0], _mm512_set1_ps(count));
        sum[0] = _mm512_setzero_ps();
        for (size_t image = 0; image < s->images; image++) {
            turn(picture + image * all, TILE, pixels, turned);
#define SQUARE(place, sum)                                                                                    \
    {                                                                                                         \
        __m512 apart = _mm512_sub_ps(LOAD(turned + (place)), mean);                                           \
        sum[0] = _mm512_fmadd_ps(apart, apart, sum[0]);                                                       \
    }
            ADD_UP(s, 1, SQUARE)
        }
        __m512 variance = _mm512_div_ps(sum[0], _mm512_set1_ps(count));
        float factor[TILE];
        _mm512_storeu_ps(factor, _mm512_mul_ps(inverse_deviation(variance, s), LOAD(scale + channel)));
        _mm512_storeu_ps(means + channel, mean);
        _mm512_storeu_ps(variances + channel, variance);
        for (size_t image = 0; image < s->images; image++)
            for (size_t i = 0; i < TILE; i++) {
                size_t at = image * all + (channel + i) * pixels;
                __m512 by = _mm512_set1_ps(factor[i]), middle = _mm512_set1_ps(means[channel + i]);
                __m512 offset = _mm512_set1_ps(shift[channel + i]);
                for (size_t pixel = 0; pixel < pixels; pixel += TILE) {
                    __mmask16 some = pixels - pixel < TILE ? (__mmask16)((1u << (pixels - pixel)) - 1) : 0xffff;
                    __m512 x = _mm512_sub_ps(_mm512_maskz_loadu_ps(some, from + at + pixel), middle);
                    _mm512_mask_storeu_ps(to + at + pixel, some, _mm512_fmadd_ps(x, by, offset));
                }
            }
    }
    free(turned);
}

FOR_WIDE static void backward_channels(void *about, size_t first, size_t last) {
    const Computation *c = about;
    const Shape *s = c->shape;
    size_t pixels = s->width * s->height, all = pixels * s->channels;
    float count = (float)(pixels * s->images), *turned = numbers(TILE * pixels), *gradients = numbers(TILE * pixels);
    const float *from = c->resources[FROM], *gradient = c->resources[GRADIENT_OF_TO];
    const float *scale = c->resources[SCALE_AND_SHIFT], *means = c->resources[MEAN];
    const float *variances = c->resources[VARIANCE];
    float *to = c->resources[GRADIENT_OF_FROM], *of_scale = c->resources[GRADIENT_OF_SCALE_AND_SHIFT];
    for (size_t block = first; block < last; block++) {
        size_t channel = block * TILE;
        __m512 mean = LOAD(means + channel), sum[2] = {0};
        for (size_t image = 0; image < s->images; image++) {
            turn(from + image * all + channel * pixels, TILE, pixels, turned);
            turn(gradient + image * all + channel * pixels, TILE, pixels, gradients);
#define GRADIENT(place, sum)                                                                                  \
    {                                                                                                         \
        __m512 g = LOAD(gradients + (place));                                                                 \
        sum[0] = _mm512_add_ps(sum[0], g);                                                                    \
        sum[1] = _mm512_fmadd_ps(g, _mm512_sub_ps(LOAD(turned + (place)), mean), sum[1]);                     \
    }
            ADD_UP(s, 2, GRADIENT)
        }
        __m512 inverse = inverse_deviation(LOAD(variances + channel), s);
        __m512 of_scales = _mm512_mul_ps(sum[1], inverse);
        _mm512_storeu_ps(of_scale + channel, of_scales);
        _mm512_storeu_ps(of_scale + s->channels + channel, sum[0]);
        float factor[TILE], by_distance[TILE], less[TILE];
        _mm512_storeu_ps(factor, _mm512_mul_ps(LOAD(scale + channel), inverse));
        _mm512_storeu_ps(by_distance, _mm512_mul_ps(of_scales, inverse));
        _mm512_storeu_ps(less, _mm512_div_ps(sum[0], _mm512_set1_ps(count)));
        for (size_t image = 0; image < s->images; image++)
            for (size_t i = 0; i < TILE; i++) {
                size_t at = image * all + (channel + i) * pixels;
                __m512 middle = _mm512_set1_ps(means[channel + i]), by = _mm512_set1_ps(by_distance[i]);
                for (size_t pixel = 0; pixel < pixels; pixel += TILE) {
                    __mmask16 some = pixels - pixel < TILE ? (__mmask16)((1u << (pixels - pixel)) - 1) : 0xffff;
                    __m512 x = _mm512_sub_ps(_mm512_maskz_loadu_ps(some, from + at + pixel), middle);
                    __m512 g = _mm512_maskz_loadu_ps(some, gradient + at + pixel);
                    __m512 part = _mm512_div_ps(_mm512_mul_ps(x, by), _mm512_set1_ps(count));
                    g = _mm512_sub_ps(_mm512_sub_ps(g, _mm512_set1_ps(less[i])), part);
                    _mm512_mask_storeu_ps(to + at + pixel, some, _mm512_mul_ps(g, _mm512_set1_ps(factor[i])));
                }
            }
    }
    free(turned);
    free(gradients);
}

static void compute(void *shape_, void **resources) {
    const Shape *shape = shape_;
    Computation about = {shape, resources};
    in_parts(shape->channels / TILE, 1, shape->backward ? backward_channels : forward_channels, &about);
}

static bool are_pictures(int resource) {
    return resource == FROM || resource == TO || resource == GRADIENT_OF_FROM || resource == GRADIENT_OF_TO;
}

/* Whether we give the bits of Intel's code. */
static int tried(const void *primitive, const void *shape_) {
    Shape shape = *(const Shape *)shape_;
    size_t all = shape.width * shape.height * shape.channels * shape.images, few = 2 * shape.channels;
    const int forward[] = {FROM, SCALE_AND_SHIFT, TO, MEAN, VARIANCE};
    const int backward[] = {FROM, SCALE_AND_SHIFT, MEAN, VARIANCE, GRADIENT_OF_TO, GRADIENT_OF_FROM,
                            GRADIENT_OF_SCALE_AND_SHIFT};
    const int *used = shape.backward ? backward : forward;
    int count = shape.backward ? 7 : 5;
    void *theirs[RESOURCES] = {0}, *ours[RESOURCES] = {0};
    for (int i = 0; i < count; i++) {
        size_t size = are_pictures(used[i]) ? all : few;
        ours[used[i]] = drawn(size, used[i]);
        theirs[used[i]] = memcpy(numbers(size), ours[used[i]], size * sizeof(float));
    }
    if (shape.backward)
        for (size_t i = 0; i < shape.channels; i++)
            ((float *)ours[VARIANCE])[i] = ((float *)theirs[VARIANCE])[i] = 0.1f + (float)i;
    bool same = intel()->execute(primitive, theirs) == 0;
    compute(&shape, ours);
    for (int i = 0; i < count; i++) {
        size_t size = are_pictures(used[i]) ? all : few;
        same = same && memcmp(ours[used[i]], theirs[used[i]], size * sizeof(float)) == 0;
        free(ours[used[i]]);
        free(theirs[used[i]]);
    }
    return same;
}

static int created(const char *name, bool backward, void **primitive, void *attributes, const void *layout,
                   float epsilon, unsigned flags) {
    int (*create)(void **, void *, const void *, float, unsigned);
    *(void **)&create = of_library("libmklml_intel.so", name);
    int error = create(primitive, attributes, layout, epsilon, flags);
    Shape shape = {.backward = backward, .epsilon = epsilon};
    void *theirs;
    if (error || flags != IN_TRAINING || !known(layout, &shape) || !__builtin_cpu_supports("avx512f"))
        return error;
    size_t all = shape.width * shape.height * shape.channels * shape.images;
    if (shape.channels % TILE || all < 2 * shape.channels || all > MOST_TRIED)
        return error;
    intel()->layout_of(&theirs, *primitive, FROM);
    bool plain = intel()->same(layout, theirs);
    intel()->layout_delete(theirs);
    if (!plain || !verdict(tried, *primitive, &shape, sizeof shape))
        return error;
    Shape *kept = malloc(sizeof *kept);
    if (!kept)
        abort();
    *kept = shape;
    primitive_take(*primitive, kept, compute, free);
    return error;
}

int dnnBatchNormalizationCreateForward_v2_F32(void **primitive, void *attributes, const void *layout, float epsilon,
                                              unsigned flags) {
    return created("dnnBatchNormalizationCreateForward_v2_F32", false, primitive, attributes, layout, epsilon, flags);
}

int dnnBatchNormalizationCreateBackward_v2_F32(void **primitive, void *attributes, const void *layout, float epsilon,
                                               unsigned flags) {
    return created("dnnBatchNormalizationCreateBackward_v2_F32", true, primitive, attributes, layout, epsilon, flags);
}
