/* cblas_sgemm: matrix products with few columns, such as gradients that go back through a recurrence.

   Intel's library is slow at those whose left factor it has to turn, and it arranges a left factor anew for each
   step of a recurrence. It adds up in this order: the depth is cut, each piece is summed from its first product to
   its last, fused, and the sums are added one after the other. Where it cuts hangs on the shape and, for all we
   know, on the processor. So each shape is tried once, on numbers drawn at random, and left to Intel's library where
   the bits are others. */

#include "products.h"
#include "cntk.h"
#include "primitives.h"

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#define WIDE 16
#define FOR_WIDE __attribute__((target("avx512f")))
/* A tile of the result: so many vectors of its rows by so many columns, whose sums stay in registers. */
#define VECTORS 3
#define TILE_ROWS (VECTORS * WIDE)
#define TILE_COLUMNS 8
/* Rows whose left factors are arranged together, to stay in the second cache. */
#define BLOCK_ROWS (5 * TILE_ROWS)
#define MOST_DEPTH 384 /* of a piece */
/* Fewer rows or columns need an order of their own; with more columns, Intel's library is as fast. */
#define FEWEST 16
#define MOST_COLUMNS 128

enum { COLUMN_MAJOR = 102, AS_IT_IS = 111, TURNED = 112 };

/* How the depth is cut: see `piece`. */
typedef enum { HALVED, STEADY, CUTS } Cut;

typedef struct {
    bool turned;
    size_t rows, depth, apart;
    const float *numbers;
} Left;

typedef struct {
    size_t columns, apart;
    const float *numbers;
} Right;

typedef struct {
    size_t apart;
    float *numbers;
    bool added_to;
} Result;

typedef void Gemm(int order, int turn_left, int turn_right, int rows, int columns, int depth, float scale,
                  const float *left, int left_apart, const float *right, int right_apart, float of_result,
                  float *result, int result_apart);

static Gemm *intels(void) {
    static Gemm *found;
    if (!found)
        *(void **)&found = of_library("libmklml_intel.so", "cblas_sgemm");
    return found;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t up(size_t count) {
    return (count + WIDE - 1) / WIDE * WIDE;
}

/* The depth of the next piece, where `left` of it is left. */
static size_t piece(size_t depth, size_t left, Cut cut) {
    if (cut == HALVED)
        return left >= 2 * MOST_DEPTH ? MOST_DEPTH : left > MOST_DEPTH ? (left + 1) / 2 : left;
    return depth > MOST_DEPTH && depth < 2 * MOST_DEPTH ? least(left, depth / 2) : least(left, MOST_DEPTH);
}

/* One tile: `vectors` and `columns` are known where this is compiled. */
static inline __attribute__((always_inline)) FOR_WIDE void tile(size_t depth, const float *arranged,
                                                                const Right *right, const float *from,
                                                                float *to, size_t apart, bool added_to,
                                                                __mmask16 last, int vectors, int columns) {
    __m512 sum[VECTORS][TILE_COLUMNS];
    for (int v = 0; v < vectors; v++)
        for (int c = 0; c < columns; c++)
            sum[v][c] = _mm512_setzero_ps();
    for (size_t k = 0; k < depth; k++, arranged += vectors * WIDE, from++) {
        __m512 factor[VECTORS];
        for (int v = 0; v < vectors; v++)
            factor[v] = _mm512_load_ps(arranged + v * WIDE);
        for (int c = 0; c < columns; c++) {
            __m512 other = _mm512_set1_ps(from[(size_t)c * right->apart]);
            for (int v = 0; v < vectors; v++)
                sum[v][c] = _mm512_fmadd_ps(factor[v], other, sum[v][c]);
        }
    }
    for (int c = 0; c < columns; c++, to += apart)
        for (int v = 0; v < vectors; v++) {
            __mmask16 rows = v == vectors - 1 ? last : 0xffff;
            if (added_to)
                sum[v][c] = _mm512_add_ps(_mm512_maskz_loadu_ps(rows, to + v * WIDE), sum[v][c]);
            _mm512_mask_storeu_ps(to + v * WIDE, rows, sum[v][c]);
        }
}

#define TILE(vectors, columns)                                                                                \
    case vectors * WIDE + columns:                                                                            \
        tile(depth, arranged, right, from, to, apart, added_to, last, vectors, columns);                      \
        break;
#define TILES(vectors)                                                                                        \
    TILE(vectors, 1)                                                                                          \
    TILE(vectors, 2)                                                                                          \
    TILE(vectors, 3)                                                                                          \
    TILE(vectors, 4)                                                                                          \
    TILE(vectors, 5)                                                                                          \
    TILE(vectors, 6)                                                                                          \
    TILE(vectors, 7)                                                                                          \
    TILE(vectors, 8)

static FOR_WIDE void any_tile(size_t depth, const float *arranged, const Right *right, const float *from,
                              float *to, size_t apart, bool added_to, size_t rows, size_t columns) {
    __mmask16 last = rows % WIDE ? (__mmask16)((1u << rows % WIDE) - 1) : 0xffff;
    switch (up(rows) + columns) {
        TILES(1)
        TILES(2)
        TILES(3)
    }
}

/* Sixteen numbers of each of sixteen rows, or of fewer, as sixteen columns. */
static FOR_WIDE void turn(const float *from, size_t from_apart, float *to, size_t to_apart, size_t rows) {
    __m512 a[WIDE], b[WIDE];
    for (size_t i = 0; i < WIDE; i++)
        a[i] = i < rows ? _mm512_loadu_ps(from + i * from_apart) : _mm512_setzero_ps();
    for (int i = 0; i < WIDE; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < WIDE; i += 4)
        for (int j = 0; j < 2; j++) {
            __m512d one = _mm512_castps_pd(b[i + j]), other = _mm512_castps_pd(b[i + j + 2]);
            a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(one, other));
            a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(one, other));
        }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < WIDE; j += 8) {
            b[i + j] = _mm512_shuffle_f32x4(a[i + j], a[i + j + 4], 0x88);
            b[i + j + 4] = _mm512_shuffle_f32x4(a[i + j], a[i + j + 4], 0xdd);
        }
    for (size_t i = 0; i < 8; i++) {
        _mm512_store_ps(to + i * to_apart, _mm512_shuffle_f32x4(b[i], b[i + 8], 0x88));
        _mm512_store_ps(to + (i + 8) * to_apart, _mm512_shuffle_f32x4(b[i], b[i + 8], 0xdd));
    }
}

