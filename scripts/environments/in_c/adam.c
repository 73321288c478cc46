/* CPUMatrix<float>::Adam: CNTK takes one number at a time, with a square root and a division each. */

#include "cntk.h"

#include <math.h>

#define GRAIN 16384

typedef struct {
    const float *gradient;
    float *square, *momentum, *value;
    float rate, keep, square_keep, correction, epsilon, gain;
} Step;

FOR_EACH_PROCESSOR
static void step(void *about, size_t first, size_t last) {
    const Step s = *(const Step *)about;
    const float *restrict gradient = s.gradient;
    float *restrict square = s.square, *restrict momentum = s.momentum, *restrict value = s.value;
    for (size_t i = first; i < last; i++) {
        float g = gradient[i];
        float v = s.square_keep * square[i] + (1.0f - s.square_keep) * g * g;
        float m = s.keep * momentum[i] + s.gain * g;
        float scale = 1.0f / (sqrtf(v) + s.epsilon) * s.correction;
        square[i] = v;
        momentum[i] = m;
        value[i] -= m * scale * s.rate;
    }
}

#define NAME _ZN9Microsoft3MSR4CNTK9CPUMatrixIfE4AdamERS3_S4_ffffffb

void NAME(Matrix *state, Matrix *gradient, Matrix *value, float rate, float keep, float square_keep,
          float correction, float epsilon, float gain, bool adamax) {
    size_t count = gradient->rows * gradient->columns;
    if (adamax || state->rows != gradient->rows || state->columns != 2 * gradient->columns) {
        /* The first step of all makes room for the state. */
        static void (*first)(Matrix *, Matrix *, Matrix *, float, float, float, float, float, float, bool);
        if (!first)
            *(void **)&first = original("_ZN9Microsoft3MSR4CNTK9CPUMatrixIfE4AdamERS3_S4_ffffffb");
        first(state, gradient, value, rate, keep, square_keep, correction, epsilon, gain, adamax);
        return;
    }
    Step about = {floats(gradient), floats(state), floats(state) + count, floats(value),
                  rate,             keep,          square_keep,           correction,
                  epsilon,          gain};
    in_parts(count, GRAIN, step, &about);
}
