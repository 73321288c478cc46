/* tanhf and expf as glibc computes them up to version 2.40, without branches, so that many numbers go at a time.

   tanhf is the algorithm of Sun's fdlibm by way of expm1f, in single precision; expf is the one of Arm's
   optimized routines, in double precision with a table of 32 powers of two, whose products and sums are fused
   where the processor can. Other versions of glibc round some numbers otherwise: functions_agree() tells. */

#include "functions.h"

#include "bits.h"
#include "functions_wide.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define PART 256

NUMBERS(float, uint32_t)

/* expm1f where 2^-25 <= |x| < 44; nearer to 0 it is x. */
INLINE float exponential_less_one(float x) {
    const float ln2_hi = 0x1.62e3p-1f, ln2_lo = 0x1.2fefa2p-17f, to_base_2 = 0x1.715476p+0f;
    uint32_t size = bits_of(x) & 0x7fffffff;
    /* x is k ln 2 and a rest, which is known in two parts. */
    float half = either(x < 0.0f, -0.5f, 0.5f);
    int32_t rounded = (int32_t)(to_base_2 * x + half), near = x < 0.0f ? -1 : 1;
    int32_t k = size <= 0x3eb17218 ? 0 : size < 0x3F851592 ? near : rounded;
    float n = (float)k;
    float high = x - n * ln2_hi, low = n * ln2_lo;
    float r = high - low;
    float rest = either(k != 0, (high - r) - low, 0.0f);

    float h = 0.5f * r, s = r * h;
    float p = 1.0f + s * (-0x1.111112p-5f + s * (0x1.a01a02p-10f + s * (-0x1.4ce19ap-14f +
              s * (0x1.0cfca8p-18f + s * -0x1.afdb76p-23f))));
    float t = 3.0f - p * h;
    float e = s * ((p - t) / (6.0f - r * t));
    float alone = r - (r * e - s);
    e = (r * (e - rest) - rest) - s;

    float below = 0.5f * (r - e) - 0.5f;
    float above = either(r < -0.25f, -2.0f * (e - (r + 0.5f)), 1.0f + 2.0f * (r - e));
    uint32_t exponent = (uint32_t)k << 23;
    float far = of_bits(bits_of(1.0f - (e - r)) + exponent) - 1.0f;
    int32_t shift = k < 0 ? 0 : k > 31 ? 31 : k;
    float middle = of_bits(bits_of(of_bits(0x3f800000u - (0x1000000u >> shift)) - (e - r)) + exponent);
    float large = of_bits(bits_of((r - (e + of_bits((uint32_t)(0x7f - k) << 23))) + 1.0f) + exponent);

    float found = either(k < 23, middle, large);
    found = either((k <= -2) | (k > 56), far, found);
    found = either(k == 1, above, found);
    found = either(k == -1, below, found);
    found = either(k == 0, alone, found);
    /* tiny - 1 */
    found = either(x < -0x1.2b708p+4f, -1.0f, found);
    return either(size < 0x33000000, x, found);
}

INLINE float hyperbolic_tangent(float x) {
    float size = fabsf(x);
    bool outer = size >= 1.0f;
    float twice = 2.0f * either(size < 22.0f, size, 0.0f);
    float t = exponential_less_one(either(outer, twice, -twice));
    float over = either(outer, 2.0f, -t) / (t + 2.0f);
    float found = either(outer, 1.0f - over, over);
    found = either(size < 22.0f, found, 1.0f);
    found = either(size < 0x1p-55f, size * (1.0f + x), found);
    found = either(x != x, x, found);
    return of_bits(bits_of(found) | (bits_of(x) & 0x80000000u));
}

static uint64_t powers[32];

/* expf where -104 <= x <= 88. */
INLINE float exponential(float x) {
    const double shift = 0x1.8p+52, steps = 32.0, per_power = 0x1.71547652b82fep+0 * steps;
    double wide = (double)x;
    double whole = __builtin_fma(per_power, wide, shift);
    uint64_t k;
    memcpy(&k, &whole, sizeof k);
    whole -= shift;
    double r = __builtin_fma(per_power, wide, -whole);
    uint64_t power_bits = powers[k % 32] + (k << 47);
    double power;
    memcpy(&power, &power_bits, sizeof power);
    double upper = __builtin_fma(0x1.c6af84b912394p-5 / steps / steps / steps, r, 0x1.ebfce50fac4f3p-3 / steps / steps);
    double lower = __builtin_fma(0x1.62e42ff0c52d6p-1 / steps, r, 1.0);
    return (float)(__builtin_fma(upper, r * r, lower) * power);
}

