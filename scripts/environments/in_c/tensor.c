/* CPUMatrix<float>::TensorOp: one operation on all elements of tensors, or a sum over some of their dimensions.

   A dimension has a size and, for each operand, how far its numbers are apart; 0 says that the same number
   serves all. Done here are operations of one or two operands whose result takes the place of the old
   one, or is added to it, choices by columns, and plain sums; CNTK's own function does the rest. */

#include "cntk.h"
#include "functions.h"
#include "rows.h"
#include "softmax.h"
#include "turn.h"

/* Microsoft::MSR::CNTK::SmallVector<size_t> and <ptrdiff_t>. */
typedef struct {
    ptrdiff_t values[12];
    size_t count;
} Numbers;

#define GRAIN 32768
#define DIMENSIONS 4
#define TOGETHER 64

typedef struct {
    Row *row;
    const float *x, *y;
    float *to;
    size_t rank, sizes[DIMENSIONS];
    ptrdiff_t xs[DIMENSIONS], ys[DIMENSIONS], tos[DIMENSIONS];
    How how;
} Elements;

static void along(const Elements *e, size_t dimension, const float *x, const float *y, float *to, size_t count) {
    if (dimension == 0) {
        e->row(x, y, to, count, e->how);
        return;
    }
    for (size_t i = 0; i < count; i++)
        along(e, dimension - 1, x + i * e->xs[dimension], y + i * e->ys[dimension], to + i * e->tos[dimension],
              e->sizes[dimension - 1]);
}

static void some_elements(void *about, size_t first, size_t last) {
    const Elements *e = about;
    size_t d = e->rank - 1;
    along(e, d, e->x + first * e->xs[d], e->y + first * e->ys[d], e->to + first * e->tos[d], last - first);
}

/* Whether it was done. `ys` is NULL for one operand. */
static bool elementwise(int operation, bool added, const float *x, const float *y, float *to, const Numbers *sizes,
                        const Numbers *xs, const Numbers *ys, const Numbers *tos) {
    Elements e = {.x = x, .y = y ? y : x, .to = to, .rank = sizes->count};
    e.how = added ? ADDED : INSTEAD;
    if (e.rank < 1 || e.rank > DIMENSIONS)
        return false;
    size_t all = 1;
    for (size_t d = 0; d < e.rank; d++) {
        e.sizes[d] = sizes->values[d];
        e.xs[d] = xs->values[d];
        e.ys[d] = ys ? ys->values[d] : 0;
        e.tos[d] = tos->values[d];
        all *= e.sizes[d];
    }
    if (e.tos[0] != 1 || (size_t)e.xs[0] > 1 || (size_t)e.ys[0] > 1)
        return false;
    if (operation == NEGATIVE || (operation == RECTIFIER && (e.rank > 1 || added)))
        return false;
    e.row = row_of(operation, e.xs[0], e.ys[0]);
    if (!e.row)
        return false;
    size_t parts = e.sizes[e.rank - 1];
    in_parts(parts, 1 + GRAIN * parts / (all ? all : 1), some_elements, &e);
    return true;
}

typedef struct {
    const float *x;
    float *to;
    size_t inner, outer;
    ptrdiff_t next, inner_step, outer_step;
    bool added;
} Sums;

/* As CNTK adds: in double precision along the inner dimension, rounded, and along the outer one again. */
#define SUMS(name, LOAD)                                                                                      \
    FOR_EACH_PROCESSOR                                                                                        \
    static void name(const Sums *s, size_t first, size_t count) {                                             \
        double total[TOGETHER];                                                                               \
        for (size_t o = 0; o < s->outer; o++) {                                                               \
            const float *from = s->x + (ptrdiff_t)first * s->next + (ptrdiff_t)o * s->outer_step;             \
            double part[TOGETHER];                                                                            \
            for (size_t i = 0; i < count; i++)                                                                \
                part[i] = from[LOAD];                                                                         \
            for (size_t k = 1; k < s->inner; k++) {                                                           \
                from += s->inner_step;                                                                        \
                for (size_t i = 0; i < count; i++)                                                            \
                    part[i] += from[LOAD];                                                                    \
            }                                                                                                 \
            for (size_t i = 0; i < count; i++)                                                                \
                total[i] = o ? total[i] + (float)part[i] : (float)part[i];                                    \
        }                                                                                                     \
        for (size_t i = 0; i < count; i++)                                                                    \
            s->to[first + i] = s->added ? s->to[first + i] + (float)total[i] : (float)total[i];               \
    }

SUMS(sums_of_neighbours, i)
SUMS(sums_apart, (ptrdiff_t)i * s->next)

