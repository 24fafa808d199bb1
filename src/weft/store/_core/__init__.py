"""The Store as one class in a chain, one duty a link, each importing only the link below."""
