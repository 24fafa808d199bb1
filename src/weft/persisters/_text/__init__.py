"""Places that keep the whole content as one text under a version."""
