/* Primitives of Intel's library that we compute instead of it, and how they are tried (ADR 10). */

#ifndef CNTK_KERNELS_PRIMITIVES_H
#define CNTK_KERNELS_PRIMITIVES_H

#include <stdbool.h>
#include <stddef.h>

/* What a primitive is given, by Intel's numbers. */
enum {
    FROM,
    TO,
    KERNELS,
    SCALE_AND_SHIFT = 2,
    MEAN,
    GRADIENT_OF_FROM,
    GRADIENT_OF_KERNELS,
    GRADIENT_OF_SCALE_AND_SHIFT = 5,
    VARIANCE,
    GRADIENT_OF_TO,
    RESOURCES = 32
};

/* Numbers of an operand of what is tried. */
#define MOST_TRIED ((size_t)1 << 24)

/* Intel's own functions. */
typedef struct {
    int (*layout)(void **layout, size_t dimensions, const size_t *sizes, const size_t *apart);
    int (*layout_of)(void **layout, const void *primitive, int resource);
    int (*layout_delete)(void *layout);
    size_t (*bytes)(const void *layout);
    int (*conversion)(void **conversion, const void *from, const void *to);
    int (*convert)(const void *conversion, void *from, void *to);
    int (*same)(const void *layout, const void *other);
    int (*execute)(const void *primitive, void **resources);
    int (*remove)(void *primitive);
} Intel;

const Intel *intel(void);

/* Has `compute` do the work of a primitive with what is planned for it, until it is deleted. */
typedef void Compute(void *plan, void **resources);
void primitive_take(const void *primitive, void *plan, Compute *compute, void (*release)(void *plan));

/* What `compute` was given for a primitive; NULL where it does not do its work. */
void *primitive_plan(const void *primitive, Compute *compute);

/* Room for so many floats, at random numbers between -1 and 1; to be freed. */
float *numbers(size_t count);
float *drawn(size_t count, int seed);

/* What a trial of a primitive comes to, or came to. `about`, of so many bytes, says all that this hangs on. */
typedef int Trial(const void *primitive, const void *about);
int verdict(Trial *trial, const void *primitive, const void *about, size_t bytes);

#endif
