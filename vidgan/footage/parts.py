"""Which frames of a source make its shots: between gaps and cuts, without what is to be left out."""

from __future__ import annotations

from vidgan.config import DataConfig
from vidgan.footage.look import Looks


def kept_parts(runs: list[range], looks: Looks, data: DataConfig) -> tuple[list[range], list[str]]:
    """Frames of each shot, and why others are left out, in words.

    Shots are the unbroken runs, parted at cuts, without the black and frozen stretches that `data.leave_out` names.

        runs [0, 60)   cut at 40   black [0, 12)   -> [12, 40), [40, 60)
    """
    black = {index for stretch in looks.black for index in stretch} if "black" in data.leave_out else set()
    frozen = {index for stretch in looks.frozen for index in stretch} if "frozen" in data.leave_out else set()
    parts: list[range] = []
    for run in runs:
        for index in run:
            if index in black or index in frozen:
                continue
            follows = bool(parts) and parts[-1].stop == index and index != run.start and index not in looks.cuts
            if follows:
                parts[-1] = range(parts[-1].start, index + 1)
            else:
                parts.append(range(index, index + 1))
    left_out = {"black": black, "frozen": frozen - black}
    reasons = [f"{len(out)} frames are {kind} ({_in_words(out)}), left out" for kind, out in left_out.items() if out]
    return parts, reasons


def _in_words(indices: set[int]) -> str:
    """The first few stretches of frames: "0 to 20, 50 to 77, 90 to 101, ..."."""
    stretches: list[list[int]] = []
    for index in sorted(indices):
        if stretches and stretches[-1][1] == index - 1:
            stretches[-1][1] = index
        else:
            stretches.append([index, index])
    few = ", ".join(f"{first} to {last}" for first, last in stretches[:3])
    return f"{few}, ..." if len(stretches) > 3 else few
