"""Recipes: short words for specs that are often written. Importing this registers them all."""

from trainer.parts.recipes import tables
from trainer.parts.recipes.registry import Field, recipes

__all__ = ["Field", "recipes", "tables"]
