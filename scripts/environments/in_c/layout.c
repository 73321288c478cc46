/* dnnConversionExecute_F32: between CNTK's order of a convolution's numbers and that of Intel's library.

   Mostly the one order is a row of matrices, and the other the same matrices turned: so many channels side by
   side at each place of the picture. What a conversion does is found when it is made, by giving it numbers
   that say where they were; one that does something else is left to Intel's library. */

#include "cntk.h"
#include "layout.h"
#include "turn.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libmklml_intel.so"
/* A float tells so many numbers apart. */
#define MOST ((size_t)1 << 24)
#define GRAIN 65536

typedef struct Turn {
    struct Turn *next;
    const void *conversion;
    size_t count, rows, columns;
} Turn;

static Turn *turns;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Whether all of `found`, which say where the numbers were, are of turned matrices: of which size. */
static bool turned(const float *found, Turn *turn) {
    size_t rows = 0, columns = (size_t)found[1];
    while (rows < turn->count && found[rows] != 1.0f)
        rows++;
    if (rows < 2 || columns < 2 || columns > turn->count || turn->count % (rows * columns))
        return false;
    for (size_t at = 0, group = 0; group < turn->count; group += rows * columns)
        for (size_t j = 0; j < columns; j++)
            for (size_t i = 0; i < rows; i++)
                if (found[at++] != (float)(group + i * columns + j))
                    return false;
    turn->rows = rows;
    turn->columns = columns;
    return true;
}

static void learn(const void *conversion, size_t count, int (*execute)(const void *, void *, void *)) {
    size_t size = (count * sizeof(float) + 63) / 64 * 64;
    float *places = aligned_alloc(64, size), *found = aligned_alloc(64, size);
    Turn *turn = malloc(sizeof *turn);
    if (places && found && turn) {
        *turn = (Turn){.conversion = conversion, .count = count};
        for (size_t i = 0; i < count; i++)
            places[i] = (float)i;
        memset(found, 0, size);
        if (execute(conversion, places, found) == 0 && turned(found, turn)) {
            pthread_mutex_lock(&lock);
            turn->next = turns;
            turns = turn;
            pthread_mutex_unlock(&lock);
            turn = NULL;
        }
    }
    free(turn);
    free(found);
    free(places);
}

/* A copy of what is known of a conversion; rows are 0 where nothing is. */
static Turn known(const void *conversion) {
    Turn found = {.rows = 0};
    pthread_mutex_lock(&lock);
    for (const Turn *turn = turns; turn; turn = turn->next)
        if (turn->conversion == conversion) {
            found = *turn;
            break;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

typedef struct {
    const float *from;
    float *to;
    size_t rows, columns;
} Matrices;

static void some_matrices(void *about, size_t first, size_t last) {
    const Matrices *m = about;
    for (size_t group = first; group < last; group++) {
        size_t before = group * m->rows * m->columns;
        turn(m->from + before, m->rows, m->columns, m->to + before);
    }
}

int dnnConversionExecute_F32(const void *conversion, void *from, void *to) {
    static int (*other)(const void *, void *, void *);
    if (!other)
        *(void **)&other = of_library(LIBRARY, "dnnConversionExecute_F32");
    Turn turn = known(conversion);
    if (!turn.rows)
        return other(conversion, from, to);
    Matrices about = {from, to, turn.rows, turn.columns};
    in_parts(turn.count / (turn.rows * turn.columns), 1 + GRAIN / (turn.rows * turn.columns), some_matrices, &about);
    return 0;
}

int dnnConversionCreate_F32(void **conversion, const void *from, const void *to) {
    static int (*other)(void **, const void *, const void *), (*execute)(const void *, void *, void *);
    static size_t (*bytes)(const void *);
    if (!other) {
        *(void **)&execute = of_library(LIBRARY, "dnnConversionExecute_F32");
        *(void **)&bytes = of_library(LIBRARY, "dnnLayoutGetMemorySize_F32");
        *(void **)&other = of_library(LIBRARY, "dnnConversionCreate_F32");
    }
    int error = other(conversion, from, to);
    size_t size = error ? 0 : bytes(from);
    if (size && size == bytes(to) && size / sizeof(float) <= MOST)
        learn(*conversion, size / sizeof(float), execute);
    return error;
}

void conversion_forget(const void *primitive) {
    pthread_mutex_lock(&lock);
    for (Turn **at = &turns; *at; at = &(*at)->next)
        if ((*at)->conversion == primitive) {
            Turn *gone = *at;
            *at = gone->next;
            free(gone);
            break;
        }
    pthread_mutex_unlock(&lock);
}
