/* What the kernels know of CNTK 2.7's networks: where libCntk.Core-2.7.so keeps what of a node. */

#ifndef CNTK_KERNELS_NETWORK_H
#define CNTK_KERNELS_NETWORK_H

#include "cntk.h"

#include <stdint.h>

#define NETWORK_LIBRARY "libCntk.Core-2.7.so"

/* std::shared_ptr. */
typedef struct {
    void *to, *count;
} Shared;

/* MBLayout: how many steps, and how many rows of sequences, one or several behind each other. */
typedef struct {
    size_t steps, rows;
} Layout;

/* FrameRange: one step of all sequences. */
typedef struct {
    size_t step;
    ptrdiff_t offset;
    size_t steps, sequence;
    Shared layout;
    bool broadcast;
    void *parent;
} Frame;

/* Matrix<float>. */
typedef struct {
    char methods[0x18];
    Matrix *numbers;
    char elsewhere[0x40];
    int kind, place; /* 1 and 1: dense, and the processor's; 0: not yet known */
} Held;

typedef struct Node Node;

typedef struct {
    char start[0x10];
    void (*unused[2])(void);
    void (*forward)(Node *, const Frame *);
    void (*unused_too[7])(void);
    void (*back)(Node *, const Frame *, bool within, bool out);
} Methods;

/* ComputationNode<float>. */
struct Node {
    const Methods *methods;
    char of_network[0x20];
    bool needs_gradient;
    bool in_loop __attribute__((aligned(8)));
    uint64_t evaluated __attribute__((aligned(8)));
    char names[0xc0];
    Shared *inputs, *inputs_end;
    void *inputs_room, *unused;
    size_t shape[12], rank;
    char shapes[0x78];
    Shared layout;
    char *environment;
    char unused_too[0x10];
    Node *gradient_begun_by; /* in this minibatch */
    char shared;
    Shared value __attribute__((aligned(8))), gradient;
};

/* SliceNode<float>. */
typedef struct {
    Node node;
    char own[0x80];
    int *from;
    void *from_end, *from_room;
    int *to;
    void *to_end, *to_room;
    int *axes, *axes_end;
    void *axes_room;
    int *strides;
} Slice;

/* ComputationNetwork::SEQTraversalFlowControlNode: the nodes of a loop in their order. */
typedef struct {
    char node[0x200];
    Shared layout;
    char more[0x28];
    Shared *nodes, *nodes_end;
    char source[0x1c];
    int direction;
} Loop;

#define AT(type, member, place) _Static_assert(offsetof(type, member) == place, #member)
AT(Held, numbers, 0x18);
AT(Held, kind, 0x60);
AT(Methods, forward, 0x20);
AT(Methods, back, 0x60);
AT(Node, needs_gradient, 0x28);
AT(Node, in_loop, 0x30);
AT(Node, evaluated, 0x38);
AT(Node, inputs, 0x100);
AT(Node, shape, 0x120);
AT(Node, rank, 0x180);
AT(Node, layout, 0x200);
AT(Node, environment, 0x210);
AT(Node, gradient_begun_by, 0x228);
AT(Node, value, 0x238);
AT(Node, gradient, 0x248);
AT(Slice, from, 0x2d8);
AT(Slice, to, 0x2f0);
AT(Slice, axes, 0x308);
AT(Slice, strides, 0x320);
AT(Loop, layout, 0x200);
AT(Loop, nodes, 0x238);
AT(Loop, direction, 0x264);
AT(Frame, layout, 0x20);
AT(Frame, broadcast, 0x30);
#undef AT

static inline Node *input_of(const Node *node, size_t number) {
    return node->inputs[number].to;
}

static inline size_t inputs_of(const Node *node) {
    return (size_t)(node->inputs_end - node->inputs);
}

/* Numbers of one step of a sequence. */
static inline size_t size_of(const Node *node) {
    size_t size = 1;
    for (size_t i = 0; i < node->rank; i++)
        size *= node->shape[i];
    return size;
}

/* Whether the matrix, if it is there, is or will be one of the processor's that has all of its numbers. */
static inline bool dense(const Shared *matrix) {
    const Held *held = matrix->to;
    return !held || (held->kind < 2 && held->place < 2);
}

static inline float *numbers_of(const Shared *matrix) {
    return floats(((const Held *)matrix->to)->numbers);
}

/* Whether somebody outside of its loop may read the node's value. */
bool seen_outside(const Node *node);

#endif
