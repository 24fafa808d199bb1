"""Shapes: how the tables and values of a Store stand in a document of another application's making."""

from __future__ import annotations

from weft.mirrors.shapes.declared import (
    ArrayOfMaps as ArrayOfMaps,
    MapOfMaps as MapOfMaps,
    MapOfValues as MapOfValues,
    Nested as Nested,
    Shapes as Shapes,
    SharedText as SharedText,
    check_shapes as check_shapes,
)
from weft.mirrors.shapes.inspection import Inspection as Inspection
from weft.mirrors.shapes.part import (
    Change as Change,
    Context as Context,
    Found as Found,
    Part as Part,
    Shape as Shape,
)
from weft.mirrors.shapes.tree import Kind as Kind, Place as Place, Root as Root, Tree as Tree

__all__ = [
    "ArrayOfMaps",
    "Change",
    "Context",
    "Found",
    "Inspection",
    "Kind",
    "MapOfMaps",
    "MapOfValues",
    "Nested",
    "Part",
    "Place",
    "Root",
    "Shape",
    "Shapes",
    "SharedText",
    "Tree",
    "check_shapes",
]
