#include "turn.h"

#include <immintrin.h>
#include <stdbool.h>

/* Four numbers of each of the rows i, i + 4, i + 8 and i + 12. */
#define FOUR(i)                                                                                               \
    _mm512_mask_broadcast_f32x4(                                                                              \
        _mm512_mask_broadcast_f32x4(                                                                          \
            _mm512_mask_broadcast_f32x4(_mm512_castps128_ps512(_mm_loadu_ps(at + (i)*columns)), 0x00f0,       \
                                        _mm_loadu_ps(at + ((i) + 4) * columns)),                              \
            0x0f00, _mm_loadu_ps(at + ((i) + 8) * columns)),                                                  \
        0xf000, _mm_loadu_ps(at + ((i) + 12) * columns))

/* Four columns at a time: the processor puts four rows' parts side by side as it loads them. */
__attribute__((target("avx512f"))) void turn_tile(const float *from, size_t columns, float *to, size_t rows) {
    for (int column = 0; column < TILE; column += 4) {
        const float *at = from + column;
        __m512 a = FOUR(0), b = FOUR(1), c = FOUR(2), d = FOUR(3);
        __m512d ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b)), cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
        __m512d ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        __m512d cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
        float *result = to + column * rows;
        _mm512_storeu_ps(result, _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)));
        _mm512_storeu_ps(result + rows, _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
        _mm512_storeu_ps(result + 2 * rows, _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high)));
        _mm512_storeu_ps(result + 3 * rows, _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high)));
    }
}

static void turn_below(const float *from, size_t rows, size_t columns, float *to, size_t first_row) {
    for (size_t j = 0; j < columns; j++)
        for (size_t i = first_row; i < rows; i++)
            to[j * rows + i] = from[i * columns + j];
}

void turn(const float *from, size_t rows, size_t columns, float *to) {
    bool wide = __builtin_cpu_supports("avx512f");
    size_t whole_rows = wide ? rows / TILE * TILE : 0, whole_columns = columns / TILE * TILE;
    for (size_t i = 0; i < whole_rows; i += TILE) {
        for (size_t j = 0; j < whole_columns; j += TILE)
            turn_tile(from + i * columns + j, columns, to + j * rows + i, rows);
        for (size_t j = whole_columns; j < columns; j++)
            for (size_t k = i; k < i + TILE; k++)
                to[j * rows + k] = from[k * columns + j];
    }
    turn_below(from, rows, columns, to, whole_rows);
}
