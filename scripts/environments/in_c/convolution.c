/* dnnConvolutionCreate…_F32 and dnnLayoutCreateFromPrimitive_F32: convolutions that need not turn
   pictures into the order of Intel's library and back.

   In which order that library adds up differs by the shape and by the processor. So each shape is tried once, on
   numbers drawn at random: where one of our orders gives the same bits it is used, else Intel's code. Of a
   primitive that we compute, the layouts are CNTK's own; it then converts nothing. */

#include "convolution.h"
#include "cntk.h"
#include "primitives.h"

#include <stdlib.h>
#include <string.h>

typedef enum { FORWARD, BACKWARD_DATA, BACKWARD_KERNELS } Direction;

/* All that a verdict hangs on. */
typedef struct {
    Shape shape;
    size_t direction;
} Wanted;

/* What we compute. */
typedef struct {
    Wanted wanted;
    Sums *sums;
    Kernels *kernels;
} Plan;

/* Which numbers it takes and gives. */
typedef struct {
    int a, b, result;
} Operands;

static const Operands operands[] = {
    [FORWARD] = {FROM, KERNELS, TO},
    [BACKWARD_DATA] = {GRADIENT_OF_TO, KERNELS, GRADIENT_OF_FROM},
    [BACKWARD_KERNELS] = {FROM, GRADIENT_OF_TO, GRADIENT_OF_KERNELS},
};

/* Our ways of one direction, by number; false behind the last. The plan is empty where a way is not worthwhile. */
static bool way(Plan *plan, int number) {
    Shape *shape = &plan->wanted.shape;
    plan->sums = NULL;
    plan->kernels = NULL;
    switch (plan->wanted.direction) {
    case FORWARD:
        plan->sums = number == 0 ? sums_plan(shape, false, BLOCKED) : NULL;
        return number < 1;
    case BACKWARD_DATA:
        plan->sums = number < 2 ? sums_plan(shape, true, number == 0 ? BLOCKED : BACKWARD) : NULL;
        return number < 2;
    default:
        plan->kernels = number == 0 ? kernels_plan(shape) : NULL;
        return number < 1;
    }
}

static bool is_empty(const Plan *plan) {
    return !plan->sums && !plan->kernels;
}

static void empty(Plan *plan) {
    sums_free(plan->sums);
    kernels_free(plan->kernels);
}

static void compute(void *plan_, void **resources) {
    const Plan *plan = plan_;
    Operands of = operands[plan->wanted.direction];
    if (plan->sums)
        sums_compute(plan->sums, resources[of.a], resources[of.b], resources[of.result]);
    else
        kernels_compute(plan->kernels, resources[of.a], resources[of.b], resources[of.result]);
}

static void release(void *plan) {
    empty(plan);
    free(plan);
}

/* CNTK's layout of an operand. */
static int plain(void **layout, const Shape *shape, int resource) {
    size_t sizes[4] = {shape->kernel_width, shape->kernel_height, shape->from.channels, shape->to.channels};
    if (resource != KERNELS && resource != GRADIENT_OF_KERNELS) {
        const Pictures *p = resource == FROM || resource == GRADIENT_OF_FROM ? &shape->from : &shape->to;
        memcpy(sizes, (size_t[4]){p->width, p->height, p->channels, shape->images}, sizeof sizes);
    }
    size_t apart[4] = {1, sizes[0], sizes[0] * sizes[1], sizes[0] * sizes[1] * sizes[2]};
    return intel()->layout(layout, 4, sizes, apart);
}

/* What is given, as the primitive wants it, or back again. */
static float *converted(const void *primitive, const Shape *shape, int resource, float *given, bool back) {
    void *ours, *theirs, *conversion;
    plain(&ours, shape, resource);
    intel()->layout_of(&theirs, primitive, resource);
    size_t bytes = intel()->bytes(back ? ours : theirs);
    float *result = numbers(bytes / sizeof *result);
    if (intel()->same(ours, theirs))
        memcpy(result, given, bytes);
    else {
        intel()->conversion(&conversion, back ? theirs : ours, back ? ours : theirs);
        intel()->convert(conversion, given, result);
        intel()->remove(conversion);
    }
    intel()->layout_delete(ours);
    intel()->layout_delete(theirs);
    return result;
}

