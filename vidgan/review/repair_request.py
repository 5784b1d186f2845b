"""What can be asked of a repair."""

from __future__ import annotations

from dataclasses import dataclass

from vidgan.errors import RequestError


@dataclass(frozen=True)
class Wanted:
    """What is asked for: one of `mask`, `boxes`, `missing`, `find` and `degrain`."""

    mask: str | None = None
    boxes: tuple[str, ...] = ()
    missing: str | None = None
    find: bool = False
    degrain: float | None = None
    """Standard deviation of the noise to take off, in levels of 8 bits."""
    regrain: float = 0.0
    """Of the grain to put on what is made."""
    grow: int = 0
    """Pixels by which masks, boxes and what was found are widened."""
    seed: int | None = None
    """Of an alternative; None is what is expected."""

    def __post_init__(self) -> None:
        """Raise `RequestError` unless one thing is asked for, with numbers that can be had."""
        asked = {
            "--mask": self.mask is not None,
            "--box": bool(self.boxes),
            "--missing": self.missing is not None,
            "--find": self.find,
            "--degrain": self.degrain is not None,
        }
        chosen = [option for option, given in asked.items() if given]
        if len(chosen) != 1:
            found = " and ".join(chosen) or "none"
            raise RequestError(
                f"{found} is asked for (expected one of {', '.join(asked)}; other repairs follow on its output)"
            )
        if self.degrain is not None and self.degrain <= 0:
            raise RequestError(f"--degrain is {self.degrain:g} (expected levels above 0, such as 8)")
        if self.degrain is not None and self.seed is not None and not self.regrain:
            raise RequestError(
                "--seeds are alternatives for what is made anew, and --degrain makes nothing; add --regrain"
            )
        if self.grow and not (self.mask or self.boxes or self.find):
            raise RequestError("--grow widens masks, boxes and what is found; leave it out")

    @property
    def is_in_holes(self) -> bool:
        """Whether the pictures stay outside of holes."""
        return self.degrain is None
