"""Automerge documents and their clients."""
