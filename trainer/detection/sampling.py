"""Which candidates of an image are trained on, and what each of them is."""

import numpy as np

BACKGROUND = 0


class Labelled:
    """Candidates of one image as training sees them."""

    def __init__(self, chosen, labels, owners):
        self.chosen = chosen
        """Positions among the candidates; foreground comes first."""
        self.labels = labels
        """Class of each that was chosen: ``BACKGROUND``, or 1 and up."""
        self.owners = owners
        """Position of the annotated box that each foreground candidate covers; -1 for background."""


def matched(overlap, foreground_overlap):
    """Best overlap, and the annotated box covered by at least ``foreground_overlap`` (-1: none), a candidate.

    ``overlap`` is (candidates, annotated boxes); of equal ones the first counts.
    """
    if not overlap.shape[1]:
        nothing = np.zeros(len(overlap))
        return nothing, np.full(len(overlap), -1)
    best = overlap.max(axis=1)
    return best, np.where(best >= foreground_overlap, overlap.argmax(axis=1), -1)


def all_of(overlap, classes, foreground_overlap):
    """Every candidate; ``classes`` holds the class, 1 and up, of each annotated box."""
    _, owners = matched(overlap, foreground_overlap)
    return labelled(np.arange(len(overlap)), owners, classes)


def sampled(overlap, classes, difficult, rules, generator):
    """A random choice of candidates, foreground and background.

    ``rules`` has ``regions_per_image``, of which at most ``foreground_share`` are foreground: candidates that
    cover an annotated box by ``foreground_overlap`` or more. Background are those that cover none by as much
    as the second of ``background_overlap`` and one at least by the first. There are fewer where there are not
    enough; the candidate that covers least stands alone where there are none at all. ``difficult`` marks
    annotated boxes that are no examples: what covers one is left out.
    """
    best, owners = matched(overlap, rules["foreground_overlap"])
    low, high = rules["background_overlap"]
    foreground = np.flatnonzero(owners >= 0)
    if len(classes):
        foreground = foreground[~difficult[owners[foreground]]]
    background = np.flatnonzero((owners < 0) & (best >= low) & (best < high))
    wanted = rules["regions_per_image"]
    most = round(wanted * rules["foreground_share"])
    foreground = drawn(foreground, most, generator)
    background = drawn(background, wanted - len(foreground), generator)
    chosen = np.concatenate([foreground, background])
    if not len(chosen):
        chosen = np.array([best.argmin()])
    return labelled(chosen, np.where(np.isin(chosen, foreground), owners[chosen], -1), classes)


def drawn(candidates, most, generator):
    """At most ``most`` of the candidates, without repetition."""
    return generator.permutation(candidates)[:most]


def labelled(chosen, owners, classes):
    labels = np.full(len(chosen), BACKGROUND)
    labels[owners >= 0] = np.asarray(classes)[owners[owners >= 0]]
    return Labelled(chosen, labels, owners)
