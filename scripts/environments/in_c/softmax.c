/* CNTK adds logarithms, one number after the other: of two, the larger and log1p(exp(their difference)), in double
   precision. Different sums are independent of each other, so many of them go side by side.

   exp and log1p are those of glibc since 2.28, with products and sums fused where it fuses them on processors that
   can: exp is the one of Arm's optimized routines, with a table of 128 powers of two, and log1p that of Sun's fdlibm.
   Other versions round some numbers otherwise: logarithms_agree() tells. */

#include "softmax.h"

#include "bits.h"
#include "cntk.h"
#include "functions.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define TOGETHER 64
#define PART 256
#define GRAIN 8192
#define STEPS 128
/* Where exp needs no care for the smallest numbers. */
#define LEAST -500.0

NUMBERS(double, uint64_t)

/* 2^(i/128): its bits, but for those that i has where the exponent is, and what is missing, relatively. */
static uint64_t powers[STEPS];
static double rests[STEPS];

static void fill(void) {
    __float128 root = 2, power = 1;
    for (int halved = 1; halved < STEPS; halved *= 2) {
        __float128 found = sqrt((double)root);
        for (int i = 0; i < 3; i++)
            found = (found + root / found) / 2;
        root = found;
    }
    for (uint64_t i = 0; i < STEPS; i++, power *= root) {
        powers[i] = bits_of((double)power) - (i << 45);
        rests[i] = (double)((power - (double)power) / (double)power);
    }
}

/* exp where LEAST <= x <= 0. */
INLINE double exponential(double x) {
    const double shift = 0x1.8p+52;
    double whole = __builtin_fma(0x1.71547652b82fep+0 * STEPS, x, shift);
    uint64_t k = bits_of(whole);
    whole -= shift;
    double r = __builtin_fma(whole, -0x1.62e42fefa0000p-8, x);
    r = __builtin_fma(whole, -0x1.cf79abc9e3b3ap-47, r);
    double power = of_bits(powers[k % STEPS] + (k << 45)), square = r * r;
    double lower = __builtin_fma(0x1.555555555543cp-3, r, 0x1.ffffffffffdbdp-2);
    lower = __builtin_fma(lower, square, rests[k % STEPS] + r);
    double upper = __builtin_fma(0x1.1111167a4d017p-7, r, 0x1.55555cf172b91p-5);
    return __builtin_fma(power, __builtin_fma(square * square, upper, lower), power);
}

/* log1p where 0 <= x <= 1. */
INLINE double logarithm(double x) {
    const double ln2_hi = 0x1.62e42feep-1, ln2_lo = 0x1.a39ef35793c76p-33;
    double y = 1.0 + x;
    bool near = x < 0x1.a827ap-2, halved = !near & (y >= 0x1.6a09ep+0);
    /* What is missing in y, and y or its half less one. */
    double rest = (x - (y - 1.0)) / y + ln2_lo;
    double f = either(near, x, either(halved, 0.5 * y, y) - 1.0);
    double half = 0.5 * f * f, s = f / (2.0 + f), z = s * s, z2 = z * z, z4 = z2 * z2;
    double sum = z2 * __builtin_fma(z, 0x1.2492494229359p-2, 0x1.999999997fa04p-2);
    sum = __builtin_fma(z, 0x1.5555555555593p-1, sum);
    sum = __builtin_fma(z4, __builtin_fma(z, 0x1.7466496cb03dep-3, 0x1.c71c51d8e78afp-3), sum);
    sum = __builtin_fma(z2 * z4, __builtin_fma(z, 0x1.2f112df3e5244p-3, 0x1.39a09d078c69fp-3), sum);
    double part = s * (half + sum);
    double close = half * __builtin_fma(-f, 0x1.5555555555555p-1, 1.0);
    double beyond = either(y >= 0x1.ffffdp+0, close - rest, half - (part + rest));
    double found = either(halved, ln2_hi - (beyond - f), f - (half - part));
    return either(x < 0x1p-29, __builtin_fma(-(x * x), 0.5, x), found);
}

/* `total` becomes the logarithms of e^total + e^x. */
#define FOR(processor, name)                                                                                  \
    __attribute__((target(processor))) static void name(double *total, const double *x, size_t count) {       \
        for (size_t i = 0; i < count; i++) {                                                                  \
            double most = x[i] > total[i] ? x[i] : total[i], least = x[i] > total[i] ? total[i] : x[i];       \
            total[i] = logarithm(exponential(least - most)) + most;                                           \
        }                                                                                                     \
    }

