"""Helpers on asyncio: a clock, ending tasks, one worker thread."""
