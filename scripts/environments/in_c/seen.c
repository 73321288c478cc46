/* ComputationNetwork::FormNestedNetwork: what is asked of a network, of which CNTK makes it ready to compute.

   Here it is noted which nodes of loops others read: roots, and inputs of nodes that are not in the same loop.
   A node that is gone may leave its note to another at the same place, which is then kept without need. */

#include "network.h"

#include <pthread.h>
#include <stdlib.h>

/* std::list<std::shared_ptr<Node>>. */
typedef struct Link {
    struct Link *next, *before;
    Shared node;
} Link;

static const Node **seen;
static size_t count, room;
static bool watched, complete = true;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool noted(const Node *node) {
    for (size_t i = 0; i < count; i++)
        if (seen[i] == node)
            return true;
    return false;
}

static void note(const Node *node) {
    if (!node->in_loop || noted(node))
        return;
    if (count == room) {
        size_t more = room ? 2 * room : 64;
        const Node **longer = realloc(seen, more * sizeof *seen);
        if (!longer) {
            complete = false;
            return;
        }
        seen = longer;
        room = more;
    }
    seen[count++] = node;
}

bool seen_outside(const Node *node) {
    pthread_mutex_lock(&lock);
    bool found = !watched || !complete || noted(node);
    pthread_mutex_unlock(&lock);
    return found;
}

/* Which of the loops has the node; NULL for none. */
static const Loop *loop_of(const Shared *first, const Shared *end, const Node *node) {
    if (node->in_loop)
        for (const Shared *loop = first; loop < end; loop++)
            for (const Shared *one = ((const Loop *)loop->to)->nodes; one < ((const Loop *)loop->to)->nodes_end; one++)
                if (one->to == node)
                    return loop->to;
    return NULL;
}

#define NETWORK "_ZN9Microsoft3MSR4CNTK18ComputationNetwork17FormNestedNetworkERKSt10shared_ptrINS1_19ComputationNodeBaseEE"
#define ORDER                                                                                                 \
    "_ZNK9Microsoft3MSR4CNTK18ComputationNetwork12GetEvalOrderB5cxx11ERKSt10shared_ptrINS1_"                   \
    "19ComputationNodeBaseEE"

void form(char *network, const Shared *root) __asm__(NETWORK);

void form(char *network, const Shared *root) {
    static void (*other)(char *, const Shared *);
    static const Link *(*order)(char *, const Shared *);
    if (!other) {
        *(void **)&order = of_library(NETWORK_LIBRARY, ORDER);
        *(void **)&other = of_library(NETWORK_LIBRARY, NETWORK);
    }
    const Shared *loops = *(Shared **)(network + 0x168), *end = *(Shared **)(network + 0x170);
    const Link *nodes = order(network, root);
    pthread_mutex_lock(&lock);
    watched = true;
    note(root->to);
    for (const Link *link = nodes->next; link != nodes; link = link->next) {
        const Node *node = link->node.to;
        for (size_t i = 0; i < inputs_of(node); i++) {
            const Node *input = input_of(node, i);
            if (input->in_loop && loop_of(loops, end, node) != loop_of(loops, end, input))
                note(input);
        }
    }
    pthread_mutex_unlock(&lock);
    other(network, root);
}
