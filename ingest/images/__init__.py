"""Archives of images: what is in them, and their pixels as columns."""
