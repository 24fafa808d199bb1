"""Yjs rooms and their clients."""