/* Some rows of a piece in the order in which tiles read them: those of a tile for each of its depth. */
static FOR_WIDE void arrange(const Left *left, size_t row, size_t rows, size_t start, size_t depth, float *to) {
    size_t by_row = left->turned ? left->apart : 1, by_depth = left->turned ? 1 : left->apart;
    const float *from = left->numbers + row * by_row + start * by_depth;
    for (size_t i = 0; i < rows; i += WIDE, from += WIDE * by_row) {
        size_t tile_rows = up(least(rows - i / TILE_ROWS * TILE_ROWS, TILE_ROWS)), now = least(rows - i, WIDE);
        float *at = to + i / TILE_ROWS * TILE_ROWS * depth + i % TILE_ROWS;
        __mmask16 inside = (__mmask16)((1u << now) - 1);
        size_t k = 0;
        if (left->turned) {
            for (; k + WIDE <= depth; k += WIDE)
                turn(from + k, by_row, at + k * tile_rows, tile_rows, now);
            for (; k < depth; k++)
                for (size_t j = 0; j < WIDE; j++)
                    at[k * tile_rows + j] = j < now ? from[k + j * by_row] : 0.0f;
        } else
            for (; k < depth; k++)
                _mm512_store_ps(at + k * tile_rows, _mm512_maskz_loadu_ps(inside, from + k * by_depth));
    }
}

