/* CPUMatrix<float>::MaxPoolingForward and MaxPoolingBackward.

   A column is an image. Output number r looks at the inputs start[r] + offset, for the offsets that
   stand in `windows` behind window[r], their number first. Neighbours mostly share their offsets: such a run
   is done side by side, quickest where each starts two inputs behind the one before, as under the usual window
   of two by two. The gradient goes to the first of the inputs that reach the maximum; CNTK adds it
   there with a locked instruction, though no two of its threads ever have the same image. */

#include "cntk.h"

#include <float.h>
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#define RUN 512
#define WIDE 16
#define FOR_WIDE __attribute__((target("avx512f,bmi2")))

/* Neighbours with the same window. */
typedef struct {
    size_t first, count;
    const int *window; /* how many offsets, and these */
    bool in_pairs;     /* each starts two inputs behind the one before; there are at most WIDE */
} Run;

typedef struct {
    size_t outputs, inputs, count;
    Run *runs;
    const int *start;
    const float *in, *out, *from;
    float *to;
} Pooling;

/* Whether no two of so many neighbours have an input in common: then the order of adding is all one. */
static bool apart(const Run *run) {
    for (int k = 1; k <= run->window[0]; k++)
        for (int l = 1; l < k; l++) {
            int between = abs(run->window[k] - run->window[l]);
            if (between % 2 == 0 && (size_t)between / 2 < run->count)
                return false;
        }
    return true;
}

/* Finds the runs of `p`; they are to be freed. */
static void divide(Pooling *p, const int *window, const int *windows, bool backward) {
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("bmi2");
    p->count = 0;
    p->runs = malloc(p->outputs * sizeof *p->runs);
    if (!p->runs)
        abort();
    for (size_t r = 0; r < p->outputs; r += p->runs[p->count++].count) {
        Run *run = p->runs + p->count;
        *run = (Run){.first = r, .count = 1, .window = windows + window[r]};
#define PAIRS_WITH_NEXT(i) (p->start[(i) + 1] == p->start[i] + 2)
        size_t end = r + 1;
        if (wide) {
            while (end < p->outputs && end < r + WIDE && window[end] == window[r] && PAIRS_WITH_NEXT(end - 1))
                end++;
            run->count = end - r;
            run->in_pairs = run->count > 1 && (!backward || apart(run));
        }
        if (!run->in_pairs) {
            while (end < p->outputs && end < r + RUN && window[end] == window[r] &&
                   (!wide || backward || end + 1 == p->outputs || !PAIRS_WITH_NEXT(end)))
                end++;
            run->count = end - r;
        }
    }
}

/* Bit i of `mask` at 2 i: which of 32 inputs are those of 16 outputs. */
FOR_WIDE static inline unsigned spread(unsigned mask) {
    return _pdep_u32(mask, 0x55555555);
}

/* Every second one of 32 inputs, as far as outputs want them. */
FOR_WIDE static inline __m512 every_second(const float *in, unsigned wanted) {
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    __m512 low = _mm512_maskz_loadu_ps((__mmask16)wanted, in);
    __m512 high = _mm512_maskz_loadu_ps((__mmask16)(wanted >> WIDE), in + WIDE);
    return _mm512_permutex2var_ps(low, even, high);
}

/* Of one image; `in` is where the first output of the run starts. */
FOR_WIDE static void forward_in_pairs(const Run *run, const float *in, float *to) {
    __mmask16 mask = (__mmask16)((1u << run->count) - 1);
    unsigned wanted = spread(mask);
    __m512 most = _mm512_set1_ps(-FLT_MAX);
    for (int k = 1; k <= run->window[0]; k++)
        most = _mm512_max_ps(every_second(in + run->window[k], wanted), most);
    _mm512_mask_storeu_ps(to, mask, most);
}

FOR_WIDE static inline void add_where(unsigned places, float *to, __m512 added) {
    __mmask16 mask = (__mmask16)places;
    _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), added));
}

