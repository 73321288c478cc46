/* CPUSparseMatrix<float>: a product with compressed columns, the gradient of one, which has few columns, and
   adding it. */

#include "cntk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Its storage, as far as it is used here. */
typedef struct {
    char unused[0x10];
    int format;
    char unused2[0x24];
    float *values;
    char unused3[8];
    size_t blocks;
    char unused4[0x38];
    int *rows;   /* of each value */
    int *starts; /* of each column among the values */
    size_t *block_ids;
    size_t block_shift;
} Sparse;

_Static_assert(offsetof(Sparse, values) == 0x38 && offsetof(Sparse, blocks) == 0x48, "as CNTK 2.7 has it");
_Static_assert(offsetof(Sparse, rows) == 0x88 && offsetof(Sparse, block_shift) == 0xa0, "as CNTK 2.7 has it");

enum { COMPRESSED_COLUMNS = 6, BLOCKS_OF_COLUMNS = 8, BLOCKS_OF_ROWS = 9 };

#define GRAIN 32768

/* So many columns of a large matrix are asked for before they are needed. */
#define AHEAD 2

static inline void prefetch(const float *column, size_t count) {
    for (size_t i = 0; i < count; i += 16)
        __builtin_prefetch(column + i);
}

static const Sparse *sparse(const Matrix *matrix) {
    return (const Sparse *)matrix->storage;
}

typedef struct {
    const float *left;
    const int *rows, *starts;
    const float *values;
    float *to;
    size_t height;
    float alpha;
} Product;

FOR_EACH_PROCESSOR
static void some_columns(void *about, size_t first, size_t last) {
    const Product *p = about;
    for (size_t j = first; j < last; j++) {
        float *restrict to = p->to + j * p->height;
        int end = p->starts[j + 1] - p->starts[0];
        for (int k = p->starts[j] - p->starts[0]; k < end; k++) {
            if (k + AHEAD < end)
                prefetch(p->left + (size_t)p->rows[k + AHEAD] * p->height, p->height);
            const float *restrict column = p->left + (size_t)p->rows[k] * p->height;
            float value = p->values[k];
            for (size_t i = 0; i < p->height; i++)
                to[i] += column[i] * p->alpha * value;
        }
    }
}

#define PRODUCT "_ZN9Microsoft3MSR4CNTK15CPUSparseMatrixIfE22MultiplyAndWeightedAddEfRKNS1_9CPUMatrixIfEEbRKS3_bfRS5_"

void product(float alpha, const Matrix *left, bool turn_left, const Matrix *right, bool turn_right, float beta,
             Matrix *to) __asm__(PRODUCT);

void product(float alpha, const Matrix *left, bool turn_left, const Matrix *right, bool turn_right, float beta,
             Matrix *to) {
    const Sparse *factor = sparse(right);
    if (turn_left || turn_right || factor->format != COMPRESSED_COLUMNS || (beta != 0.0f && beta != 1.0f) ||
        left->columns != right->rows || to->rows != left->rows || to->columns != right->columns || !left->rows ||
        !left->columns || !right->columns) {
        static void (*other)(float, const Matrix *, bool, const Matrix *, bool, float, Matrix *);
        if (!other)
            *(void **)&other = original(PRODUCT);
        other(alpha, left, turn_left, right, turn_right, beta, to);
        return;
    }
    const int *starts = factor->starts + right->first;
    Product p = {floats(left), factor->rows + starts[0], starts, factor->values + starts[0], floats(to),
                 left->rows,   alpha};
    if (beta == 0.0f)
        memset(p.to, 0, to->rows * to->columns * sizeof(float));
    size_t all = (size_t)(starts[right->columns] - starts[0]) * left->rows;
    in_parts(right->columns, 1 + GRAIN * right->columns / (all ? all : 1), some_columns, &p);
}

FOR_EACH_PROCESSOR
static void add(float alpha, const float *restrict from, float *restrict to, size_t count, size_t step) {
    if (step == 1)
        for (size_t i = 0; i < count; i++)
            to[i] += from[i] * alpha;
    else
        for (size_t i = 0; i < count; i++)
            to[i * step] += from[i] * alpha;
}

#define ADDITION "_ZN9Microsoft3MSR4CNTK15CPUSparseMatrixIfE11ScaleAndAddEfRKS3_RNS1_9CPUMatrixIfEE"

void addition(float alpha, const Matrix *from, Matrix *to) __asm__(ADDITION);