static size_t count_of(const Shape *shape, int resource) {
    void *layout;
    plain(&layout, shape, resource);
    size_t bytes = intel()->bytes(layout);
    intel()->layout_delete(layout);
    return bytes / sizeof(float);
}

/* Which of our ways gives the bits of Intel's; -1 for none. */
static int tried(const void *primitive, const void *wanted) {
    Plan plan = {.wanted = *(const Wanted *)wanted};
    const Shape *shape = &plan.wanted.shape;
    Operands of = operands[plan.wanted.direction];
    void *theirs[RESOURCES] = {0}, *ours[RESOURCES] = {0};
    int found = -1, used[] = {of.a, of.b, of.result};
    for (int i = 0; i < 3; i++) {
        ours[used[i]] = drawn(count_of(shape, used[i]), used[i]);
        theirs[used[i]] = converted(primitive, shape, used[i], ours[used[i]], false);
    }
    if (intel()->execute(primitive, theirs) == 0) {
        float *result = converted(primitive, shape, of.result, theirs[of.result], true);
        for (int number = 0; found < 0 && way(&plan, number); number++) {
            if (is_empty(&plan))
                continue;
            compute(&plan, ours);
            if (memcmp(result, ours[of.result], count_of(shape, of.result) * sizeof *result) == 0)
                found = number;
            empty(&plan);
        }
        free(result);
    }
    for (int i = 0; i < 3; i++) {
        free(ours[used[i]]);
        free(theirs[used[i]]);
    }
    return found;
}

/* Whether any of our ways may serve. */
static bool in_question(Plan *plan) {
    const Shape *s = &plan->wanted.shape;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        s->images * s->from.width * s->from.height * s->from.channels > MOST_TRIED ||
        s->images * s->to.width * s->to.height * s->to.channels > MOST_TRIED)
        return false;
    for (int number = 0; way(plan, number); number++)
        if (!is_empty(plan)) {
            empty(plan);
            return true;
        }
    return false;
}

static Pictures pictures(const size_t *sizes) {
    return (Pictures){sizes[0], sizes[1], sizes[2]};
}

#define ARGUMENTS                                                                                             \
    void **primitive, void *attributes, int algorithm, size_t dimensions, const size_t *from, const size_t *to, \
        const size_t *kernel, const size_t *steps, const int *offsets, int border
#define ARGUMENTS_PASSED primitive, attributes, algorithm, dimensions, from, to, kernel, steps, offsets, border

static int created(Direction direction, const char *name, ARGUMENTS) {
    int (*create)(ARGUMENTS);
    *(void **)&create = of_library("libmklml_intel.so", name);
    int error = create(ARGUMENTS_PASSED);
    if (error || dimensions != 4 || steps[0] != 1 || steps[1] != 1 || border != 0)
        return error;
    Plan plan = {.wanted = {.direction = direction,
                            .shape = {pictures(from), pictures(to), from[3], kernel[0], kernel[1], offsets[0],
                                      offsets[1]}}};
    int number = in_question(&plan) ? verdict(tried, *primitive, &plan.wanted, sizeof plan.wanted) : -1;
    if (number < 0)
        return error;
    way(&plan, number);
    Plan *kept = malloc(sizeof *kept);
    if (!kept)
        abort();
    *kept = plan;
    primitive_take(*primitive, kept, compute, release);
    return error;
}

#define CREATE(name, direction)                                                                               \
    int name(ARGUMENTS) {                                                                                     \
        return created(direction, #name, ARGUMENTS_PASSED);                                                   \
    }

CREATE(dnnConvolutionCreateForward_F32, FORWARD)
CREATE(dnnConvolutionCreateBackwardData_F32, BACKWARD_DATA)
CREATE(dnnConvolutionCreateBackwardFilter_F32, BACKWARD_KERNELS)

int dnnLayoutCreateFromPrimitive_F32(void **layout, const void *primitive, int resource) {
    const Plan *plan = primitive_plan(primitive, compute);
    return plan ? plain(layout, &plan->wanted.shape, resource) : intel()->layout_of(layout, primitive, resource);
}
