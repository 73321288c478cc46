"""What reads a sequence of tokens: embeddings, recurrences over them, and what becomes of their steps."""

from trainer.parts.recipes.registry import RecipeError

BAGS = ("bag_of_words", "weighted_bag_of_words")


class Reader:
    """What reads a sequence of tokens. Names of nodes begin with ``prefix``.

    In the roles that ``share`` names, its layers use the parameters of another reader, ``like``.
    """

    def __init__(self, stack, field, size, scale, dropout, prefix="", like=None, share=()):
        self.stack = stack
        self.prefix = prefix
        self.like = like
        self.share = share
        self.dropout = dropout
        self.layers = {}
        self.source = stack.input(field)
        init = {"type": "normal", "scale": scale}
        made = self.put("embedding", "embedding", self.source, units=size, init=init)
        self.embedded = self.dropped("embedding", made)
        self.directions = []
        self.both = None

    def put(self, role, kind, of, **settings):
        """A layer for a role, which is also its name; the same role of ``like`` may share its parameters."""
        if role in self.share:
            settings["share"] = self.like.layers[role]
        self.layers[role] = self.stack.put(self.prefix + role, kind, of, **settings)
        return self.layers[role]

    def dropped(self, role, node):
        if not self.dropout:
            return node
        return self.stack.put(self.prefix + role + "_dropped", "dropout", node, rate=self.dropout)

    def open(self, kind, units, bidirectional):
        self.directions = [self.put("forward", kind, self.embedded, units=units)]
        if bidirectional:
            self.directions.append(self.put("backward", kind, self.embedded, units=units, reverse=True))

    def run(self, kind, units, bidirectional):
        """Recurrences over the embeddings; one node with a vector a token."""
        self.open(kind, units, bidirectional)
        return self.dropped("steps", self.steps())

    def steps(self):
        """All directions side by side, one node with a vector a token."""
        if len(self.directions) == 1:
            return self.directions[0]
        if self.both is None:
            self.both = self.stack.put(self.prefix + "steps", "splice", list(self.directions))
        return self.both

    def end(self):
        """One vector a row, from where each direction has met every token."""
        ends = [self.stack.put(self.prefix + "forward_end", "last", self.directions[0])]
        if len(self.directions) > 1:
            ends.append(self.stack.put(self.prefix + "backward_end", "first", self.directions[1]))
        whole = self.stack.put(self.prefix + "encoded", "splice", ends) if len(ends) > 1 else ends[0]
        return self.dropped("encoded", whole)

    def attend(self):
        """One vector a row: the mean of the steps by weights that a dense layer gives them."""
        steps = self.steps()
        number = self.put("attention", "dense", steps, units=1)
        share = self.stack.put(self.prefix + "attention_share", "sequence_softmax", number)
        taken = self.stack.put(self.prefix + "attention_taken", "product", [steps, share])
        return self.dropped("encoded", self.stack.put(self.prefix + "encoded", "sequence_sum", taken))

    def summarised(self, summary):
        """One vector a row, behind a recurrence."""
        return self.attend() if summary == "attention" else self.end()

    def encode(self, encoder, units, bidirectional, summary="ends"):
        """One vector a row."""
        if encoder in BAGS and bidirectional:
            raise RecipeError("bidirectional", "a bag of words has no direction; leave this out")
        if encoder in BAGS and summary != "ends":
            raise RecipeError("summary", "a bag of words is its own summary; leave this out")
        if encoder == "bag_of_words":
            return self.stack.put(self.prefix + "encoded", "sequence_mean", self.embedded)
        if encoder == "weighted_bag_of_words":
            return self.stack.put(self.prefix + "encoded", "sequence_sum", self.weighted())
        self.open(encoder, units, bidirectional)
        return self.summarised(summary)

    def weighted(self):
        """The embeddings times a weight of each token, softplus of a number that is learned from 0 on."""
        zero = {"type": "constant", "value": 0.0}
        number = self.put("importance", "embedding", self.source, units=1, init=zero)
        weight = self.stack.put(self.prefix + "weight", "activation", number, function="softplus")
        return self.stack.put(self.prefix + "weighted", "product", [self.embedded, weight])
