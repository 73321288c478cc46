"""Columns of the regions of images: where they are, which class each has, how its box is to be corrected.

A spec's ``regions`` makes four fields beside those of the data set, all of one sequence axis: ``rois``,
``region_class``, ``region_targets`` and ``region_weights``. In training their steps are a random choice of
each image's candidates, anew each epoch; in evaluation they are all proposals.
"""

import numpy as np

from trainer.columns import Dataset, Padded
from trainer.detection.boxes import clipped, coded, mirrored
from trainer.detection.overlap import overlaps
from trainer.detection.sampling import BACKGROUND, all_of, sampled
from trainer.parameters import derived_seed
from trainer.parts.regions import AXIS, NAMES, fields_of


def opened(spec, folder, fitted_schema=None):
    """The data set of a job, with the fields of its regions if it has any."""
    dataset = Dataset(folder, fitted_schema, (spec.get("evaluation") or {}).get("split"))
    if spec.get("regions") is None:
        return dataset
    return DatasetOfRegions(dataset, spec["regions"], spec["training"]["seed"])


class DatasetOfRegions:
    """A ``Dataset`` and the fields of its regions; its images are mirrored where their regions are."""

    def __init__(self, dataset, rules, seed):
        self.dataset = dataset
        self.rules = rules
        self.folder = dataset.folder
        self.schema = dataset.schema
        self.fitted_schema = dataset.fitted_schema
        self.regions = Regions(dataset, rules, seed)
        made = fields_of(self.regions.classes, 0, 0)
        known = NAMES if self.regions.annotated else NAMES[:1]
        self.fields = dict(dataset.fields, **{name: made[name] for name in known})
        self.fitted = dict(dataset.fitted, **made)
        self.rows = dataset.rows

    def evaluated_together(self, minibatch_size):
        """One image: all its proposals are, not a choice as in training."""
        return 1

    def column(self, field, coded=False):
        if field in NAMES:
            return RegionColumn(self.regions, field, self.fitted[field]["shape"])
        column = self.dataset.column(field, coded)
        return Mirrored(column, self.regions) if field == self.rules["image"] else column


