"""Boxes drawn on images, as Pascal VOC, CNTK's region files and COCO write them down."""
