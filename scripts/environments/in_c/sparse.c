/* CPUSparseMatrix<float>: a product with compressed columns, and adding a gradient that has few columns or rows. */

#include "cntk.h"

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
        for (int k = p->starts[j] - p->starts[0]; k < p->starts[j + 1] - p->starts[0]; k++) {
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
        size_t id = blocks->block_ids[block] - blocks->block_shift;
        add(alpha, blocks->values + block * count, floats(to) + (columns ? id * to->rows : id), count,
            columns ? 1 : to->rows);
    }
}
