"""Mergeable documents and their clients, which speak as TinyBase does."""
