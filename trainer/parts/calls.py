"""Calls of CNTK as data: what a learner part says, the engine makes and people are shown."""

from trainer.engine import IGNORE, C


class Call:
    """``cntk.<function>(parameters, rate, <arguments>, minibatch_size=IGNORE)``.

    Plain numbers among the arguments, momenta included, become schedules of CNTK's that hold for a
    whole minibatch; so does the rate. Needs CNTK only to be made.
    """

    def __init__(self, function, **arguments):
        self.function = function
        self.arguments = arguments

    def make(self, parameters, rate):
        """The learner, on CNTK parameters and with a first rate."""
        return getattr(C, self.function)(parameters, rate, minibatch_size=IGNORE, **self.arguments)

    def written(self, rate):
        """The call as Python, with ``rate`` as the text in the rate's place."""
        settings = ["%s=%r" % item for item in self.arguments.items()]
        return "cntk.%s(%s)" % (
            self.function,
            ", ".join(["parameters", rate] + settings + ["minibatch_size=IGNORE"]),
        )

    def __str__(self):
        return self.written("rate")
