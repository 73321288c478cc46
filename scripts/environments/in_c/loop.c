#include "loop.h"

#include <string.h>

typedef struct {
    const char *methods;
    Kind kind;
    Operation operation;
    size_t inputs;
} Type;

static Type types[] = {
    {"_ZTVN9Microsoft3MSR4CNTK24ReconcileDynamicAxisNodeIfEE", PART, COPY, 2},
    {"_ZTVN9Microsoft3MSR4CNTK9SliceNodeIfEE", PART, COPY, 1},
    {"_ZTVN9Microsoft3MSR4CNTK17StableSigmoidNodeIfEE", OURS, SIGMOID, 1},
    {"_ZTVN9Microsoft3MSR4CNTK8TanhNodeIfEE", OURS, TANH, 1},
    {"_ZTVN9Microsoft3MSR4CNTK19RectifiedLinearNodeIfEE", OURS, RECTIFIER, 1},
    {"_ZTVN9Microsoft3MSR4CNTK8PlusNodeIfEE", OURS, SUM, 2},
    {"_ZTVN9Microsoft3MSR4CNTK9MinusNodeIfEE", OURS, DIFFERENCE, 2},
    {"_ZTVN9Microsoft3MSR4CNTK16ElementTimesNodeIfEE", OURS, PRODUCT, 2},
};
#define TYPES (sizeof types / sizeof *types)
#define SLICE 1

static const void *methods_of(size_t type) {
    static const char *found[TYPES];
    if (!found[TYPES - 1])
        for (size_t i = 0; i < TYPES; i++)
            /* Behind what the table says of the type itself. */
            found[i] = (const char *)of_library(NETWORK_LIBRARY, types[i].methods) + 16;
    return found[type];
}

static int number_of(const Plan *plan, const Node *node) {
    for (size_t i = 0; node->in_loop && i < plan->count; i++)
        if (plan->members[i].node == node)
            return (int)i;
    return OUTSIDE;
}

/* Whether a node of the loop, or one outside, can be an operand of an operation on so many rows. What CNTK needs no
   more on the way back has other sizes by then: shapes tell, matrices do not. */
static bool serves(const Plan *plan, const Node *input, size_t rows) {
    if (!dense(&input->value) || (input->in_loop && number_of(plan, input) == OUTSIDE))
        return false;
    if (input->layout.to)
        return input->layout.to == plan->layout && size_of(input) == rows;
    return size_of(input) == rows || size_of(input) == 1;
}

/* Whether the node is some neighbouring rows of its input, or all of them: then the first of them is set. */
static bool is_part(const Plan *plan, const Type *type, Member *member) {
    const Node *input = input_of(member->node, 0);
    if (number_of(plan, input) == OUTSIDE || !serves(plan, input, size_of(input)))
        return false;
    if (type != &types[SLICE])
        return size_of(input) == member->rows;
    const Slice *slice = (const Slice *)member->node;
    if (input->rank != 1 || slice->axes_end - slice->axes != 1 || *slice->axes != 1 || *slice->strides != 1)
        return false;
    ptrdiff_t first = *slice->from < 0 ? *slice->from + (ptrdiff_t)size_of(input) : *slice->from;
    member->first_row = (size_t)first;
    return first >= 0 && member->first_row + member->rows <= size_of(input);
}

static void classify(const Plan *plan, Member *member) {
    const Node *node = member->node;
    const Type *type = NULL;
    for (size_t i = 0; !type && i < TYPES; i++)
        if ((const void *)node->methods == methods_of(i))
            type = &types[i];
    if (!type || inputs_of(node) != type->inputs || !row_of(type->operation, true, true))
        return;
    if (node->layout.to != plan->layout || !dense(&node->value) || !dense(&node->gradient))
        return;
    if (type->kind == PART) {
        if (!is_part(plan, type, member))
            return;
        member->inputs[0] = number_of(plan, input_of(node, 0));
    } else
        for (size_t i = 0; i < type->inputs; i++) {
            const Node *input = input_of(node, i);
            if (!serves(plan, input, member->rows))
                return;
            member->inputs[i] = number_of(plan, input);
        }
    member->kind = type->kind;
    member->operation = type->operation;
}

/* Which values must stay: bits of them are read behind the loop, by CNTK, or on the way back. */
static void keep(Plan *plan) {
    for (size_t i = plan->count; i-- > 0;) {
        Member *member = &plan->members[i];
        if (member->kind == CNTKS) {
            for (size_t k = 0; k < inputs_of(member->node); k++) {
                int number = number_of(plan, input_of(member->node, k));
                if (number >= 0)
                    plan->members[number].kept = plan->members[number].read_by_cntk = true;
            }
            member->kept = true;
        } else if (seen_outside(member->node))
            member->kept = true;
    }
}

