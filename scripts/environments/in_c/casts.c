/* __dynamic_cast: which part of an object is of a class. CNTK asks some four hundred times in a step, of the same few
   classes; C++'s library goes through the classes' bases each time and compares their names.

   Where the part lies depends on the object's table of methods alone, which says what the whole object is and which
   part of it is asked. What was found is kept for good: tables of libraries that stay loaded stay where they are. */

#include "cntk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define PLACES 2048
#define PROBES 4
#define NOWHERE PTRDIFF_MIN

/* Written once, its methods last: a place that has some can be read without a lock. */
typedef struct {
    _Atomic(const void *) methods;
    const void *from, *to;
    ptrdiff_t offset; /* of the part from what was asked; NOWHERE where there is none */
} Cast;

static Cast casts[PLACES + PROBES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static inline Cast *place_of(const void *methods, const void *to) {
    uint64_t mixed = ((uintptr_t)methods ^ (uintptr_t)to << 7) * 0x9e3779b97f4a7c15u;
    return casts + mixed / (UINT64_MAX / PLACES + 1);
}

static inline bool is(const Cast *cast, const void *methods, const void *from, const void *to) {
    return atomic_load_explicit(&cast->methods, memory_order_acquire) == methods && cast->to == to &&
           cast->from == from;
}

static inline void *part_of(const void *object, const Cast *cast) {
    return cast->offset == NOWHERE ? NULL : (char *)object + cast->offset;
}

static void *asked(const void *object, const void *from, const void *to, ptrdiff_t hint) {
    static void *(*other)(const void *, const void *, const void *, ptrdiff_t);
    if (!other)
        *(void **)&other = of_library("libstdc++.so.6", "__dynamic_cast");
    return other(object, from, to, hint);
}

/* Where it is not at its first place: at one behind that, or not known yet. */
__attribute__((noinline)) static void *searched(const void *object, const void *from, const void *to, ptrdiff_t hint) {
    const void *methods = *(const void *const *)object;
    Cast *first = place_of(methods, to);
    for (Cast *cast = first + 1; cast < first + PROBES; cast++)
        if (is(cast, methods, from, to))
            return part_of(object, cast);
    void *part = asked(object, from, to, hint);
    if (pthread_mutex_trylock(&lock))
        return part;
    for (Cast *cast = first; cast < first + PROBES; cast++)
        if (!atomic_load_explicit(&cast->methods, memory_order_relaxed)) {
            cast->from = from;
            cast->to = to;
            cast->offset = part ? (char *)part - (const char *)object : NOWHERE;
            atomic_store_explicit(&cast->methods, methods, memory_order_release);
            break;
        }
    pthread_mutex_unlock(&lock);
    return part;
}

void *__dynamic_cast(const void *object, const void *from, const void *to, ptrdiff_t hint);

void *__dynamic_cast(const void *object, const void *from, const void *to, ptrdiff_t hint) {
    const void *methods = *(const void *const *)object;
    const Cast *cast = place_of(methods, to);
    return is(cast, methods, from, to) ? part_of(object, cast) : searched(object, from, to, hint);
}