void addition(float alpha, const Matrix *from, Matrix *to) {
    const Sparse *blocks = sparse(from);
    if ((blocks->format != BLOCKS_OF_COLUMNS && blocks->format != BLOCKS_OF_ROWS) || from->rows != to->rows ||
        from->columns != to->columns || !from->rows || !from->columns) {
        static void (*other)(float, const Matrix *, Matrix *);
        if (!other)
            *(void **)&other = original(ADDITION);
        other(alpha, from, to);
        return;
    }
    bool columns = blocks->format == BLOCKS_OF_COLUMNS;
    size_t count = columns ? from->rows : from->columns;
    for (size_t block = 0; block < blocks->blocks; block++) {
        if (columns && block + AHEAD < blocks->blocks)
            prefetch(floats(to) + (blocks->block_ids[block + AHEAD] - blocks->block_shift) * count, count);
        size_t id = blocks->block_ids[block] - blocks->block_shift;
        add(alpha, blocks->values + block * count, floats(to) + (columns ? id * to->rows : id), count,
            columns ? 1 : to->rows);
    }
}

/* Where the gradient of each column lies among the blocks: a table that is looked up by the column. */
typedef struct {
    size_t mask;
    struct {
        size_t column, block; /* block 0 is written 1: a free place has 0 */
    } places[];
} Table;

static Table *table_for(size_t columns) {
    size_t size = 16;
    while (size < 2 * columns)
        size *= 2;
    Table *table = calloc(1, sizeof(Table) + size * sizeof table->places[0]);
    if (table)
        table->mask = size - 1;
    return table;
}

/* The block of a column, which is `next` where it has none yet. */
static size_t block_of(Table *table, size_t column, size_t next) {
    size_t place = (column * UINT64_C(0x9E3779B97F4A7C15)) >> 32 & table->mask;
    while (table->places[place].block && table->places[place].column != column)
        place = (place + 1) & table->mask;
    if (!table->places[place].block) {
        table->places[place].column = column;
        table->places[place].block = next + 1;
    }
    return table->places[place].block - 1;
}

/* New blocks begin with a sum of zero and the first product, as CNTK's do. */
FOR_EACH_PROCESSOR
static void gather(float *restrict to, const float *restrict from, float alpha, float value, size_t count, bool new) {
    if (new)
        for (size_t i = 0; i < count; i++)
            to[i] = 0.0f + alpha * from[i] * value;
    else
        for (size_t i = 0; i < count; i++)
            to[i] += alpha * from[i] * value;
}

#define GRADIENT "_ZN9Microsoft3MSR4CNTK15CPUSparseMatrixIfE14MultiplyAndAddEfRKNS1_9CPUMatrixIfEEbRKS3_bRS3_"
#define ROOM "_ZN9Microsoft3MSR4CNTK15CPUSparseMatrixIfE22RequireSizeAndAllocateEmmmbb"

void gradient(float alpha, const Matrix *left, bool turn_left, const Matrix *right, bool turn_right, Matrix *to)
    __asm__(GRADIENT);

void gradient(float alpha, const Matrix *left, bool turn_left, const Matrix *right, bool turn_right, Matrix *to) {
    const Sparse *factor = sparse(right);
    Sparse *blocks = (Sparse *)to->storage;
    Table *table = NULL;
    if (!turn_left && turn_right && factor->format == COMPRESSED_COLUMNS && blocks->format == BLOCKS_OF_COLUMNS &&
        right->first == 0 && factor->starts[0] == 0 && left->columns == right->columns && left->rows && left->columns &&
        blocks->block_shift == 0)
        table = table_for(blocks->blocks + factor->starts[right->columns]);
    if (!table) {
        static void (*other)(float, const Matrix *, bool, const Matrix *, bool, Matrix *);
        if (!other)
            *(void **)&other = original(GRADIENT);
        other(alpha, left, turn_left, right, turn_right, to);
        return;
    }
    static void (*make_room)(Matrix *, size_t, size_t, size_t, bool, bool);
    if (!make_room)
        *(void **)&make_room = original(ROOM);
    size_t height = left->rows, before = blocks->blocks, after = before, count = factor->starts[right->columns];
    if (before == 0)
        make_room(to, height, right->rows, 0, true, false);
    for (size_t block = 0; block < before; block++)
        block_of(table, blocks->block_ids[block], block);
    for (size_t k = 0; k < count; k++)
        if (block_of(table, factor->rows[k], after) == after)
            blocks->block_ids[after++] = factor->rows[k];
    if (after > before) {
        make_room(to, height, right->rows, height * after, true, true);
        blocks->blocks = after;
    }
    /* Blocks were numbered in this order, so the next one that was not seen yet is new. */
    size_t seen = before;
    for (size_t j = 0; j < right->columns; j++)
        for (int k = factor->starts[j]; k < factor->starts[j + 1]; k++) {
            size_t block = block_of(table, factor->rows[k], 0);
            gather(blocks->values + block * height, floats(left) + j * height, alpha, factor->values[k], height,
                   block == seen);
            seen += block == seen;
        }
    free(table);
}
