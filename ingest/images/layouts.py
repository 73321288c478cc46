"""How archives tell what their images are: which layout they have, and what that finds."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.annotations.detection import annotated_layout, is_detection, list_detection
from ingest.faults import FaultList
from ingest.fields import Fitted
from ingest.images.archives import Archive
from ingest.images.folders import list_folders
from ingest.images.listing import Listing
from ingest.images.maps import has_maps, list_maps
from ingest.images.options import ImageOptions, Layout
from ingest.options import Options
from jobs.errors import Fault, InvalidInput


def layout_of(archives: Sequence[Archive], options: ImageOptions) -> Layout:
    """The layout that is told, or the one that the files of the archives have."""
    if options.layout is not None:
        return options.layout
    plain: Layout = "map" if any(map(has_maps, archives)) else "folders"
    return annotated_layout(archives) or plain


def list_images(archives: Sequence[Archive], options: Options, fitted: Fitted, faults: FaultList) -> Listing:
    """``fitted``: the fields of the data set that a network is trained on already; it needs no classes."""
    assert options.images is not None
    layout = layout_of(archives, options.images)
    match layout:
        case "voc" | "rois" | "coco":
            return list_detection(archives, layout, options, faults)
        case "folders" | "map" if is_detection(fitted):
            return list_detection(archives, None, options, faults)
        case "folders" | "map" if options.images.proposals is not None:
            problem = "proposals are of images with boxes, and the upload has no annotations that tell any"
            raise InvalidInput.of([Fault("/options/images/proposals", "conflict", problem)])
        case "folders":
            return list_folders(archives, bool(fitted), faults)
        case "map":
            return list_maps(archives, options.images, bool(fitted), faults)
