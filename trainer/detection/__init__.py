"""Finding objects: regions of images, what they are to become, and what comes of them. Without CNTK."""
