"""Persisting a MergeableStore to the file of a Durable Object, in the forms that TinyBase has there."""

from __future__ import annotations

from weft.persisters.durable_objects.persister import DurableObjectPersister as DurableObjectPersister

__all__ = ["DurableObjectPersister"]
