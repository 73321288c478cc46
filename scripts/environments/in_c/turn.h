/* Matrices turned: rows become columns. */

#ifndef CNTK_KERNELS_TURN_H
#define CNTK_KERNELS_TURN_H

#include <stddef.h>

#define TILE 16

/* Turns a matrix whose rows lie one behind the other. */
void turn(const float *from, size_t rows, size_t columns, float *to);

/* Turns TILE by TILE numbers, where the processor has AVX-512. Those of a row of `from` lie side by side, its rows
   `columns` apart; the rows of `to` lie `rows` apart. */
void turn_tile(const float *from, size_t columns, float *to, size_t rows);

#endif
