"""Configs as files: settings read from YAML and `key=value` overrides, and written as YAML.

A config is a file in `configs/`. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vidgan.config import Config
from vidgan.errors import ConfigError, did_you_mean


def load_config(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Read a YAML file and apply `section.key=value` overrides.

    Raises `ConfigError` naming the file or override, the key, what was found and what is known.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); expected a config such as configs/clip64.yaml") from None
    try:
        tree = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(tree, dict):
        raise ConfigError(f'{path}: holds a {type(tree).__name__} (expected sections such as "data:" and "train:")')
    return build_config(tree, overrides, source=str(path))


def build_config(tree: dict[str, Any], overrides: list[str] | None = None, *, source: str = "config") -> Config:
    """Validate a tree of settings after applying `section.key=value` overrides. Raises `ConfigError`."""
    tree = {name: {} if section is None else section for name, section in tree.items()}
    for override in overrides or []:
        key, equals, value = override.partition("=")
        section, dot, field = key.partition(".")
        if not (equals and dot and section and field):
            raise ConfigError(f'"{override}" is not an override (expected section.key=value, such as train.seed=1)')
        before = tree.get(section, {})
        if not isinstance(before, dict):
            raise ConfigError(f'{source}: "{section}" is not a section of settings')
        try:
            tree[section] = {**before, field: yaml.safe_load(value)}
        except yaml.YAMLError:
            raise ConfigError(f'"{override}": the value is not YAML') from None
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_in_words(error)}") from None


def _in_words(error: ValidationError) -> str:
    """The first problem that pydantic found, as a sentence."""
    problem = error.errors()[0]
    kind_of_value = re.compile(r"str|float|constrained-float|dict\[.*")  # one of several that a setting may have
    place = [str(part) for part in problem["loc"] if not kind_of_value.fullmatch(str(part))]
    key = ".".join(place)
    if problem["type"] == "extra_forbidden":
        known = Config.model_fields if len(place) == 1 else Config.model_fields[place[0]].annotation.model_fields
        return f'unknown setting "{key}"{did_you_mean(place[-1], known)}'
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error" and len(place) == 1:  # settings that do not go together
        return f"{key}: {message}"
    if "constrained-float" in problem["loc"]:
        message += " (or numbers by kclips, such as {0: 0.001, 200: 0.0001})"
    return f"{key} is {problem['input']!r}: {message}"


def config_to_yaml(config: Config) -> str:
    """The whole config, defaults included, as YAML that `load_config` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
