/* CPUMatrix<float>::MaxPoolingForward and MaxPoolingBackward.

   A column is an image. Output number r looks at the inputs start[r] + offset, for the offsets that
   stand in `windows` behind window[r], their number first. Neighbours mostly share their offsets: such a run
   is done side by side. The gradient goes to the first of the inputs that reach the maximum; CNTK adds it
   there with a locked instruction, though no two of its threads ever have the same image. */

#include "cntk.h"

#include <float.h>
#include <string.h>

#define RUN 512

typedef struct {
    size_t outputs, inputs;
    const int *start, *window, *windows;
    const float *in, *out, *from;
    float *to;
} Pooling;

static inline size_t end_of_run(const Pooling *p, size_t r) {
    size_t end = r + 1;
    while (end < p->outputs && end < r + RUN && p->window[end] == p->window[r])
        end++;
    return end;
}

FOR_EACH_PROCESSOR
static void forward(void *about, size_t first, size_t last) {
    const Pooling *p = about;
    for (size_t r = 0, end; r < p->outputs; r = end) {
        end = end_of_run(p, r);
        const int *window = p->windows + p->window[r];
        for (size_t image = first; image < last; image++) {
            const float *restrict in = p->in + image * p->inputs;
            float *restrict out = p->to + image * p->outputs;
            for (size_t i = r; i < end; i++)
                out[i] = -FLT_MAX;
            for (int k = 1; k <= window[0]; k++)
                for (size_t i = r; i < end; i++) {
                    float found = in[p->start[i] + window[k]];
                    out[i] = found > out[i] ? found : out[i];
                }
        }
    }
}

FOR_EACH_PROCESSOR
static void backward(void *about, size_t first, size_t last) {
    const Pooling *p = about;
    int place[RUN];
    for (size_t r = 0, end; r < p->outputs; r = end) {
        end = end_of_run(p, r);
        const int *window = p->windows + p->window[r];
        const int *restrict start = p->start + r;
        size_t run = end - r;
        for (size_t image = first; image < last; image++) {
            const float *restrict in = p->in + image * p->inputs;
            const float *restrict out = p->out + image * p->outputs + r;
            const float *restrict from = p->from + image * p->outputs + r;
            float *restrict to = p->to + image * p->inputs;
            for (size_t i = 0; i < run; i++)
                place[i] = -1;
            for (int k = window[0]; k > 0; k--)
                for (size_t i = 0; i < run; i++)
                    place[i] = in[start[i] + window[k]] >= out[i] ? start[i] + window[k] : place[i];
            for (size_t i = 0; i < run; i++)
                if (place[i] >= 0)
                    to[place[i]] += from[i];
        }
    }
}

void _ZNK9Microsoft3MSR4CNTK9CPUMatrixIfE17MaxPoolingForwardERKNS2_IiEES6_S6_RS3_(
    const Matrix *in, const Matrix *start, const Matrix *window, const Matrix *windows, Matrix *out) {
    Pooling about = {.outputs = out->rows, .inputs = in->rows, .start = integers(start),
                     .window = integers(window), .windows = integers(windows), .in = floats(in),
                     .to = floats(out)};
    in_parts(out->columns, 1, forward, &about);
}

void _ZNK9Microsoft3MSR4CNTK9CPUMatrixIfE18MaxPoolingBackwardERKS3_S5_RKNS2_IiEES8_S8_RS3_b(
    const Matrix *from, const Matrix *out, const Matrix *in, const Matrix *start, const Matrix *window,
    const Matrix *windows, Matrix *to, bool accumulate) {
    if (!accumulate)
        memset(floats(to), 0, to->rows * to->columns * sizeof(float));
    Pooling about = {.outputs = from->rows, .inputs = to->rows, .start = integers(start),
                     .window = integers(window), .windows = integers(windows), .in = floats(in),
                     .out = floats(out), .from = floats(from), .to = floats(to)};
    in_parts(from->columns, 1, backward, &about);
}
