/* Numbers by their bits, for code without branches. */

#ifndef CNTK_KERNELS_BITS_H
#define CNTK_KERNELS_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Without it nothing is inlined into the versions for better processors. */
#define INLINE static inline __attribute__((always_inline))

/* bits_of and of_bits of a kind of numbers, and either: a choice of two that both are computed, as a compiler makes
   branches of others. */
#define NUMBERS(Number, Bits)                                                                                 \
    INLINE Bits bits_of(Number x) {                                                                           \
        Bits bits;                                                                                            \
        memcpy(&bits, &x, sizeof bits);                                                                       \
        return bits;                                                                                          \
    }                                                                                                         \
    INLINE Number of_bits(Bits bits) {                                                                        \
        Number x;                                                                                             \
        memcpy(&x, &bits, sizeof x);                                                                          \
        return x;                                                                                             \
    }                                                                                                         \
    INLINE Number either(bool first, Number x, Number y) {                                                    \
        Bits mask = -(Bits)first;                                                                             \
        return of_bits((bits_of(x) & mask) | (bits_of(y) & ~mask));                                           \
    }

#endif
