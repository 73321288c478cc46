/* The nodes of a loop, and where each one's numbers of a step are while it runs. */

#ifndef CNTK_KERNELS_LOOP_H
#define CNTK_KERNELS_LOOP_H

#include "network.h"
#include "rows.h"

#define MOST_NODES 256

/* Who computes a node: CNTK, nobody as it is a part of its input, or we, by an operation. */
typedef enum { CNTKS, PART, OURS } Kind;

/* The numbers of a step: `column` apart from one sequence to the next, `step` from one step to the next. */
typedef struct {
    float *first;
    size_t column, step;
    bool one; /* number for all */
} Place;

typedef struct {
    Node *node;
    Kind kind;
    Operation operation; /* forward; COPY for a PART */
    size_t rows;
    size_t first_row;  /* of a PART in its input */
    int inputs[2];     /* their numbers in the loop; OUTSIDE or NONE */
    bool kept;         /* the value is needed in its matrix: by others, or on the way back */
    bool read_by_cntk; /* it is an input of a node of CNTK's in the loop */
    bool summed;       /* its gradient is more than ours of the same step */
    bool divided;      /* each of its numbers belongs to one part, of whose gradients its own consists */
    bool begun;        /* its gradient of a step has a first part */
    Place value, gradient;
} Member;

enum { OUTSIDE = -1, NONE = -2 };

typedef struct {
    const Loop *loop;
    const Layout *layout;
    size_t count, scratch; /* floats that values and gradients take which are not kept */
    Member members[MOST_NODES];
} Plan;

/* Whether a loop is worth it and can be run by us. */
bool planned(const Loop *loop, Plan *plan);

/* Settle where values and gradients are: `scratch` has room for plan->scratch floats, of either. */
void place_values(Plan *plan, float *scratch);
void place_gradients(Plan *plan, float *scratch);

/* Whether its gradient is a place in that of what it is a part of. */
bool shares(const Plan *plan, const Member *member);

/* A value that a member reads. */
Place operand(const Plan *plan, const Member *member, size_t number);

#endif
