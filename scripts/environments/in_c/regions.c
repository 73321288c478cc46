/* CPUMatrix<float>::MaxROIPoolingBackward.

   A column is an image, or the pooled numbers and the corners (x1, y1, x2, y2) of all of its regions. CNTK asks of
   each pixel which regions hold it, and of each of those which pooled numbers came from there. Here the pooled
   numbers say where they came from. Those of a region are added up for each pixel before that gets the sum, and the
   regions come one after the other, as there. */

#include "cntk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* CNTK's numbers of coordinates are unsigned; it makes something of others, too, which is left to it. */
#define MOST_COORDINATE 1e9f

/* One side of a region: its pixels, and for each which pooled numbers may have come from there. */
typedef struct {
    size_t start, end;
    size_t *first, *last;
} Side;

typedef struct {
    size_t regions, channels, width, height, pooled_width, pooled_height;
    double scale;
    const float *corners, *from, *place;
    float *to;
} Regions;

static size_t scaled(float coordinate, double scale) {
    return (size_t)round(coordinate * scale);
}

static size_t at_most(double value, size_t most) {
    return value < (double)most ? (size_t)value : most;
}

static void measure(Side *side, float from, float to, double scale, size_t size, size_t pooled) {
    size_t end = scaled(to, scale), length;
    side->start = scaled(from, scale);
    /* Zero or more than there is where the corners are exchanged. */
    length = end - side->start + 1;
    length = length > 1 ? length : 1;
    side->end = side->start + length < size ? side->start + length : size;
    float window = (float)length / (float)pooled;
    for (size_t i = side->start; i < side->end; i++) {
        side->first[i] = at_most((float)(i - side->start) / window, pooled);
        side->last[i] = at_most(ceilf((float)(i - side->start + 1) / window), pooled);
    }
}

FOR_EACH_PROCESSOR
static void add(float *to, const float *from, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

static void of_region(const Regions *r, const Side *x, const Side *y, const float *from, const float *place, float *sums,
                      float *to) {
    for (size_t row = y->start; row < y->end; row++)
        memset(sums + row * r->width + x->start, 0, (x->end - x->start) * sizeof *sums);
    for (size_t i = 0; i < r->pooled_height; i++)
        for (size_t j = 0; j < r->pooled_width; j++) {
            size_t at = (size_t)place[i * r->pooled_width + j], row = at / r->width, column = at % r->width;
            if (row >= y->start && row < y->end && column >= x->start && column < x->end && i >= y->first[row] &&
                i < y->last[row] && j >= x->first[column] && j < x->last[column])
                sums[at] += from[i * r->pooled_width + j];
        }
    for (size_t row = y->start; row < y->end; row++)
        add(to + row * r->width + x->start, sums + row * r->width + x->start, x->end - x->start);
}

static void some_images(void *about, size_t first, size_t last) {
    const Regions *r = about;
    size_t pixels = r->width * r->height, pooled = r->pooled_width * r->pooled_height;
    size_t *numbers = malloc(2 * (r->width + r->height) * sizeof *numbers);
    float *sums = malloc(pixels * sizeof *sums);
    if (!numbers || !sums)
        abort();
    Side x = {.first = numbers, .last = numbers + r->width};
    Side y = {.first = x.last + r->width, .last = x.last + r->width + r->height};
    for (size_t image = first; image < last; image++)
        for (size_t region = 0; region < r->regions; region++) {
            size_t number = image * r->regions + region;
            const float *corner = r->corners + 4 * number;
            measure(&x, corner[0], corner[2], r->scale, r->width, r->pooled_width);
            measure(&y, corner[1], corner[3], r->scale, r->height, r->pooled_height);
            if (x.start >= x.end || y.start >= y.end)
                continue;
            for (size_t channel = 0; channel < r->channels; channel++) {
                size_t at = (number * r->channels + channel) * pooled;
                of_region(r, &x, &y, r->from + at, r->place + at, sums,
                          r->to + (image * r->channels + channel) * pixels);
            }
        }
    free(numbers);
    free(sums);
}

#define NAME "_ZNK9Microsoft3MSR4CNTK9CPUMatrixIfE21MaxROIPoolingBackwardEmmmmmmmRKS3_RS3_S6_d"
#define ARGUMENTS                                                                                             \
    const Matrix *from, size_t regions, size_t images, size_t channels, size_t width, size_t height,          \
        size_t pooled_width, size_t pooled_height, const Matrix *corners, Matrix *to, Matrix *place, double scale
#define ARGUMENTS_PASSED                                                                                      \
    from, regions, images, channels, width, height, pooled_width, pooled_height, corners, to, place, scale

void pooled_backward(ARGUMENTS) __asm__(NAME);

void pooled_backward(ARGUMENTS) {
    Regions about = {regions, channels, width, height, pooled_width, pooled_height, scale, floats(corners), floats(from),
                     floats(place), floats(to)};
    bool usual = scale > 0.0 && scale <= 1.0;
    for (size_t i = 0; i < 4 * regions * images; i++)
        usual = usual && about.corners[i] >= 0.0f && about.corners[i] < MOST_COORDINATE;
    if (usual) {
        in_parts(images, 1, some_images, &about);
        return;
    }
    static void (*other)(ARGUMENTS);
    if (!other)
        *(void **)&other = original(NAME);
    other(ARGUMENTS_PASSED);
}
