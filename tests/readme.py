"""The README's commands, by its sections, as tests run them: shortened, one after the other in one folder."""

import multiprocessing
import os
import re
import runpy
import shlex
import sys
from fractions import Fraction
from pathlib import Path
from pkgutil import walk_packages

import numpy as np

import vidgan
from vidgan.cli import main
from vidgan.commands.terminal import STOPPED
from vidgan.config_files import config_to_yaml, load_config
from vidgan.media.movie_writer import write_movie

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Text by heading. Sections whose commands take longest have a test file, and so a process, of their own.
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, flags=re.S | re.M))
LONG_SECTIONS = ("Repair", "Speed")

SMALL = ["data.height=32", "data.width=32"]


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
        words += ["train.batch_size=2", "--time-budget", "1s"]
        words += SMALL if "configs/repair64.yaml" in words else []
    if words[:2] == ["vidgan", "plan"]:
        words += ["train.batch_size=2", *SMALL]
    if "tools/bench_train.py" in words:
        words += ["train.batch_size=2", *SMALL, "data.num_frames=4", "--seconds", "0.1"]
    if words[:2] == ["vidgan", "fetch-i3d"]:
        return None
    if words[:2] == ["vidgan", "evaluate"] and "--clips" not in words:
        words += ["--num-clips", "8"]
    if "tools/bench_quality.py" in words:
        words += ["--minutes", "0.05", "--points", "1", "--num-clips", "8", "--only", "half the channels"]
        words[words.index("configs/clip64.yaml")] = "small.yaml"
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
    config = load_config(ROOT / "configs" / "clip64.yaml", SMALL)
    (folder / "small.yaml").write_text(config_to_yaml(config), encoding="utf-8")
    make_plates(folder / "plates", num_frames=80)  # enough clips to be judged by
    text = "\n".join(SECTIONS[section] for section in sections)
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.S):
        code, said = ended(["python", "-c", block], folder)
        assert code == 0, f"{block}\n{said}"
    commands = [words for command in commands_of(text) if (words := shortened(command))]
    assert len(commands) > 3
    for words in commands:
        code, said = ended(words, folder)
        expected = STOPPED if "--time-budget" in words or "status" in words else 0
        assert code == expected, f"{shlex.join(words)}\n{said}"


def ended(words, folder):
    """A command's exit code, and what it printed.

    Each is a process of its own, forked from one that has imported everything: importing takes most commands longest.
    """
    processes = multiprocessing.get_context("forkserver")
    ours = [module.name for module in walk_packages(vidgan.__path__, "vidgan.") if not module.name.endswith("__main__")]
    processes.set_forkserver_preload([*ours, "torch._dynamo"])  # that comes with the first optimiser
    output = folder / ".output"
    process = processes.Process(target=_be, args=(words, folder, output, dict(os.environ)))
    process.start()
    process.join()
    return process.exitcode, output.read_text(encoding="utf-8")


def _be(words, folder, output, environment):
    """Become the command, as a shell would start it in this folder."""
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    os.environ.update(environment)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    program, *rest = words
    if program == "vidgan":
        sys.argv = words
        main()
    elif program == "python" and rest[0] == "-c":
        exec(compile(rest[1], "README.md", "exec"), vars(sys.modules["__main__"]))
    elif program == "python" and rest[0].endswith(".py"):
        sys.argv, sys.path[0] = rest, str(Path(rest[0]).resolve().parent)
        runpy.run_path(rest[0], run_name="__main__")
    else:
        os.execvp(program, words)
