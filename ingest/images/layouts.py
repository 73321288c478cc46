"""How an archive tells what its images are: which layout it has, and what that finds."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.faults import FaultList
from ingest.images.archives import Archive
from ingest.images.folders import list_folders
from ingest.images.listing import Listing
from ingest.images.maps import has_maps, list_maps
from ingest.images.options import ImageOptions, Layout


def layout_of(archives: Sequence[Archive], options: ImageOptions) -> Layout:
    """The layout that is told, or the one that the files of the archives have."""
    if options.layout is not None:
        return options.layout
    return "map" if any(map(has_maps, archives)) else "folders"


def list_images(
    archives: Sequence[Archive], options: ImageOptions, predicted: bool, faults: FaultList
) -> Listing:
    """``predicted``: whether the images are for a network that is trained already, and need no class."""
    match layout_of(archives, options):
        case "folders":
            return list_folders(archives, predicted, faults)
        case "map":
            return list_maps(archives, options, predicted, faults)
