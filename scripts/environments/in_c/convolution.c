/* dnnConvolutionCreate…_F32, dnnLayoutCreateFromPrimitive_F32 and dnnExecute_F32: convolutions that need not turn
   pictures into the order of Intel's library and back.

   In which order that library adds up differs by the shape and by the processor. So each shape is tried once, on
   numbers drawn at random: where one of our orders gives the same bits it is used, else Intel's code. Of a
   primitive that we compute, the layouts are CNTK's own; it then converts nothing. */

#include "convolution.h"
#include "cntk.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libmklml_intel.so"
/* Numbers of the pictures that are tried. */
#define MOST ((size_t)1 << 24)

typedef enum { FORWARD, BACKWARD_DATA, BACKWARD_KERNELS } Direction;

/* Intel's numbers of what is given to a primitive. */
enum { FROM, TO, KERNELS, GRADIENT_OF_FROM = 4, GRADIENT_OF_KERNELS, GRADIENT_OF_TO = 7, RESOURCES = 32 };

#define ARGUMENTS                                                                                             \
    void **primitive, void *attributes, int algorithm, size_t dimensions, const size_t *from, const size_t *to, \
        const size_t *kernel, const size_t *steps, const int *offsets, int border
#define ARGUMENTS_PASSED primitive, attributes, algorithm, dimensions, from, to, kernel, steps, offsets, border

static struct {
    int (*layout)(void **, size_t, const size_t *, const size_t *);
    int (*layout_of)(void **, const void *, int);
    int (*layout_delete)(void *);
    size_t (*bytes)(const void *);
    int (*conversion)(void **, const void *, const void *);
    int (*convert)(const void *, void *, void *);
    int (*same)(const void *, const void *);
    int (*execute)(const void *, void **);
    int (*remove)(void *);
} intel;

static void find_intel(void) {
    *(void **)&intel.layout = of_library(LIBRARY, "dnnLayoutCreate_F32");
    *(void **)&intel.layout_of = of_library(LIBRARY, "dnnLayoutCreateFromPrimitive_F32");
    *(void **)&intel.layout_delete = of_library(LIBRARY, "dnnLayoutDelete_F32");
    *(void **)&intel.bytes = of_library(LIBRARY, "dnnLayoutGetMemorySize_F32");
    *(void **)&intel.conversion = of_library(LIBRARY, "dnnConversionCreate_F32");
    *(void **)&intel.convert = of_library(LIBRARY, "dnnConversionExecute_F32");
    *(void **)&intel.same = of_library(LIBRARY, "dnnLayoutCompare_F32");
    *(void **)&intel.execute = of_library(LIBRARY, "dnnExecute_F32");
    *(void **)&intel.remove = of_library(LIBRARY, "dnnDelete_F32");
}

/* What we compute, and which numbers it takes and gives. */
typedef struct {
    Shape shape;
    Direction direction;
    Sums *sums;
    Kernels *kernels;
} Plan;

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
    Shape *shape = &plan->shape;
    plan->sums = NULL;
    plan->kernels = NULL;
    switch (plan->direction) {
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

static void compute(const Plan *plan, void **resources) {
    Operands of = operands[plan->direction];
    if (plan->sums)
        sums_compute(plan->sums, resources[of.a], resources[of.b], resources[of.result]);
    else
        kernels_compute(plan->kernels, resources[of.a], resources[of.b], resources[of.result]);
}

/* CNTK's layout of an operand. */
static int plain(void **layout, const Shape *shape, int resource) {
    size_t sizes[4] = {shape->kernel_width, shape->kernel_height, shape->from.channels, shape->to.channels};
    if (resource != KERNELS && resource != GRADIENT_OF_KERNELS) {
        const Pictures *p = resource == FROM || resource == GRADIENT_OF_FROM ? &shape->from : &shape->to;
        memcpy(sizes, (size_t[4]){p->width, p->height, p->channels, shape->images}, sizeof sizes);
    }
    size_t apart[4] = {1, sizes[0], sizes[0] * sizes[1], sizes[0] * sizes[1] * sizes[2]};
    return intel.layout(layout, 4, sizes, apart);
}

static float *numbers(size_t bytes) {
    float *found = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!found)
        abort();
    return found;
}

/* `given`, or where that is NULL what was drawn at random, as the primitive wants it, or back again. */
static float *converted(const void *primitive, const Shape *shape, int resource, float *given, bool back) {
    void *ours, *theirs, *conversion;
    plain(&ours, shape, resource);
    intel.layout_of(&theirs, primitive, resource);
    float *result = numbers(intel.bytes(back ? ours : theirs));
    if (intel.same(ours, theirs))
        memcpy(result, given, intel.bytes(ours));
    else {
        intel.conversion(&conversion, back ? theirs : ours, back ? ours : theirs);
        intel.convert(conversion, given, result);
        intel.remove(conversion);
    }
    intel.layout_delete(ours);
    intel.layout_delete(theirs);
    return result;
}

static float *drawn(const Shape *shape, int resource, size_t *bytes) {
    void *layout;
    plain(&layout, shape, resource);
    *bytes = intel.bytes(layout);
    intel.layout_delete(layout);
    float *found = numbers(*bytes);
    uint32_t state = 2463534242u + (uint32_t)resource;
    for (size_t i = 0; i < *bytes / sizeof *found; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        found[i] = (float)(int32_t)state / 2147483648.0f;
    }
    return found;
}

