"""How much two strings have in common at their ends, by halving: comparing slices is fast, a loop is not."""

from __future__ import annotations

__all__ = ["common_prefix", "common_suffix"]


def common_prefix(old: str, new: str, most: int) -> int:
    """Count how many characters are the same at the beginning of both, up to ``most``."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        if old[least:middle] == new[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def common_suffix(old: str, new: str, most: int) -> int:
    """Count how many characters are the same at the end of both, up to ``most``."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        if old[len(old) - middle : len(old) - least] == new[len(new) - middle : len(new) - least]:
            least = middle
        else:
            most = middle - 1
    return least