/* CNTK's logistic function. e^-104 is 0 in single precision. */
INLINE float logistic(float x) {
    float size = fabsf(x), e = exponential(-either(size > 104.0f, 104.0f, size));
    return either(x > 0.0f, 1.0f, e) / (1.0f + e);
}

typedef void Function(const float *restrict x, float *restrict found, size_t count);

#define FOR(processor, name, compute)                                                                         \
    __attribute__((target(processor))) static void name(const float *restrict x, float *restrict found,        \
                                                        size_t count) {                                       \
        for (size_t i = 0; i < count; i++)                                                                    \
            found[i] = compute(x[i]);                                                                         \
    }

FOR("avx2,fma", narrow_sigmoid, logistic)
FOR("avx2,fma", narrow_tanh, hyperbolic_tangent)
FOR("avx2,fma", narrow_exponentials, exponential)

static void wide_sigmoid_of(const float *restrict x, float *restrict found, size_t count) {
    wide_sigmoid(x, found, count, (const double *)powers);
}

static void wide_exponentials_of(const float *restrict x, float *restrict found, size_t count) {
    wide_exponentials(x, found, count, (const double *)powers);
}

static Function *sigmoid_of, *tanh_of, *exponentials_of;

static void each(Function *function, const float *x, float *to, size_t count, How how) {
    if (how == INSTEAD && (to + count <= x || x + count <= to)) {
        function(x, to, count);
        return;
    }
    /* Aside, so that `to` may be `x`. */
    float found[PART];
    for (size_t part; count; count -= part, x += part, to += part) {
        part = count < PART ? count : PART;
        function(x, found, part);
        for (size_t i = 0; i < part; i++)
            to[i] = how == INSTEAD ? found[i] : how == FIRST ? 0.0f + found[i] : to[i] + found[i];
    }
}

void exponentials(const float *restrict x, float *restrict found, size_t count) {
    exponentials_of(x, found, count);
}

void sigmoid_each(const float *x, const float *y, float *to, size_t count, How how) {
    (void)y;
    each(sigmoid_of, x, to, count, how);
}

void tanh_each(const float *x, const float *y, float *to, size_t count, How how) {
    (void)y;
    each(tanh_of, x, to, count, how);
}

/* Numbers from all over both functions, whose results are compared with the library's. */
static bool agree(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("fma") || !__builtin_cpu_supports("avx2"))
        return false;
    bool wide = __builtin_cpu_supports("avx512f");
    sigmoid_of = wide ? wide_sigmoid_of : narrow_sigmoid;
    tanh_of = wide ? wide_tanh : narrow_tanh;
    exponentials_of = wide ? wide_exponentials_of : narrow_exponentials;
    for (int i = 0; i < 32; i++) {
        double power = exp2(i / 32.0);
        memcpy(&powers[i], &power, sizeof power);
        powers[i] -= (uint64_t)i << 47;
    }
    float x[PART], sigmoids[PART], tangents[PART], exponents[PART], powers_of_e[PART];
    uint32_t random = 1;
    for (int round = 0; round < 32; round++) {
        for (int i = 0; i < PART; i++) {
            random = random * 1664525u + 1013904223u;
            /* Of sizes between 2^-30 and 2^7. */
            x[i] = of_bits((random & 0x807fffffu) | (97 + (random >> 24) % 38) << 23);
            exponents[i] = either((x[i] >= LEAST_EXPONENT) & (x[i] <= MOST_EXPONENT), x[i], 0.0f);
        }
        sigmoid_of(x, sigmoids, PART);
        tanh_of(x, tangents, PART);
        exponentials_of(exponents, powers_of_e, PART);
        for (int i = 0; i < PART; i++) {
            float e = expf(-fabsf(x[i]));
            if (bits_of(sigmoids[i]) != bits_of((x[i] > 0.0f ? 1.0f : e) / (1.0f + e)) ||
                bits_of(tangents[i]) != bits_of(tanhf(x[i])) || bits_of(powers_of_e[i]) != bits_of(expf(exponents[i])))
                return false;
        }
    }
    return true;
}

bool functions_agree(void) {
    static int known;
    if (!known)
        known = agree() ? 1 : -1;
    return known > 0;
}
