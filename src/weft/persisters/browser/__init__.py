"""Places that a browser has, for Python that runs there: what JavaScript's TinyBase writes and reads."""
