/* ComputationNetwork::SEQTraversalFlowControlNode: the steps of a recurrence, forward and back.

   CNTK has every node of the loop compute its part of each step, in a matrix for all steps, and clears another
   for its gradient. Here its matrix products and what reaches into other steps are left to CNTK; element-wise
   operations between these are done some sequences at a time, so that the numbers stay in the processor. What
   nobody reads later is not stored. The sums of each gradient have CNTK's order. */

#include "loop.h"
#include "products.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many numbers of an operation are computed before those of the next. */
#define TOGETHER 1024
/* Fewer numbers of all operations than these are not worth a second thread. */
#define GRAIN ((size_t)1 << 20)

typedef struct {
    Row *row;
    Place x, y, to;
    size_t rows;
    How how;
} Operations;

/* A node of CNTK's, or operations between two such. */
typedef struct {
    Node *theirs;
    const Operations *first;
    size_t count, columns; /* columns that are done together */
} Part;

typedef struct {
    Plan plan;
    float *scratch;
    Factors factors; /* parameters that CNTK's nodes read */
    size_t parts, count;
    Part part[3 * MOST_NODES];
    Operations operations[3 * MOST_NODES];
} Program;

typedef struct {
    const Part *part;
    size_t step;
} Work;

static inline float *at(Place place, size_t step, size_t column) {
    return place.first + step * place.step + column * place.column;
}

static inline bool apart(Place place, size_t rows) {
    return !place.one && place.column != rows;
}

static void run(const Operations *o, size_t step, size_t first, size_t last) {
    const float *x = at(o->x, step, first), *y = at(o->y, step, first);
    float *to = at(o->to, step, first);
    size_t rows = o->rows, columns = last - first;
    if (!apart(o->x, rows) && !apart(o->y, rows) && !apart(o->to, rows)) {
        rows *= columns;
        columns = 1;
    }
    for (; columns--; x += o->x.column, y += o->y.column, to += o->to.column)
        o->row(x, y, to, rows, o->how);
}

static void some_columns(void *about, size_t first, size_t last) {
    const Work *work = about;
    for (size_t end; first < last; first = end) {
        end = last - first > work->part->columns ? first + work->part->columns : last;
        for (size_t i = 0; i < work->part->count; i++)
            run(&work->part->first[i], work->step, first, end);
    }
}

static void compute(const Part *part, size_t step, size_t columns) {
    Work work = {part, step};
    in_parts(columns, 1 + GRAIN / (TOGETHER / part->columns * part->count), some_columns, &work);
}

static void clear(const float *x, const float *y, float *to, size_t count, How how) {
    (void)x, (void)y, (void)how;
    memset(to, 0, count * sizeof *to);
}

static void add_theirs(Program *program, Node *node) {
    program->part[program->parts++] = (Part){.theirs = node};
    for (size_t i = 0; i < inputs_of(node); i++) {
        const Node *input = input_of(node, i);
        Factors *factors = &program->factors;
        /* What has no inputs is not computed: its numbers stay, and stay where they are. */
        if (!input->in_loop && !input->layout.to && !inputs_of(input) && dense(&input->value) &&
            factors->count < MOST_LASTING)
            factors->lasting[factors->count++] = (Lasting){.numbers = numbers_of(&input->value)};
    }
}

static void add(Program *program, Row *row, size_t rows, Place x, Place y, Place to, How how) {
    Operations *made = &program->operations[program->count++];
    *made = (Operations){row, x, y, to, rows, how};
    if (!program->parts || program->part[program->parts - 1].theirs)
        program->part[program->parts++] = (Part){.first = made, .columns = TOGETHER};
    Part *part = &program->part[program->parts - 1];
    part->count++;
    size_t columns = rows > TOGETHER ? 1 : TOGETHER / rows;
    part->columns = columns < part->columns ? columns : part->columns;
}

static void free_program(Program **program) {
    if (*program) {
        factors_leave(&(*program)->factors);
        free((*program)->scratch);
    }
    free(*program);
}