/* Which of our ways gives the bits of Intel's; -1 for none. */
static int tried(const void *primitive, const Plan *wanted) {
    Plan plan = *wanted;
    const Shape *shape = &plan.shape;
    Operands of = operands[plan.direction];
    void *theirs[RESOURCES] = {0}, *ours[RESOURCES] = {0};
    size_t bytes;
    int found = -1;
    ours[of.a] = drawn(shape, of.a, &bytes);
    ours[of.b] = drawn(shape, of.b, &bytes);
    ours[of.result] = drawn(shape, of.result, &bytes);
    theirs[of.a] = converted(primitive, shape, of.a, ours[of.a], false);
    theirs[of.b] = converted(primitive, shape, of.b, ours[of.b], false);
    theirs[of.result] = converted(primitive, shape, of.result, ours[of.result], false);
    if (intel.execute(primitive, theirs) == 0) {
        float *result = converted(primitive, shape, of.result, theirs[of.result], true);
        for (int number = 0; found < 0 && way(&plan, number); number++) {
            if (is_empty(&plan))
                continue;
            compute(&plan, ours);
            if (memcmp(result, ours[of.result], bytes) == 0)
                found = number;
            empty(&plan);
        }
        free(result);
    }
    for (int i = 0; i < RESOURCES; i++) {
        free(ours[i]);
        free(theirs[i]);
    }
    return found;
}

typedef struct Verdict {
    struct Verdict *next;
    Shape shape;
    Direction direction;
    int way;
} Verdict;

typedef struct Ours {
    struct Ours *next;
    const void *primitive;
    Plan plan;
} Ours;

static Verdict *verdicts;
static Ours *primitives;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int way_of(const void *primitive, const Plan *wanted) {
    pthread_mutex_lock(&lock);
    Verdict *found = verdicts;
    while (found && (found->direction != wanted->direction || memcmp(&found->shape, &wanted->shape, sizeof(Shape))))
        found = found->next;
    pthread_mutex_unlock(&lock);
    if (found)
        return found->way;
    Verdict *made = malloc(sizeof *made);
    if (!made)
        abort();
    *made = (Verdict){.shape = wanted->shape, .direction = wanted->direction, .way = tried(primitive, wanted)};
    pthread_mutex_lock(&lock);
    made->next = verdicts;
    verdicts = made;
    pthread_mutex_unlock(&lock);
    return made->way;
}

/* Whether any of our ways may serve. */
static bool in_question(Plan *plan) {
    const Shape *s = &plan->shape;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        s->images * s->from.width * s->from.height * s->from.channels > MOST ||
        s->images * s->to.width * s->to.height * s->to.channels > MOST)
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

static int created(Direction direction, const char *name, ARGUMENTS) {
    if (!intel.remove)
        find_intel();
    int (*create)(ARGUMENTS);
    *(void **)&create = of_library(LIBRARY, name);
    int error = create(ARGUMENTS_PASSED);
    if (error || dimensions != 4 || steps[0] != 1 || steps[1] != 1 || border != 0)
        return error;
    Plan plan = {.direction = direction,
                 .shape = {pictures(from), pictures(to), from[3], kernel[0], kernel[1], offsets[0], offsets[1]}};
    int number = in_question(&plan) ? way_of(*primitive, &plan) : -1;
    if (number < 0)
        return error;
    way(&plan, number);
    Ours *made = malloc(sizeof *made);
    if (!made)
        abort();
    *made = (Ours){.primitive = *primitive, .plan = plan};
    pthread_mutex_lock(&lock);
    made->next = primitives;
    primitives = made;
    pthread_mutex_unlock(&lock);
    return error;
}

#define CREATE(name, direction)                                                                               \
    int name(ARGUMENTS) {                                                                                     \
        return created(direction, #name, ARGUMENTS_PASSED);                                                   \
    }

CREATE(dnnConvolutionCreateForward_F32, FORWARD)
CREATE(dnnConvolutionCreateBackwardData_F32, BACKWARD_DATA)
CREATE(dnnConvolutionCreateBackwardFilter_F32, BACKWARD_KERNELS)

/* NULL where Intel's library computes. */
static const Plan *plan_of(const void *primitive) {
    pthread_mutex_lock(&lock);
    const Ours *found = primitives;
    while (found && found->primitive != primitive)
        found = found->next;
    pthread_mutex_unlock(&lock);
    return found ? &found->plan : NULL;
}

int dnnLayoutCreateFromPrimitive_F32(void **layout, const void *primitive, int resource) {
    if (!intel.remove)
        find_intel();
    const Plan *plan = plan_of(primitive);
    return plan ? plain(layout, &plan->shape, resource) : intel.layout_of(layout, primitive, resource);
}

int dnnExecute_F32(void *primitive, void **resources) {
    if (!intel.remove)
        find_intel();
    const Plan *plan = plan_of(primitive);
    if (!plan)
        return intel.execute(primitive, resources);
    compute(plan, resources);
    return 0;
}

void convolution_forget(const void *primitive) {
    pthread_mutex_lock(&lock);
    for (Ours **at = &primitives; *at; at = &(*at)->next)
        if ((*at)->primitive == primitive) {
            Ours *gone = *at;
            *at = gone->next;
            empty(&gone->plan);
            free(gone);
            break;
        }
    pthread_mutex_unlock(&lock);
}
