/* GOMP_parallel: with one thread, CNTK's loops need no team. To make one of a single thread takes Intel's OpenMP
   longer than many of these loops. */

#include "cntk.h"

void GOMP_parallel(void (*work)(void *), void *about, unsigned threads, unsigned flags) {
    static int (*most)(void), (*inside)(void);
    static void (*other)(void (*)(void *), void *, unsigned, unsigned);
    if (!other) {
        *(void **)&most = of_openmp("omp_get_max_threads");
        *(void **)&inside = of_openmp("omp_in_parallel");
        *(void **)&other = of_openmp("GOMP_parallel");
    }
    if (threads < 2 && most() == 1 && !inside())
        work(about);
    else
        other(work, about, threads, flags);
}
