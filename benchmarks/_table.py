"""One line per measurement, and the table of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Line", "print_table", "verdict"]

_HEADER = ("line", "ours", "peer", "peer's", "ours ÷ peer's", "target", "met")


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement beside its peer.

    Attributes:
        name: What was done.
        ours: Our figure, in ``unit``; less is better, except where ``above`` is given.
        peer: Who did the same, and how.
        theirs: The peer's figure in the same unit, or ``None`` where there is no peer.
        at_most: Largest ratio ours ÷ theirs that meets the target, or ``None`` for a line that only informs.
        below: Absolute bound in ``unit`` instead of a ratio.
        above: The same where more is better.
        unit: Of both figures.
    """

    name: str
    ours: float
    peer: str = "-"
    theirs: float | None = None
    at_most: float | None = None
    below: float | None = None
    above: float | None = None
    unit: str = "ms"

    @property
    def ratio(self) -> float | None:
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; ``None`` without one."""
        if self.below is not None:
            return self.ours < self.below
        if self.above is not None:
            return self.ours > self.above
        if self.at_most is not None and self.ratio is not None:
            return self.ratio <= self.at_most
        return None

    def columns(self) -> tuple[str, ...]:
        target = "-"
        if self.below is not None:
            target = f"< {_figure(self.below)} {self.unit}"
        elif self.above is not None:
            target = f"> {_figure(self.above)} {self.unit}"
        elif self.at_most is not None:
            target = f"<= {self.at_most:.3g}"
        return (
            self.name,
            f"{_figure(self.ours)} {self.unit}",
            self.peer,
            "-" if self.theirs is None else f"{_figure(self.theirs)} {self.unit}",
            "-" if self.ratio is None else f"{self.ratio:.3g}",
            target,
            {True: "yes", False: "NO", None: "-"}[self.met],
        )


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def print_table(lines: list[Line]) -> None:
    rows = [_HEADER, *(line.columns() for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    for number, row in enumerate(rows):
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def verdict(lines: list[Line]) -> str:
    judged = [line for line in lines if line.met is not None]
    return f"{sum(bool(line.met) for line in judged)} of {len(judged)} targets met"
