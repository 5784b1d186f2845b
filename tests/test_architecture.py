"""The layout of the package is a promise: imports point down, and a few doors are the only ones."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vidgan

PACKAGE = Path(vidgan.__file__).parent

# What each part may import of vidgan, beside itself.
BOTTOM = {"errors", "files"}
BASE = BOTTOM | {"clip", "config", "config_files", "config_values"}
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "clip": {"errors"},
    "config": {"config_values", "errors"},
    "config_values": set(),
    "config_files": {"config", "errors"},
    "media": BASE,
    "nn": BASE - {"files"},
    "footage": BASE | {"media"},
    "weights": BASE | {"nn"},
    "training": BASE | {"nn", "footage", "weights"},
    "sampling": BASE | {"nn", "footage", "weights"},
    "metrics": BASE | {"nn", "footage", "media", "weights", "sampling"},
    "review": BASE | {"nn", "footage", "media", "weights", "sampling", "metrics"},
    "progress": set(),
    "processor": set(),
    "survey": BASE | {"footage", "review", "progress"},
    "judge": BASE
    | {"footage", "weights", "sampling", "training", "metrics", "review", "progress", "processor", "survey"},
    "samples": BASE | {"footage", "weights", "sampling", "training", "metrics", "review"},
    "run_folder": BASE | {"weights", "training"},
    "memory": BASE | {"training"},
    "measure": BASE | {"footage", "weights", "training", "memory", "processor", "run_folder", "samples"},
    "plan": BASE | {"nn", "training", "progress", "memory", "processor", "measure", "survey"},
    "status": BASE | {"training", "review", "progress", "run_folder"},
    "run_output": BASE | {"footage", "weights", "training", "run_folder", "samples", "status"},
    "run": BASE
    | {"footage", "weights", "training", "metrics", "progress", "memory", "processor", "run_folder", "run_output"},
    "demo": BASE
    | {"nn", "footage", "media", "weights", "sampling", "training", "metrics", "review", "progress", "run", "survey"},
}
TOP = {"cli", "commands", "__main__", "__init__"}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    part = part_of(path)
    used = {name.split(".")[1] for name in imports_of(path) if name.startswith("vidgan.") and name.count(".") >= 1}
    if part not in TOP:
        assert part in ALLOWED, f"{part} has no place in the layout"
        assert used - {part, "__version__"} <= ALLOWED[part]


@pytest.mark.parametrize("library", ["av", "imageio", "tifffile", "OpenEXR", "OpenImageIO", "PyOpenColorIO"])
def test_only_media_opens_files_with_media_libraries(library):
    users = {part_of(path) for path in SOURCES if any(n.split(".")[0] == library for n in imports_of(path))}
    assert users <= {"media"}


def test_every_public_name_is_there_and_no_other_is_listed():
    assert len(set(vidgan.__all__)) == len(vidgan.__all__)
    for name in vidgan.__all__:
        assert getattr(vidgan, name) is not None
    assert dir(vidgan) == sorted(vidgan.__all__)
    with pytest.raises(AttributeError, match="no attribute 'critic'"):
        _ = vidgan.critic


def test_the_readme_shows_every_public_name():
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    from_python = readme.partition("## From Python")[2].partition("\n## ")[0]
    assert [name for name in vidgan.__all__ if name != "__version__" and name not in from_python] == []


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, vidgan, vidgan.cli; print([m for m in ('torch', 'av', 'imageio') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_no_file_is_called_utils_and_none_is_longer_than_three_hundred_lines():
    for path in SOURCES:
        assert "util" not in path.stem
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