static FOR_WIDE void multiply_rows(const float *arranged, size_t rows, size_t depth, const Right *right,
                                   const float *from, float *to, size_t apart, bool added_to) {
    size_t tiles = (right->columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
    for (size_t t = 0; t < tiles; t++) {
        /* Tiles of about the same width. */
        size_t column = t * right->columns / tiles, columns = (t + 1) * right->columns / tiles - column;
        for (size_t i = 0; i < rows; i += TILE_ROWS)
            any_tile(depth, arranged + i * depth, right, from + column * right->apart, to + column * apart + i,
                     apart, added_to, least(rows - i, TILE_ROWS), columns);
    }
}

/* `lasting` is the left factor as it was arranged before, or room for that where `to_arrange`; or NULL. */
static FOR_WIDE void multiply(const Left *left, const Right *right, const Result *result, Cut cut, float *lasting,
                              bool to_arrange) {
    static __thread float *block;
    if (!lasting && !block)
        block = numbers(BLOCK_ROWS * MOST_DEPTH);
    for (size_t k = 0, depth; k < left->depth; k += depth) {
        depth = piece(left->depth, left->depth - k, cut);
        for (size_t i = 0; i < left->rows; i += BLOCK_ROWS) {
            size_t rows = least(left->rows - i, BLOCK_ROWS);
            float *arranged = lasting ? lasting + k * up(left->rows) + i * depth : block;
            if (to_arrange || !lasting)
                arrange(left, i, rows, k, depth, arranged);
            multiply_rows(arranged, rows, depth, right, right->numbers + k, result->numbers + i, result->apart,
                          result->added_to || k > 0);
        }
    }
}

typedef struct {
    size_t turned, rows, depth;
} Tried;

/* How Intel's library cuts the depth of such products; -1 where in no way that is known. */
static int tried(const void *unused, const void *about) {
    const Tried *of = about;
    size_t columns = 3 * FEWEST, results = of->rows * columns;
    float *a = drawn(of->rows * of->depth, 1), *b = drawn(of->depth * columns, 2);
    float *theirs = drawn(results, 3), *ours = numbers(results), *before = drawn(results, 3);
    Left left = {of->turned, of->rows, of->depth, of->turned ? of->depth : of->rows, a};
    Right right = {columns, of->depth, b};
    Result result = {of->rows, ours, true};
    intels()(COLUMN_MAJOR, of->turned ? TURNED : AS_IT_IS, AS_IT_IS, (int)of->rows, (int)columns, (int)of->depth,
             1, a, (int)left.apart, b, (int)of->depth, 1, theirs, (int)of->rows);
    int found = -1;
    for (int cut = 0; found < 0 && cut < CUTS; cut++) {
        memcpy(ours, before, results * sizeof *ours);
        multiply(&left, &right, &result, (Cut)cut, NULL, false);
        if (memcmp(ours, theirs, results * sizeof *ours) == 0)
            found = cut;
    }
    (void)unused;
    free(a);
    free(b);
    free(theirs);
    free(ours);
    free(before);
    return found;
}

static __thread Factors *in_use;

void factors_use(Factors *factors) {
    factors->outer = in_use;
    in_use = factors;
}

void factors_leave(Factors *factors) {
    if (in_use == factors)
        in_use = factors->outer;
    for (Lasting *one = factors->lasting; one < factors->lasting + factors->count; one++)
        free(one->arranged);
    factors->count = 0;
}

/* That of the factors in use; NULL where it is none of them, or was arranged for another kind of product. */
static Lasting *lasting_of(const Left *left) {
    for (size_t i = 0; in_use && i < in_use->count; i++) {
        Lasting *one = &in_use->lasting[i];
        if (one->numbers != left->numbers)
            continue;
        bool fits = one->rows == left->rows && one->depth == left->depth && one->apart == left->apart &&
                    one->turned == left->turned;
        return !one->arranged || fits ? one : NULL;
    }
    return NULL;
}

static bool one_thread(void) {
    static int (*most)(void);
    if (!most)
        *(void **)&most = of_openmp("omp_get_max_threads");
    return most() == 1;
}

/* Whether the product is one of ours, and how it is to be cut. */
static bool is_ours(const Left *left, const Right *right, const Lasting *lasting, Cut *cut) {
    if (!(left->turned || lasting) || left->rows < FEWEST || left->depth < 2 ||
        right->columns < FEWEST || right->columns > MOST_COLUMNS ||
        left->rows * left->depth > MOST_TRIED || !__builtin_cpu_supports("avx512f") || !one_thread())
        return false;
    Tried about = {left->turned, left->rows, left->depth};
    int found = verdict(tried, NULL, &about, sizeof about);
    *cut = (Cut)found;
    return found >= 0;
}

void cblas_sgemm(int order, int turn_left, int turn_right, int rows, int columns, int depth, float scale,
                 const float *left_numbers, int left_apart, const float *right_numbers, int right_apart,
                 float of_result, float *result_numbers, int result_apart) {
    if (order == COLUMN_MAJOR && turn_right == AS_IT_IS && scale == 1 && (of_result == 0 || of_result == 1) &&
        rows > 0 && columns > 0 && depth > 0) {
        Left left = {turn_left == TURNED, (size_t)rows, (size_t)depth, (size_t)left_apart, left_numbers};
        Right right = {(size_t)columns, (size_t)right_apart, right_numbers};
        Result result = {(size_t)result_apart, result_numbers, of_result == 1};
        Lasting *lasting = lasting_of(&left);
        Cut cut;
        if (is_ours(&left, &right, lasting, &cut)) {
            bool to_arrange = lasting && !lasting->arranged;
            if (to_arrange)
                *lasting = (Lasting){left_numbers, numbers(up(left.rows) * left.depth), left.rows, left.depth,
                                     left.apart, left.turned};
            multiply(&left, &right, &result, cut, lasting ? lasting->arranged : NULL, to_arrange);
            return;
        }
    }
    intels()(order, turn_left, turn_right, rows, columns, depth, scale, left_numbers, left_apart, right_numbers,
             right_apart, of_result, result_numbers, result_apart);
}
