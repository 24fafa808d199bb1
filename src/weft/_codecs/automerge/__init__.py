"""The bytes of Automerge: chunks, columns, changes, saved documents, sync messages."""