/* Freed at the end of a block, an exception of CNTK's included. */
#define FREED __attribute__((cleanup(free_program)))

/* To leave the way back to CNTK for want of memory is not possible: it would miss what was not stored. */
static void *room_for(size_t bytes) {
    void *room = malloc(bytes);
    if (!room) {
        fprintf(stderr, "no memory for %zu bytes of a recurrence\n", bytes);
        abort();
    }
    return room;
}

/* NULL where CNTK has to run the loop, forward and back. */
static Program *program_of(const Loop *loop) {
    Program *program = room_for(sizeof *program);
    if (!planned(loop, &program->plan)) {
        free(program);
        return NULL;
    }
    program->parts = program->count = program->factors.count = 0;
    program->scratch = room_for((program->plan.scratch + 1) * sizeof(float));
    return program;
}

static void run_steps(Program *program, bool back) {
    factors_use(&program->factors);
    const Layout *layout = program->plan.layout;
    bool from_the_first = (program->plan.loop->direction > 0) != back;
    for (size_t i = 0; i < layout->steps; i++) {
        size_t step = from_the_first ? i : layout->steps - 1 - i;
        Frame frame = {.step = step, .steps = 1, .sequence = SIZE_MAX, .layout = program->plan.loop->layout};
        for (const Part *part = program->part; part < program->part + program->parts; part++)
            if (!part->theirs)
                compute(part, step, layout->rows);
            else if (back)
                part->theirs->methods->back(part->theirs, &frame, true, false);
            else
                part->theirs->methods->forward(part->theirs, &frame);
    }
}

#define OF_LOOPS "_ZN9Microsoft3MSR4CNTK18ComputationNetwork27SEQTraversalFlowControlNode"
#define FORWARD OF_LOOPS "11ForwardPropERKNS1_10FrameRangeE"
#define BACK OF_LOOPS "8BackpropERKNS1_10FrameRangeEbb"
#define CLOCK "_ZN9Microsoft3MSR4CNTK9TimeStamp18s_timeStampCounterE"
#define RESIZE "_ZN9Microsoft3MSR4CNTK15ComputationNodeIfE14UpdateDataSizeERNS1_6MatrixIfEEb"
#define CLEAR "_ZN9Microsoft3MSR4CNTK15ComputationNodeIfE16LazyZeroGradientEPKNS1_19ComputationNodeBaseE"

void forward(Loop *loop, const Frame *frame) __asm__(FORWARD);
void back(Loop *loop, const Frame *frame, bool within, bool out) __asm__(BACK);

void forward(Loop *loop, const Frame *frame) {
    static void (*other)(Loop *, const Frame *);
    static uint64_t *clock;
    if (!other) {
        clock = of_library(NETWORK_LIBRARY, CLOCK);
        *(void **)&other = of_library(NETWORK_LIBRARY, FORWARD);
    }
    FREED Program *program = program_of(loop);
    if (!program) {
        other(loop, frame);
        return;
    }
    Plan *plan = &program->plan;
    place_values(plan, program->scratch);
    for (const Member *member = plan->members; member < plan->members + plan->count; member++) {
        if (member->kind == CNTKS)
            add_theirs(program, member->node);
        else if (member->kind == OURS || member->kept) {
            Place x, y;
            if (member->kind == PART) {
                x = plan->members[member->inputs[0]].value;
                x.first += member->first_row;
            } else
                x = operand(plan, member, 0);
            y = member->inputs[1] == NONE ? x : operand(plan, member, 1);
            Row *row = row_of(member->operation, !x.one, !y.one);
            add(program, row, member->rows, x, y, member->value, INSTEAD);
        }
    }
    run_steps(program, false);
    for (const Member *member = plan->members; member < plan->members + plan->count; member++)
        member->node->evaluated = __atomic_add_fetch(clock, 1, __ATOMIC_SEQ_CST);
}

