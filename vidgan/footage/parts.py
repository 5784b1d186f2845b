"""Which frames of a source make its shots: between gaps and cuts, without what is to be left out."""

from __future__ import annotations

from vidgan.config import DataConfig
from vidgan.footage.look import Looks


def kept_parts(runs: list[range], looks: Looks, data: DataConfig) -> tuple[list[range], list[str]]:
    """Frames of each shot, and why others are left out, in words.

    Shots are the unbroken runs, parted at cuts, without the black and frozen stretches that `data.leave_out` names.

        runs [0, 60)   cut at 40   black [0, 12)   -> [12, 40), [40, 60)
    """
    stretches = {"black": looks.black, "frozen": looks.frozen}
    out = {index for kind, found in stretches.items() if kind in data.leave_out for part in found for index in part}
    parts: list[range] = []
    for run in runs:
        for index in run:
            if index in out:
                continue
            follows = bool(parts) and parts[-1].stop == index and index != run.start and index not in looks.cuts
            if follows:
                parts[-1] = range(parts[-1].start, index + 1)
            else:
                parts.append(range(index, index + 1))
    reasons = [
        f"{sum(map(len, found))} frames are {kind} ({_first_few(found)}), left out"
        for kind, found in stretches.items()
        if found and kind in data.leave_out
    ]
    return parts, reasons


def _first_few(stretches: list[range]) -> str:
    few = ", ".join(f"{stretch.start} to {stretch.stop - 1}" for stretch in stretches[:3])
    return f"{few}, ..." if len(stretches) > 3 else few
