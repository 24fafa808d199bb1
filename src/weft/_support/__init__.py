"""Helpers without a subject: exports on demand, lists of callbacks, URLs fit for logs."""
