"""What is attached to something else, and so is neither copied nor pickled.

``copy.copy`` would make a second object with the first one's hooks and owner: to end one would end the other,
and what was written would be told twice. A Store is content, and copies to a free one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from typing import SupportsIndex

__all__ = ["Uncopied"]


class Uncopied:
    """A base class: ``copy.copy``, ``copy.deepcopy`` and ``pickle`` raise ``TypeError``.

    Attributes:
        instead_of_copy: What to do instead, as the error says it.
    """

    __slots__ = ()

    instead_of_copy = "make another one"

    def __reduce_ex__(self, protocol: SupportsIndex) -> Never:  # all three come here
        name = type(self).__name__
        article = "an" if name[0] in "AEIOU" else "a"
        raise TypeError(
            f"{article} {name} is attached to others and cannot be copied or pickled: {self.instead_of_copy}"
        )
