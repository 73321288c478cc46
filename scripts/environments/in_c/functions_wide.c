/* The functions of functions.c for processors with AVX-512: 16 numbers at a time, by the same operations. */

#include "functions_wide.h"

#include <immintrin.h>
#include <stdint.h>

/* Inlined into functions for these processors alone. */
#define INLINE __attribute__((target("avx512f"), always_inline)) static inline
#define WIDE __attribute__((target("avx512f")))

typedef __m512 Floats;
typedef __m512i Integers;
typedef __m512d Doubles;

INLINE Floats all(float x) {
    return _mm512_set1_ps(x);
}

INLINE Integers all_bits(int x) {
    return _mm512_set1_epi32(x);
}

INLINE Integers bits_of(Floats x) {
    return _mm512_castps_si512(x);
}

INLINE Floats of_bits(Integers x) {
    return _mm512_castsi512_ps(x);
}

INLINE Floats either(__mmask16 first, Floats x, Floats y) {
    return _mm512_mask_blend_ps(first, y, x);
}

INLINE Floats scaled(Floats x, Integers exponent) {
    return of_bits(_mm512_add_epi32(bits_of(x), exponent));
}

/* expm1 of `twice`, which is 2 to 44 where `outer`, and -2 to 0 elsewhere; the cases that others need are not here. */
INLINE Floats exponential_less_one(Floats twice, __mmask16 outer) {
    Integers size = _mm512_and_si512(bits_of(twice), all_bits(0x7fffffff));
    Floats half = either(outer, all(0.5f), all(-0.5f));
    Integers rounded = _mm512_cvttps_epi32(all(0x1.715476p+0f) * twice + half);
    Integers k = _mm512_mask_mov_epi32(rounded, _mm512_cmplt_epi32_mask(size, all_bits(0x3F851592)), all_bits(-1));
    k = _mm512_maskz_mov_epi32(_mm512_cmpgt_epi32_mask(size, all_bits(0x3eb17218)), k);
    Floats n = _mm512_cvtepi32_ps(k);
    Floats high = twice - n * all(0x1.62e3p-1f), low = n * all(0x1.2fefa2p-17f);
    Floats r = high - low;
    Floats rest = (high - r) - low;

    Floats h = all(0.5f) * r, s = r * h;
    Floats p = all(1.0f) + s * (all(-0x1.111112p-5f) + s * (all(0x1.a01a02p-10f) + s * (all(-0x1.4ce19ap-14f) +
               s * (all(0x1.0cfca8p-18f) + s * all(-0x1.afdb76p-23f)))));
    Floats t = all(3.0f) - p * h;
    Floats e = s * ((p - t) / (all(6.0f) - r * t));
    Floats alone = r - (r * e - s);
    e = (r * (e - rest) - rest) - s;

    Integers exponent = _mm512_slli_epi32(k, 23);
    Floats difference = e - r;
    Floats below = all(0.5f) * (r - e) - all(0.5f);
    Floats far = scaled(all(1.0f) - difference, exponent) - all(1.0f);
    /* A shift by more than 31 gives 0. */
    Integers shifted = _mm512_srlv_epi32(all_bits(0x1000000), k);
    Floats middle = scaled(of_bits(_mm512_sub_epi32(all_bits(0x3f800000), shifted)) - difference, exponent);
    Integers power = _mm512_slli_epi32(_mm512_sub_epi32(all_bits(0x7f), k), 23);
    Floats large = scaled((r - (e + of_bits(power))) + all(1.0f), exponent);

    __mmask16 not_far = _mm512_cmpgt_epi32_mask(k, all_bits(-2)) & _mm512_cmplt_epi32_mask(k, all_bits(57));
    Floats found = either(_mm512_cmplt_epi32_mask(k, all_bits(23)), middle, large);
    found = either(not_far, found, far);
    found = either(_mm512_cmpeq_epi32_mask(k, all_bits(-1)), below, found);
    found = either(_mm512_cmpeq_epi32_mask(k, all_bits(0)), alone, found);
    return either(_mm512_cmplt_epi32_mask(size, all_bits(0x33000000)), twice, found);
}