FOR("avx512f,avx512dq,prefer-vector-width=512", widely)
FOR("avx2,fma", narrowly)

static void (*add_logarithms)(double *total, const double *x, size_t count);

/* CNTK's way, for numbers that are far apart or none. */
static double one_by_one(double x, double y) {
    if (y > x) {
        double less = x;
        x = y;
        y = less;
    }
    return log1p(exp(y - x)) + x;
}

typedef struct {
    const float *x;
    float *to;
    size_t inner;
    ptrdiff_t next, step;
} Sums;

static void some_sums(void *about, size_t first, size_t last) {
    const Sums *s = about;
    double total[TOGETHER], more[TOGETHER];
    for (size_t count; first < last; first += count) {
        count = last - first < TOGETHER ? last - first : TOGETHER;
        const float *x = s->x + (ptrdiff_t)first * s->next;
        for (size_t i = 0; i < count; i++)
            total[i] = x[(ptrdiff_t)i * s->next];
        for (size_t k = 1; k < s->inner; k++) {
            bool usual = true;
            x += s->step;
            for (size_t i = 0; i < count; i++) {
                more[i] = x[(ptrdiff_t)i * s->next];
                usual &= fabs(more[i] - total[i]) <= -LEAST;
            }
            if (usual)
                add_logarithms(total, more, count);
            else
                for (size_t i = 0; i < count; i++)
                    total[i] = one_by_one(total[i], more[i]);
        }
        for (size_t i = 0; i < count; i++)
            s->to[first + i] = (float)total[i];
    }
}

void log_sums(const float *x, ptrdiff_t next, ptrdiff_t step, size_t inner, float *to, size_t count) {
    Sums about = {x, to, inner, next, step};
    in_parts(count, TOGETHER + GRAIN / inner, some_sums, &about);
}

/* Numbers from all over the functions, whose results are compared with the library's. */
static bool agree(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("fma") || !__builtin_cpu_supports("avx2"))
        return false;
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
    add_logarithms = wide ? widely : narrowly;
    fill();
    double total[PART], x[PART], known[PART];
    uint64_t random = 1;
    for (int round = 0; round < 64; round++) {
        for (int i = 0; i < PART; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            /* Apart by 2^-36 to 2^9, where that is less than can be computed; as often beside 0 as elsewhere. */
            double apart = of_bits((random >> 12) | (uint64_t)(987 + random % 45) << 52);
            apart = apart < -LEAST ? apart : 0.0;
            double most = i % 2 ? 0.0 : (double)(random >> 40) / 0x1p22, least = most - apart;
            total[i] = i % 4 < 2 ? most : least;
            x[i] = i % 4 < 2 ? least : most;
            known[i] = one_by_one(total[i], x[i]);
        }
        add_logarithms(total, x, PART);
        if (memcmp(total, known, sizeof total))
            return false;
    }
    return true;
}

bool logarithms_agree(void) {
    static int known;
    if (!known)
        known = agree() ? 1 : -1;
    return known > 0;
}

static void some_exponentials(const float *x, float y, float *found, size_t count) {
    float differences[PART];
    bool usual = true;
    for (size_t i = 0; i < count; i++) {
        differences[i] = x[i] - y;
        usual &= (differences[i] >= LEAST_EXPONENT) & (differences[i] <= MOST_EXPONENT);
    }
    if (usual)
        exponentials(differences, found, count);
    else
        for (size_t i = 0; i < count; i++)
            found[i] = expf(differences[i]);
}

static void some_columns(void *about, size_t first, size_t last) {
    const Scaled *s = about;
    float found[PART];
    for (ptrdiff_t j = (ptrdiff_t)first; j < (ptrdiff_t)last; j++)
        for (size_t i = 0, part; i < s->rows; i += part) {
            part = s->rows - i < PART ? s->rows - i : PART;
            some_exponentials(s->x + j * s->next_x + i, s->y[j * s->next_y], found, part);
            float a = s->a[j * s->next_a], *to = s->to + j * s->next_to + i;
            for (size_t k = 0; k < part; k++)
                to[k] = s->added ? to[k] + a * found[k] : a * found[k];
        }
}

void scaled_exponentials(const Scaled *s) {
    in_parts(s->columns, 1 + GRAIN / (s->rows ? s->rows : 1), some_columns, (void *)s);
}
