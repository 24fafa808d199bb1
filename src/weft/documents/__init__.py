"""A CRDT document of either kind, with every change told once and nothing that bytes can break."""
