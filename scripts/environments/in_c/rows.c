#include "rows.h"

#include "cntk.h"
#include "functions.h"

#include <math.h>

/* The operands before the result. CNTK has the rectifier computed by MKL, in this way. */
#define IS_COPY a
#define IS_NEGATIVE (-a)
#define IS_RECTIFIED (0.5f * a + 0.5f * fabsf(a))
#define IS_SUM (a + b)
#define IS_DIFFERENCE (a - b)
#define IS_PRODUCT (a * b)
#define IS_BY_SIGMOID (a * (b * (1.0f - b)))
#define IS_BY_TANH (a * (1.0f - b * b))
#define IS_BY_RECTIFIER (b > 0.0f ? a : 0.0f)

/* An operand may be the result itself, so nothing is `restrict`; no element hangs on another, says ivdep. */
#define LOOP(A, B, assignment)                                                                                \
    _Pragma("GCC ivdep") for (size_t i = 0; i < count; i++) {                                                 \
        float a = A, b = B;                                                                                   \
        (void)b;                                                                                              \
        assignment;                                                                                           \
    }

#define ROW(name, value, A, B)                                                                                \
    FOR_EACH_PROCESSOR                                                                                        \
    static void name(const float *x, const float *y, float *to, size_t count, How how) {                      \
        (void)y;                                                                                              \
        if (how == ADDED)                                                                                     \
            LOOP(A, B, to[i] += value)                                                                        \
        else if (how == FIRST)                                                                                \
            LOOP(A, B, to[i] = 0.0f + value)                                                                  \
        else                                                                                                  \
            LOOP(A, B, to[i] = value)                                                                         \
    }

/* Whether the numbers of the operands lie side by side, or one serves the whole row. */
#define ROWS_OF_ONE(name, value)                                                                              \
    ROW(name##_each, value, x[i], 0)                                                                          \
    ROW(name##_same, value, x[0], 0)

#define ROWS_OF_TWO(name, value)                                                                              \
    ROW(name##_each, value, x[i], y[i])                                                                       \
    ROW(name##_same_first, value, x[0], y[i])                                                                 \
    ROW(name##_same_second, value, x[i], y[0])

ROWS_OF_ONE(copy, IS_COPY)
ROW(negative_each, IS_NEGATIVE, x[i], 0)
ROW(rectified_each, IS_RECTIFIED, x[i], 0)
ROWS_OF_TWO(sum, IS_SUM)
ROWS_OF_TWO(difference, IS_DIFFERENCE)
ROWS_OF_TWO(product, IS_PRODUCT)
ROW(by_sigmoid_each, IS_BY_SIGMOID, x[i], y[i])
ROW(by_tanh_each, IS_BY_TANH, x[i], y[i])
ROW(by_rectifier_each, IS_BY_RECTIFIER, x[i], y[i])

Row *row_of(Operation operation, bool x, bool y) {
#define TWO(name) x && y ? name##_each : y ? name##_same_first : x ? name##_same_second : NULL
    switch (operation) {
    case COPY:
        return x ? copy_each : copy_same;
    case NEGATIVE:
        return x ? negative_each : NULL;
    case RECTIFIER:
        return x ? rectified_each : NULL;
    case SIGMOID:
        return x && functions_agree() ? sigmoid_each : NULL;
    case TANH:
        return x && functions_agree() ? tanh_each : NULL;
    case SUM:
        return TWO(sum);
    case DIFFERENCE:
        return TWO(difference);
    case PRODUCT:
        return TWO(product);
    case BY_SIGMOID:
        return x && y ? by_sigmoid_each : NULL;
    case BY_TANH:
        return x && y ? by_tanh_each : NULL;
    case BY_RECTIFIER:
        return x && y ? by_rectifier_each : NULL;
    case LOG_SUM:
    case CHOICE:
    case BY_EXPONENTIAL:
        break;
    }
    return NULL;
#undef TWO
}
