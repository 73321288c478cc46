#include "turn.h"

typedef float Row __attribute__((vector_size(4 * TILE), aligned(4), may_alias));
typedef int Places __attribute__((vector_size(4 * TILE)));

/* Rows and columns exchange one bit of their numbers after the other. */
__attribute__((target("avx512f"))) void turn_tile(const float *from, size_t columns, float *to, size_t rows) {
    Row tile[TILE], next[TILE];
    for (int i = 0; i < TILE; i++)
        tile[i] = *(const Row *)(from + i * columns);
#pragma GCC unroll 4
    for (int bit = 1; bit < TILE; bit *= 2) {
        Places low, high;
#pragma GCC unroll 16
        for (int k = 0; k < TILE; k++) {
            low[k] = k & bit ? TILE + k - bit : k;
            high[k] = k & bit ? TILE + k : k + bit;
        }
#pragma GCC unroll 16
        for (int i = 0; i < TILE; i++)
            if (!(i & bit)) {
                next[i] = __builtin_shuffle(tile[i], tile[i + bit], low);
                next[i + bit] = __builtin_shuffle(tile[i], tile[i + bit], high);
            }
#pragma GCC unroll 16
        for (int i = 0; i < TILE; i++)
            tile[i] = next[i];
    }
    for (int i = 0; i < TILE; i++)
        *(Row *)(to + i * rows) = tile[i];
}