FOR_WIDE static void backward_in_pairs(const Run *run, const float *in, const float *out, const float *from,
                                       float *to) {
    const __m512i low = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512i high = _mm512_set_epi32(15, 15, 14, 14, 13, 13, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8);
    __mmask16 left = (__mmask16)((1u << run->count) - 1);
    unsigned wanted = spread(left);
    __m512 most = _mm512_maskz_loadu_ps(left, out), gradient = _mm512_maskz_loadu_ps(left, from);
    __m512 gradient_low = _mm512_permutexvar_ps(low, gradient), gradient_high = _mm512_permutexvar_ps(high, gradient);
    for (int k = 1; k <= run->window[0] && left; k++) {
        int offset = run->window[k];
        __mmask16 here = _mm512_mask_cmp_ps_mask(left, every_second(in + offset, wanted), most, _CMP_GE_OQ);
        unsigned places = spread(here);
        add_where(places, to + offset, gradient_low);
        add_where(places >> WIDE, to + offset + WIDE, gradient_high);
        left &= (__mmask16)~here;
    }
}

FOR_EACH_PROCESSOR
static void forward_gathered(const Run *run, const int *start, const float *restrict in, float *restrict out) {
    for (size_t i = 0; i < run->count; i++)
        out[i] = -FLT_MAX;
    for (int k = 1; k <= run->window[0]; k++)
        for (size_t i = 0; i < run->count; i++) {
            float found = in[start[i] + run->window[k]];
            out[i] = found > out[i] ? found : out[i];
        }
}

FOR_EACH_PROCESSOR
static void backward_gathered(const Run *run, const int *restrict start, const float *restrict in,
                              const float *restrict out, const float *restrict from, float *restrict to) {
    int place[RUN];
    for (size_t i = 0; i < run->count; i++)
        place[i] = -1;
    for (int k = run->window[0]; k > 0; k--)
        for (size_t i = 0; i < run->count; i++)
            place[i] = in[start[i] + run->window[k]] >= out[i] ? start[i] + run->window[k] : place[i];
    for (size_t i = 0; i < run->count; i++)
        if (place[i] >= 0)
            to[place[i]] += from[i];
}

static void forward(void *about, size_t first, size_t last) {
    const Pooling *p = about;
    for (size_t image = first; image < last; image++) {
        const float *in = p->in + image * p->inputs;
        float *to = p->to + image * p->outputs;
        for (const Run *run = p->runs; run < p->runs + p->count; run++)
            if (run->in_pairs)
                forward_in_pairs(run, in + p->start[run->first], to + run->first);
            else
                forward_gathered(run, p->start + run->first, in, to + run->first);
    }
}

static void backward(void *about, size_t first, size_t last) {
    const Pooling *p = about;
    for (size_t image = first; image < last; image++) {
        const float *in = p->in + image * p->inputs;
        const float *out = p->out + image * p->outputs, *from = p->from + image * p->outputs;
        float *to = p->to + image * p->inputs;
        for (const Run *run = p->runs; run < p->runs + p->count; run++) {
            size_t r = run->first, start = p->start[r];
            if (run->in_pairs)
                backward_in_pairs(run, in + start, out + r, from + r, to + start);
            else
                backward_gathered(run, p->start + r, in, out + r, from + r, to);
        }
    }
}

void _ZNK9Microsoft3MSR4CNTK9CPUMatrixIfE17MaxPoolingForwardERKNS2_IiEES6_S6_RS3_(
    const Matrix *in, const Matrix *start, const Matrix *window, const Matrix *windows, Matrix *out) {
    Pooling about = {.outputs = out->rows, .inputs = in->rows, .start = integers(start), .in = floats(in),
                     .to = floats(out)};
    divide(&about, integers(window), integers(windows), false);
    in_parts(out->columns, 1, forward, &about);
    free(about.runs);
}

void _ZNK9Microsoft3MSR4CNTK9CPUMatrixIfE18MaxPoolingBackwardERKS3_S5_RKNS2_IiEES8_S8_RS3_b(
    const Matrix *from, const Matrix *out, const Matrix *in, const Matrix *start, const Matrix *window,
    const Matrix *windows, Matrix *to, bool accumulate) {
    if (!accumulate)
        memset(floats(to), 0, to->rows * to->columns * sizeof(float));
    Pooling about = {.outputs = from->rows, .inputs = to->rows, .start = integers(start), .in = floats(in),
                     .out = floats(out), .from = floats(from), .to = floats(to)};
    divide(&about, integers(window), integers(windows), true);
    in_parts(from->columns, 1, backward, &about);
    free(about.runs);
}