/* The same for TILE results apart from each other whose numbers lie side by side. */
__attribute__((target("avx512f"))) static void sums_of_rows(const Sums *s, size_t first) {
    typedef double Results __attribute__((vector_size(8 * TILE)));
    typedef float Row16 __attribute__((vector_size(4 * TILE)));
    Results total = {0};
    for (size_t o = 0; o < s->outer; o++) {
        const float *from = s->x + (ptrdiff_t)first * s->next + (ptrdiff_t)o * s->outer_step;
        Results part = {0};
        size_t k = 0;
        for (; k + TILE <= s->inner; k += TILE) {
            Row16 turned[TILE];
            turn_tile(from + k, s->next, (float *)turned, TILE);
            for (int i = 0; i < TILE; i++)
                part = k || i ? part + __builtin_convertvector(turned[i], Results) : __builtin_convertvector(turned[i], Results);
        }
        for (; k < s->inner; k++)
            for (int i = 0; i < TILE; i++)
                part[i] = k ? part[i] + from[i * s->next + k] : from[i * s->next + k];
        Results rounded = __builtin_convertvector(__builtin_convertvector(part, Row16), Results);
        total = o ? total + rounded : rounded;
    }
    for (int i = 0; i < TILE; i++)
        s->to[first + i] = s->added ? s->to[first + i] + (float)total[i] : (float)total[i];
}

static void some_sums(void *about, size_t first, size_t last) {
    const Sums *s = about;
    bool rows = s->inner_step == 1 && s->inner >= TILE && s->next > 1 && __builtin_cpu_supports("avx512f");
    for (; rows && last - first >= TILE; first += TILE)
        sums_of_rows(s, first);
    for (size_t end; first < last; first = end) {
        end = last - first > TOGETHER ? first + TOGETHER : last;
        (s->next == 1 ? sums_of_neighbours : sums_apart)(s, first, end - first);
    }
}

/* Whether it was done. */
static bool summed(bool added, const float *x, float *to, const Numbers *sizes, const Numbers *xs, const Numbers *tos,
                   const Numbers *sums, const Numbers *steps) {
    if (sizes->count != 1 || tos->values[0] != 1 || sums->count > 2)
        return false;
    Sums s = {.x = x,
              .to = to,
              .inner = sums->values[0],
              .outer = sums->count > 1 ? sums->values[1] : 1,
              .next = xs->values[0],
              .inner_step = steps->values[0],
              .outer_step = sums->count > 1 ? steps->values[1] : 0,
              .added = added};
    size_t each = s.inner * s.outer;
    in_parts(sizes->values[0], TOGETHER + GRAIN / (each ? each : 1), some_sums, &s);
    return true;
}

typedef struct {
    const float *chooses, *x, *y;
    float *to;
    Row *copy_x, *copy_y;
    size_t rows;
    ptrdiff_t next, next_x, next_y, next_to;
    How how;
} Choices;

static void some_choices(void *about, size_t first, size_t last) {
    const Choices *c = about;
    for (ptrdiff_t i = (ptrdiff_t)first; i < (ptrdiff_t)last; i++)
        if (c->chooses[i * c->next] != 0.0f)
            c->copy_x(c->x + i * c->next_x, NULL, c->to + i * c->next_to, c->rows, c->how);
        else
            c->copy_y(c->y + i * c->next_y, NULL, c->to + i * c->next_to, c->rows, c->how);
}

/* Whether it was done: each column is that of x or that of y. */
static bool chosen(bool added, const float *chooses, const float *x, const float *y, float *to, const Numbers *sizes,
                   const Numbers *strides) {
    const ptrdiff_t *a = strides[0].values, *b = strides[1].values, *c = strides[2].values, *d = strides[3].values;
    if (sizes->count != 2 || a[0] != 0 || (size_t)b[0] > 1 || (size_t)c[0] > 1 || d[0] != 1)
        return false;
    Choices choices = {chooses, x,    y,    to,   row_of(COPY, b[0], false), row_of(COPY, c[0], false), sizes->values[0],
                       a[1],    b[1], c[1], d[1], added ? ADDED : INSTEAD};
    in_parts(sizes->values[1], 1 + GRAIN / sizes->values[0], some_choices, &choices);
    return true;
}

/* Whether it was done: the same for the sum's logarithm, of one dimension. */
static bool log_summed(const float *x, float *to, const Numbers *sizes, const Numbers *xs, const Numbers *tos,
                       const Numbers *sums, const Numbers *steps) {
    if (sizes->count != 1 || tos->values[0] != 1 || sums->count != 1 || !logarithms_agree())
        return false;
    log_sums(x, xs->values[0], steps->values[0], sums->values[0], to, sizes->values[0]);
    return true;
}

/* Whether it was done: columns of x less one number of y each, as exponents, times one of a. */
static bool by_exponential(bool added, const float *a, const float *x, const float *y, float *to, const Numbers *sizes,
                           const Numbers *strides) {
    const ptrdiff_t *as = strides[0].values, *xs = strides[1].values, *ys = strides[2].values, *tos = strides[3].values;
    if (sizes->count != 2 || as[0] != 0 || xs[0] != 1 || ys[0] != 0 || tos[0] != 1 || !functions_agree())
        return false;
    Scaled scaled = {a, x, y, to, sizes->values[0], sizes->values[1], as[1], xs[1], ys[1], tos[1], added};
    scaled_exponentials(&scaled);
    return true;
}