class Regions:
    """What each row's regions are; a pure function of seed, epoch and row."""

    def __init__(self, dataset, rules, seed):
        self.rules = rules
        self.seed = seed
        self.classes = dataset.fitted[rules["classes"]]["classes"]
        self.height, self.width = dataset.fitted[rules["image"]]["shape"][1:]
        self.proposals = dataset.column(rules["proposals"]) if rules["proposals"] else None
        self.unannotated = [
            field for field in (rules["boxes"], rules["classes"]) if field not in dataset.fields
        ]
        """The fields of annotations that the data set lacks."""
        self.annotated = not self.unannotated
        if self.annotated:
            self.boxes = dataset.column(rules["boxes"])
            self.codes = dataset.column(rules["classes"]).steps.file.array
        self.difficult = None
        if self.annotated and rules["difficult"] in dataset.fields:
            self.difficult = dataset.column(rules["difficult"])
        self.latest = (None, None)

    def mirrored(self, row, epoch):
        """Whether an image is seen with left and right swapped; never in evaluation, whose epoch is None."""
        if epoch is None or self.rules["flip"] == "none":
            return False
        if self.rules["flip"] == "alternate":
            return epoch % 2 == 1
        return self.generator("flip", epoch, row).uniform() < 0.5

    def generator(self, purpose, epoch, row):
        return np.random.RandomState(derived_seed(self.seed, purpose, epoch, row))

    def of(self, rows, epoch):
        """{name: [(steps, *shape) array a row]}; asked for the same rows again, the same arrays."""
        key = (tuple(int(row) for row in rows), epoch)
        known, found = self.latest
        if known != key:
            each = [self.of_row(row, epoch) for row in key[0]]
            found = {name: [one[name] for one in each] for name in each[0]}
            self.latest = (key, found)
        return found

    def of_row(self, row, epoch):
        candidates = self.candidates(row)
        if not self.annotated:
            return {"rois": candidates}
        boxes, classes, difficult = self.objects(row)
        if epoch is None or self.rules["regions_per_image"] is None:
            found = all_of(overlaps(candidates, boxes), classes, self.rules["foreground_overlap"])
        else:
            if self.rules["add_annotated"]:
                candidates = np.concatenate([candidates, boxes])
            found = sampled(
                overlaps(candidates, boxes),
                classes,
                difficult,
                self.rules,
                self.generator("regions", epoch, row),
            )
        rois = candidates[found.chosen]
        if self.mirrored(row, epoch):
            rois, boxes = mirrored(rois, self.width), mirrored(boxes, self.width)
        return self.told(rois, boxes, found)

    def candidates(self, row):
        """The proposals (n, 4) of a row, cut to the image; the whole image where there are none."""
        whole = np.array([[0, 0, self.width, self.height]], dtype=np.float32)
        if self.proposals is None:
            return whole
        found = self.proposals.flat([row])[: self.rules["proposals_per_image"]]
        found = clipped(found, self.width, self.height)
        found = found[(found[:, 2] > found[:, 0]) & (found[:, 3] > found[:, 1])]
        return found if len(found) else whole

    def objects(self, row):
        """Boxes (n, 4), classes from 1 on and difficulty of what is annotated in a row."""
        first, end = self.boxes.offsets[row], self.boxes.offsets[row + 1]
        difficult = np.zeros(end - first, dtype=bool)
        if self.difficult is not None:
            difficult = self.difficult.flat([row]).reshape(-1) > 0
        return self.boxes.flat([row]), self.codes[first:end] + 1, difficult

    def told(self, rois, boxes, found):
        """What the four columns say of a row's regions."""
        count = len(self.classes) + 1
        covering = np.flatnonzero(found.labels != BACKGROUND)
        targets = np.zeros((len(rois), count, 4), dtype=np.float32)
        weights = np.zeros((len(rois), count, 4), dtype=np.float32)
        of_class = (covering, found.labels[covering])
        targets[of_class] = coded(
            rois[covering],
            boxes[found.owners[covering]],
            self.rules["target_means"],
            self.rules["target_deviations"],
        )
        weights[of_class] = 1
        return {
            "rois": rois,
            "region_class": np.eye(count, dtype=np.float32)[found.labels],
            "region_targets": targets.reshape(len(rois), -1),
            "region_weights": weights.reshape(len(rois), -1),
        }


class RegionColumn:
    """One of the four fields: rows of as many steps as they have regions."""

    axis = AXIS
    sparse = False
    costly = True

    def __init__(self, regions, name, shape):
        self.regions = regions
        self.name = name
        self.shape = tuple(shape)

    def of(self, rows, epoch):
        found = self.regions.of(rows, epoch)
        if self.name in found:
            return found[self.name]
        # Nothing is annotated: the network is only asked for its outputs.
        return [np.zeros((len(rois),) + self.shape, dtype=np.float32) for rois in found["rois"]]

    def lengths(self, rows, epoch=None):
        return np.array([len(one) for one in self.of(rows, epoch)])

    def flat(self, rows, epoch=None):
        return np.concatenate(self.of(rows, epoch))

    def read(self, rows, epoch=None):
        """Padded; values are (len(rows), most regions, *shape)."""
        found = self.of(rows, epoch)
        lengths = np.array([len(one) for one in found])
        values = np.zeros((len(found), lengths.max()) + self.shape, dtype=np.float32)
        for row, one in enumerate(found):
            values[row, : len(one)] = one
        return Padded(values, lengths)


class Mirrored:
    """Images, with left and right swapped where their regions are."""

    axis = None
    sparse = False

    def __init__(self, column, regions):
        self.column = column
        self.regions = regions
        self.shape = column.shape
        self.scarce = getattr(column, "scarce", 0)

    def expect(self, rows):
        self.column.expect(rows)

    def read(self, rows, epoch=None):
        values = self.column.read(rows, epoch)
        for position, row in enumerate(rows):
            if self.regions.mirrored(int(row), epoch):
                values[position] = values[position, :, :, ::-1].copy()
        return values
