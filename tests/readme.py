"""The README's commands, by its sections, as tests run them: shortened, one after the other in one folder."""

import os
import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidgan.commands.terminal import STOPPED
from vidgan.media.movie_writer import write_movie

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Text by heading. Sections whose commands take longest have a test file, and so a process, of their own.
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, flags=re.S | re.M))
LONG_SECTIONS = ("Repair", "Speed")


def make_plates(folder, *, num_frames=40):
    """Two class folders with a movie each, of a gradient that moves."""
    ramp = np.linspace(0, 255, 96).astype(np.uint8)
    for class_name, direction in (("left", 1), ("right", -1)):
        (folder / class_name).mkdir(parents=True)
        frames = (np.tile(np.roll(ramp, direction * 3 * t)[None, :, None], (64, 1, 3)) for t in range(num_frames))
        write_movie(folder / class_name / "a.mp4", frames, rate=Fraction(24))


def commands_of(text):
    """Command lines of the bash blocks, continued lines joined."""
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def shortened(command):
    """The same command for seconds instead of minutes; installing and testing are what runs this."""
    if "pip install" in command:
        return None
    words = shlex.split(command, comments=True)
    if words[:2] == ["vidgan", "demo"]:
        words += ["--minutes", "0.05", "--shots", "2"]
    if words[:2] == ["vidgan", "train"] and not {"--dry-run", "--show-damage"} & set(words):
        words += ["--time-budget", "1s"]
    if words[:2] == ["vidgan", "plan"]:
        words += ["train.batch_size=2"]
    if "tools/bench_train.py" in words:
        words += ["train.batch_size=2", "--seconds", "0.1"]
    if words[:2] == ["vidgan", "fetch-i3d"]:
        return None
    if words[:2] == ["vidgan", "evaluate"] and "--clips" not in words:
        words += ["--num-clips", "8"]
    if "tools/bench_quality.py" in words:
        words += ["--minutes", "0.05", "--points", "1", "--num-clips", "8", "--only", "half the channels"]
    if "tools/bench_export.py" in words:
        words += ["--frames", "2", "--turns", "1", "--height", "90", "--width", "160"]
    if "tools/bench_generate.py" in words:
        words += ["--sizes", "16x16", "--seconds", "0.1", "--long", "512"]
    if "tools/bench_loader.py" in words:
        words += ["--quick"]
    if "tools/make_footage.py" in words:
        words += ["--shots", "1"]
    return words


def run_commands(sections, folder):
    """Run the Python of these sections, and then their commands, on made plates; all must end as the README says."""
    for name in ("configs", "tools"):
        (folder / name).symlink_to(ROOT / name)
    make_plates(folder / "plates", num_frames=80)  # enough clips to be judged by
    text = "\n".join(SECTIONS[section] for section in sections)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.S):
        result = subprocess.run([sys.executable, "-c", block], cwd=folder, capture_output=True, text=True)
        assert result.returncode == 0, f"{block}\n{result.stderr}"
    commands = [words for command in commands_of(text) if (words := shortened(command))]
    assert len(commands) > 3
    for words in commands:
        result = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
        expected = STOPPED if "--time-budget" in words or "status" in words else 0
        assert result.returncode == expected, f"{shlex.join(words)}\n{result.stdout}\n{result.stderr}"