static bool replaces(float beta, float alpha) {
    return alpha == 1.0f && (beta == 0.0f || beta == 1.0f);
}

#define LAYOUT const size_t *firsts, const Numbers *sizes, const Numbers *strides, const Numbers *sums, const Numbers *steps
#define LAYOUT_PASSED firsts, sizes, strides, sums, steps
#define ONE                                                                                                   \
    "_ZN9Microsoft3MSR4CNTK9CPUMatrixIfE8TensorOpEfRKS3_fNS1_19ElementWiseOperatorES6_RKSt5arrayImLm2EERKNS1_" \
    "11SmallVectorImEERKS7_INSB_IlEELm2EESE_SI_"
#define TWO                                                                                                   \
    "_ZN9Microsoft3MSR4CNTK9CPUMatrixIfE8TensorOpEfRKS3_S5_fNS1_19ElementWiseOperatorES6_RKSt5arrayImLm3EERK"  \
    "NS1_11SmallVectorImEERKS7_INSB_IlEELm3EESE_SI_"
#define THREE                                                                                                 \
    "_ZN9Microsoft3MSR4CNTK9CPUMatrixIfE8TensorOpEfRKS3_S5_S5_fNS1_19ElementWiseOperatorES6_RKSt5arrayImLm4E"  \
    "ERKNS1_11SmallVectorImEERKS7_INSB_IlEELm4EESE_SI_"

void on_one(Matrix *to, float beta, const Matrix *a, float alpha, int operation, int reduction, LAYOUT) __asm__(ONE);
void on_two(Matrix *to, float beta, const Matrix *a, const Matrix *b, float alpha, int operation, int reduction,
            LAYOUT) __asm__(TWO);
void on_three(Matrix *to, float beta, const Matrix *a, const Matrix *b, const Matrix *c, float alpha, int operation,
              int reduction, LAYOUT) __asm__(THREE);

void on_one(Matrix *to, float beta, const Matrix *a, float alpha, int operation, int reduction, LAYOUT) {
    if (replaces(beta, alpha)) {
        const float *x = floats(a) + firsts[0];
        float *result = floats(to) + firsts[1];
        if (!sums->count) {
            if (elementwise(operation, beta != 0.0f, x, NULL, result, sizes, &strides[0], NULL, &strides[1]))
                return;
        } else if (operation == COPY && reduction == SUM) {
            if (summed(beta != 0.0f, x, result, sizes, &strides[0], &strides[1], sums, &steps[0]))
                return;
        } else if (operation == COPY && reduction == LOG_SUM && beta == 0.0f)
            if (log_summed(x, result, sizes, &strides[0], &strides[1], sums, &steps[0]))
                return;
    }
    static void (*other)(Matrix *, float, const Matrix *, float, int, int, LAYOUT);
    if (!other)
        *(void **)&other = original(ONE);
    other(to, beta, a, alpha, operation, reduction, LAYOUT_PASSED);
}

void on_two(Matrix *to, float beta, const Matrix *a, const Matrix *b, float alpha, int operation, int reduction,
            LAYOUT) {
    if (replaces(beta, alpha) && !sums->count &&
        elementwise(operation, beta != 0.0f, floats(a) + firsts[0], floats(b) + firsts[1], floats(to) + firsts[2],
                    sizes, &strides[0], &strides[1], &strides[2]))
        return;
    static void (*other)(Matrix *, float, const Matrix *, const Matrix *, float, int, int, LAYOUT);
    if (!other)
        *(void **)&other = original(TWO);
    other(to, beta, a, b, alpha, operation, reduction, LAYOUT_PASSED);
}

void on_three(Matrix *to, float beta, const Matrix *a, const Matrix *b, const Matrix *c, float alpha, int operation,
              int reduction, LAYOUT) {
    if (replaces(beta, alpha) && !sums->count) {
        const float *x = floats(a) + firsts[0], *y = floats(b) + firsts[1], *z = floats(c) + firsts[2];
        float *result = floats(to) + firsts[3];
        if (operation == CHOICE && chosen(beta != 0.0f, x, y, z, result, sizes, strides))
            return;
        if (operation == BY_EXPONENTIAL && by_exponential(beta != 0.0f, x, y, z, result, sizes, strides))
            return;
    }
    static void (*other)(Matrix *, float, const Matrix *, const Matrix *, const Matrix *, float, int, int, LAYOUT);
    if (!other)
        *(void **)&other = original(THREE);
    other(to, beta, a, b, c, alpha, operation, reduction, LAYOUT_PASSED);
}