/* Values that the way back reads: outputs of functions, and factors. */
static void keep_for_gradients(Plan *plan) {
    for (size_t i = 0; i < plan->count; i++) {
        Member *member = &plan->members[i];
        if (member->kind != OURS || !member->node->needs_gradient)
            continue;
        if (member->inputs[1] == NONE)
            member->kept = true;
        else if (member->operation == PRODUCT)
            for (size_t k = 0; k < 2; k++) {
                int number = member->inputs[k];
                /* Instead of a part, what it is a part of. */
                while (number >= 0 && plan->members[number].kind == PART && !plan->members[number].kept)
                    number = plan->members[number].inputs[0];
                if (number >= 0)
                    plan->members[number].kept = true;
            }
    }
}

bool planned(const Loop *loop, Plan *plan) {
    size_t ours = 0;
    plan->loop = loop;
    plan->layout = loop->layout.to;
    plan->count = (size_t)(loop->nodes_end - loop->nodes);
    if (plan->count > MOST_NODES || !plan->layout)
        return false;
    for (size_t i = 0; i < plan->count; i++) {
        Node *node = loop->nodes[i].to;
        plan->members[i] = (Member){.node = node, .rows = size_of(node), .inputs = {NONE, NONE}};
        /* Where CNTK is asked to look for numbers that are none, or to print all. */
        if (!node->environment || node->environment[4] || *(int *)(node->environment + 8) > 0)
            return false;
    }
    for (size_t i = 0; i < plan->count; i++) {
        classify(plan, &plan->members[i]);
        ours += plan->members[i].kind == OURS;
    }
    if (ours < 2)
        return false;
    keep(plan);
    keep_for_gradients(plan);
    plan->scratch = 0;
    for (size_t i = 0; i < plan->count; i++)
        plan->scratch += plan->members[i].rows * plan->layout->rows;
    return true;
}

static Place in_matrix(const Plan *plan, const Shared *matrix, size_t rows) {
    return (Place){numbers_of(matrix), rows, rows * plan->layout->rows, false};
}

static Place in_scratch(const Plan *plan, const Member *member, float **scratch) {
    float *first = *scratch;
    *scratch += member->rows * plan->layout->rows;
    return (Place){first, member->rows, 0, false};
}

/* Where the value of a part is that is not kept. */
static Place part_of(const Plan *plan, const Member *member) {
    const Member *whole = &plan->members[member->inputs[0]];
    Place place = whole->kind == PART && !whole->kept ? part_of(plan, whole) : whole->value;
    place.first += member->first_row;
    return place;
}

void place_values(Plan *plan, float *scratch) {
    for (size_t i = 0; i < plan->count; i++) {
        Member *member = &plan->members[i];
        if (member->kept || member->kind == CNTKS)
            member->value = in_matrix(plan, &member->node->value, member->rows);
        else if (member->kind == OURS)
            member->value = in_scratch(plan, member, &scratch);
    }
    for (size_t i = 0; i < plan->count; i++) {
        Member *member = &plan->members[i];
        if (member->kind == PART && !member->kept)
            member->value = part_of(plan, member);
    }
}

Place operand(const Plan *plan, const Member *member, size_t number) {
    if (member->inputs[number] >= 0)
        return plan->members[member->inputs[number]].value;
    const Node *input = input_of(member->node, number);
    if (!input->layout.to)
        return (Place){numbers_of(&input->value), 0, 0, size_of(input) == 1};
    return in_matrix(plan, &input->value, member->rows);
}

bool shares(const Plan *plan, const Member *member) {
    return member->kind == PART && plan->members[member->inputs[0]].divided;
}

static Place part_of_gradient(const Plan *plan, const Member *member) {
    const Member *whole = &plan->members[member->inputs[0]];
    Place place = shares(plan, whole) ? part_of_gradient(plan, whole) : whole->gradient;
    place.first += member->first_row;
    return place;
}

void place_gradients(Plan *plan, float *scratch) {
    for (size_t i = 0; i < plan->count; i++) {
        Member *member = &plan->members[i];
        bool outer = false;
        for (size_t k = 0; k < 2; k++)
            outer |= member->inputs[k] == OUTSIDE && input_of(member->node, k)->needs_gradient;
        if (!member->node->needs_gradient || shares(plan, member))
            continue;
        /* CNTK goes on from there behind the loop. */
        if (member->kind == CNTKS || member->summed || outer)
            member->gradient = in_matrix(plan, &member->node->gradient, member->rows);
        else
            member->gradient = in_scratch(plan, member, &scratch);
    }
    for (size_t i = 0; i < plan->count; i++)
        if (plan->members[i].node->needs_gradient && shares(plan, &plan->members[i]))
            plan->members[i].gradient = part_of_gradient(plan, &plan->members[i]);
}
