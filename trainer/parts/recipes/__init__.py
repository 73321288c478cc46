"""Recipes: short words for specs that are often written. Importing this registers them all."""

from trainer.parts.recipes import detection, images, sequences, tables
from trainer.parts.recipes.registry import Field, RecipeError, recipes

__all__ = ["Field", "RecipeError", "detection", "images", "recipes", "sequences", "tables"]