/* The member to whose gradient `member` adds, by its input of this number; NULL for none. */
static Member *receiver(Plan *plan, const Member *member, size_t number) {
    int input = member->inputs[number];
    if (member->kind == CNTKS || !member->node->needs_gradient || input < 0)
        return NULL;
    return plan->members[input].node->needs_gradient ? &plan->members[input] : NULL;
}

/* Whether parts, and nothing else, give the whole gradient, each its own numbers of it. */
static bool is_divided(Plan *plan, const Member *to) {
    size_t rows = 0;
    for (const Member *one = plan->members; one < plan->members + plan->count; one++)
        for (size_t k = 0; k < 2; k++) {
            if (receiver(plan, one, k) != to)
                continue;
            if (one->kind != PART || one->summed)
                return false;
            for (const Member *other = plan->members; other < one; other++)
                if (receiver(plan, other, 0) == to && one->first_row < other->first_row + other->rows &&
                    other->first_row < one->first_row + one->rows)
                    return false;
            rows += one->rows;
        }
    return !to->summed && rows == to->rows;
}

/* Make room for the gradients; those to which CNTK adds, too, are cleared once for all steps. */
static void begin_gradients(Plan *plan) {
    static void (*resize)(Node *, void *, bool), (*lazily)(Node *, const Node *);
    if (!resize) {
        *(void **)&lazily = of_library(NETWORK_LIBRARY, CLEAR);
        *(void **)&resize = of_library(NETWORK_LIBRARY, RESIZE);
    }
    for (Member *member = plan->members; member < plan->members + plan->count; member++)
        member->summed = true;
    for (const Member *member = plan->members; member < plan->members + plan->count; member++)
        for (size_t k = 0; k < 2; k++) {
            Member *to = receiver(plan, member, k);
            if (to)
                to->summed = to->read_by_cntk || to->node->gradient_begun_by;
        }
    for (Member *member = plan->members; member < plan->members + plan->count; member++) {
        Node *node = member->node;
        if (!node->needs_gradient)
            continue;
        member->divided = is_divided(plan, member);
        if (member->summed)
            lazily(node, node);
        else {
            resize(node, node->gradient.to, false);
            node->gradient_begun_by = node;
        }
    }
}

static void add_gradient(Program *program, const Member *member, size_t number, Member *to) {
    Plan *plan = &program->plan;
    Place x = member->gradient, y = x, sum = to->gradient;
    Operation operation = COPY;
    size_t rows = member->rows;
    if (member->kind == PART)
        sum.first += member->first_row;
    else if (member->operation == DIFFERENCE && number == 1)
        operation = NEGATIVE;
    else if (member->operation == PRODUCT) {
        operation = PRODUCT;
        y = operand(plan, member, 1 - number);
    } else if (member->inputs[1] == NONE) {
        operation = member->operation == SIGMOID ? BY_SIGMOID : member->operation == TANH ? BY_TANH : BY_RECTIFIER;
        y = member->value;
    }
    bool first = !to->summed && !to->begun;
    if (first && rows < to->rows)
        add(program, clear, to->rows, to->gradient, to->gradient, to->gradient, INSTEAD);
    to->begun = true;
    add(program, row_of(operation, true, !y.one), rows, x, y, sum, first && rows == to->rows ? FIRST : ADDED);
}

void back(Loop *loop, const Frame *frame, bool within, bool out) {
    static void (*other)(Loop *, const Frame *, bool, bool);
    if (!other)
        *(void **)&other = of_library(NETWORK_LIBRARY, BACK);
    FREED Program *program = program_of(loop);
    if (!program) {
        other(loop, frame, within, out);
        return;
    }
    Plan *plan = &program->plan;
    begin_gradients(plan);
    place_values(plan, program->scratch);
    place_gradients(plan, program->scratch);
    for (const Member *member = plan->members + plan->count; member-- > plan->members;) {
        if (member->kind == CNTKS)
            add_theirs(program, member->node);
        for (size_t k = 0; k < 2; k++) {
            Member *to = receiver(plan, member, k);
            if (to && !shares(plan, member))
                add_gradient(program, member, k, to);
        }
    }
    run_steps(program, true);
}
