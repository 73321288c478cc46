#include "turn.h"

#include <stdbool.h>

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