INLINE Floats hyperbolic_tangent(Floats x) {
    Floats size = _mm512_abs_ps(x);
    __mmask16 outer = _mm512_cmp_ps_mask(size, all(1.0f), _CMP_GE_OQ);
    __mmask16 within = _mm512_cmp_ps_mask(size, all(22.0f), _CMP_LT_OQ);
    Floats twice = all(2.0f) * _mm512_maskz_mov_ps(within, size);
    twice = either(outer, twice, -twice);
    Floats t = exponential_less_one(twice, outer);
    Floats over = either(outer, all(2.0f), -t) / (t + all(2.0f));
    Floats found = either(outer, all(1.0f) - over, over);
    found = either(within, found, all(1.0f));
    found = either(_mm512_cmp_ps_mask(size, all(0x1p-55f), _CMP_LT_OQ), size * (all(1.0f) + x), found);
    found = either(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x, found);
    return of_bits(_mm512_or_si512(bits_of(found), _mm512_and_si512(bits_of(x), all_bits((int)0x80000000))));
}

/* The 32 powers of two with one of them for each of 8 numbers, by its last five bits. */
INLINE Doubles power_of(const double *powers, Integers k) {
    Doubles low = _mm512_permutex2var_pd(_mm512_loadu_pd(powers), k, _mm512_loadu_pd(powers + 8));
    Doubles high = _mm512_permutex2var_pd(_mm512_loadu_pd(powers + 16), k, _mm512_loadu_pd(powers + 24));
    return _mm512_mask_blend_pd(_mm512_test_epi64_mask(k, _mm512_set1_epi64(16)), low, high);
}

INLINE __m256 exponential(__m256 x, const double *powers) {
#define ALL(x) _mm512_set1_pd(x)
    const double steps = 32.0;
    Doubles wide = _mm512_cvtps_pd(x), shift = ALL(0x1.8p+52), per_power = ALL(0x1.71547652b82fep+0 * steps);
    Doubles whole = _mm512_fmadd_pd(per_power, wide, shift);
    Integers k = _mm512_castpd_si512(whole);
    whole = whole - shift;
    Doubles r = _mm512_fmsub_pd(per_power, wide, whole);
    Integers bits = _mm512_add_epi64(_mm512_castpd_si512(power_of(powers, k)), _mm512_slli_epi64(k, 47));
    Doubles upper = _mm512_fmadd_pd(ALL(0x1.c6af84b912394p-5 / steps / steps / steps), r,
                                    ALL(0x1.ebfce50fac4f3p-3 / steps / steps));
    Doubles lower = _mm512_fmadd_pd(ALL(0x1.62e42ff0c52d6p-1 / steps), r, ALL(1.0));
    return _mm512_cvtpd_ps(_mm512_fmadd_pd(upper, r * r, lower) * _mm512_castsi512_pd(bits));
#undef ALL
}

INLINE Floats exponential_of_all(Floats x, const double *powers) {
    __m256 low = _mm512_castps512_ps256(x);
    __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1));
    Doubles both = _mm512_castps_pd(_mm512_castps256_ps512(exponential(low, powers)));
    return _mm512_castpd_ps(_mm512_insertf64x4(both, _mm256_castps_pd(exponential(high, powers)), 1));
}

INLINE Floats logistic(Floats x, const double *powers) {
    Floats size = _mm512_abs_ps(x);
    size = either(_mm512_cmp_ps_mask(size, all(104.0f), _CMP_GT_OQ), all(104.0f), size);
    Floats e = exponential_of_all(of_bits(_mm512_xor_si512(bits_of(size), all_bits((int)0x80000000))), powers);
    return either(_mm512_cmp_ps_mask(x, all(0.0f), _CMP_GT_OQ), all(1.0f), e) / (all(1.0f) + e);
}

/* found[i] becomes what `of` makes of the numbers x[i]. */
#define EACH(of)                                                                                              \
    for (size_t i = 0; i + 16 <= count; i += 16) {                                                            \
        Floats numbers = _mm512_loadu_ps(x + i);                                                              \
        _mm512_storeu_ps(found + i, of);                                                                      \
    }                                                                                                         \
    size_t left = count % 16;                                                                                 \
    if (left) {                                                                                               \
        __mmask16 those = (__mmask16)((1u << left) - 1);                                                      \
        Floats numbers = _mm512_maskz_loadu_ps(those, x + count - left);                                      \
        _mm512_mask_storeu_ps(found + count - left, those, of);                                               \
    }

WIDE void wide_tanh(const float *x, float *found, size_t count) {
    EACH(hyperbolic_tangent(numbers))
}

WIDE void wide_sigmoid(const float *x, float *found, size_t count, const double *powers) {
    EACH(logistic(numbers, powers))
}

WIDE void wide_exponentials(const float *x, float *found, size_t count, const double *powers) {
    EACH(exponential_of_all(numbers, powers))
}
