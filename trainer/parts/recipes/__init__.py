"""Recipes: short words for specs that are often written. Importing this registers them all."""

from trainer.parts.recipes import detection, images, sequences, tables, transfer
from trainer.parts.recipes.registry import Base, Field, RecipeError, recipes

__all__ = [
    "Base",
    "Field",
    "RecipeError",
    "detection",
    "images",
    "recipes",
    "sequences",
    "tables",
    "transfer",
]
