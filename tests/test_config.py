"""Settings: typed, strict, read from YAML and overrides, refused in words."""

from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from vidgan.config import Config
from vidgan.config_files import build_config, config_to_yaml, load_config
from vidgan.config_values import parse_rate
from vidgan.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "configs"


def refusal(tree, overrides=None):
    with pytest.raises(ConfigError) as error:
        build_config(tree, overrides, source="a.yaml")
    return str(error.value)


def test_what_a_file_does_not_say_has_its_default(tmp_path):
    (tmp_path / "a.yaml").write_text("data:\n  height: 36\n")
    config = load_config(tmp_path / "a.yaml")
    assert config.data.height == 36
    assert config.data.width == Config().data.width
    assert config.train == Config().train


def test_an_empty_file_is_the_defaults(tmp_path):
    (tmp_path / "a.yaml").write_text("# all as it comes\n")
    assert load_config(tmp_path / "a.yaml") == Config()


def test_a_config_comes_back_equal_through_yaml(tmp_path):
    config = build_config(
        {
            "data": {"rate": "24000/1001", "height": 36, "width": 64, "channels": 1, "classes": "folders"},
            "augment": {"color": 0.25, "mirror": True},
            "train": {"adam_beta2": {0: 0.9, 10: 0.99}, "generator_lr": 1e-5, "loss": "hinge"},
        }
    )
    for each in (config, Config()):
        (tmp_path / "a.yaml").write_text(config_to_yaml(each))
        assert load_config(tmp_path / "a.yaml") == each
    assert config_to_yaml(config).count("rate: 24000/1001") == 1


def test_every_config_that_is_shipped_is_read():
    for path in sorted(CONFIGS.glob("*.yaml")):
        load_config(path)


# Rates


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        (24, Fraction(24)),
        ("25", Fraction(25)),
        (12.5, Fraction(25, 2)),
        ("24000/1001", Fraction(24000, 1001)),
        (23.976, Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        (Fraction(30000, 1001), Fraction(30000, 1001)),
    ],
)
def test_a_rate_is_an_exact_fraction(written, rate):
    assert parse_rate(written) == rate
    assert build_config({"data": {"rate": written}}).data.rate == rate


@pytest.mark.parametrize("written", ["fast", "24/0", True, [24], "", "nan", "inf"])
def test_what_is_no_rate_is_refused_with_examples(written):
    assert f'"{written}" is not a rate: write 24, 25 or 24000/1001' in refusal({"data": {"rate": written}})


@pytest.mark.parametrize("written", [0, -24, "-24000/1001"])
def test_a_rate_is_above_zero(written):
    assert f'"{written}" is not a rate: it must be above zero' in refusal({"data": {"rate": written}})


def test_no_rate_stays_no_rate():
    assert build_config({}, ["data.rate="]).data.rate is None


@pytest.mark.parametrize("beta2", [1, 1.5, {0: 0.9, 10: 1.0}])
def test_the_memory_of_adam_has_an_end(beta2):
    assert "(expected below 1, such as 0.99)" in refusal({"train": {"adam_beta2": beta2}})


@pytest.mark.parametrize("seed", [-1, 2**32, 2**64])
def test_a_seed_is_one_that_torch_tells_apart_from_all_others(seed):
    assert "train.seed" in refusal({"train": {"seed": seed}})
    assert build_config({"train": {"seed": 2**32 - 1}}).train.seed == 2**32 - 1


# Overrides


def test_an_override_wins_over_the_file(tmp_path):
    (tmp_path / "a.yaml").write_text("train:\n  seed: 1\n  batch_size: 8\n")
    overrides = ["train.seed=2", "data.rate=24000/1001", "augment.mirror=true", "train.generator_lr=1e-4"]
    config = load_config(tmp_path / "a.yaml", [*overrides, "train.seed=3"])
    assert (config.train.seed, config.train.batch_size, config.data.rate) == (3, 8, Fraction(24000, 1001))
    assert (config.augment.mirror, config.train.generator_lr) == (True, 1e-4)


def test_overrides_leave_the_tree_they_are_given_alone():
    tree = {"train": {"seed": 1}}
    assert build_config(tree, ["train.seed=2"]).train.seed == 2
    assert tree == {"train": {"seed": 1}}


@pytest.mark.parametrize("override", ["data.height", "height=3", "=3", ".height=3", "data.=3", ""])
def test_what_is_no_override_is_refused_with_an_example(override):
    expected = f'"{override}" is not an override (expected section.key=value, such as train.seed=1)'
    assert refusal({}, [override]) == expected


def test_an_override_must_hold_yaml():
    assert refusal({}, ["data.height=[1"]) == '"data.height=[1": the value is not YAML'


# Words


def test_an_unknown_setting_names_the_nearest_one():
    assert refusal({"data": {"hight": 3}}) == 'a.yaml: unknown setting "data.hight" (did you mean "height"?)'
    assert refusal({"trian": {}}) == 'a.yaml: unknown setting "trian" (did you mean "train"?)'
    assert refusal({}, ["train.lr_generator=1"]).startswith('a.yaml: unknown setting "train.lr_generator"')


def test_an_unknown_setting_like_no_other_names_all():
    sections = ", ".join(Config.model_fields)
    assert refusal({"zzz": {}}) == f'a.yaml: unknown setting "zzz" (known: {sections})'


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"data": {"height": "tall"}}, "data.height is 'tall': Input should be a valid integer"),
        ({"data": {"height": 64.5}}, "data.height is 64.5: Input should be a valid integer"),
        ({"data": {"height": None}}, "data.height is None: Input should be a valid integer"),
        ({"data": {"height": 7}}, "data.height is 7: Input should be greater than or equal to 8"),
        ({"data": {"channels": 2}}, "data.channels is 2: Input should be 1 or 3"),
        ({"train": {"penalty": "r3"}}, "train.penalty is 'r3': Input should be 'exact' or 'finite_difference'"),
        ({"train": {"adam_beta1": "x"}}, "train.adam_beta1 is 'x': Input should be a valid number"),
        ({"train": 5}, "train is 5: "),
    ],
)
def test_a_wrong_type_names_the_key_and_what_was_found(tree, words):
    assert refusal(tree).startswith(f"a.yaml: {words}")


def test_a_key_that_is_no_word_is_refused():
    for tree in ({1: {}}, {"data": {2: 3}}):
        assert refusal(tree).startswith("a.yaml: ")


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path):
    (tmp_path / "list.yaml").write_text("- data\n- train\n")
    (tmp_path / "broken.yaml").write_text("data: [1\n")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    cases = {
        "missing.yaml": "cannot",
        "": "cannot",
        "bytes.yaml": "cannot",
        "broken.yaml": "not YAML",
        "list.yaml": 'holds a list (expected sections such as "data:" and "train:")',
    }
    for name, words in cases.items():
        with pytest.raises(ConfigError) as error:
            load_config(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: {words}")
        assert "\n" not in str(error.value)


def test_every_setting_says_what_it_is():
    def undescribed(model: type[BaseModel], prefix=""):
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from undescribed(field.annotation, f"{prefix}{name}.")
            elif not field.description:
                yield f"{prefix}{name}"

    assert list(undescribed(Config)) == []


def test_a_config_does_not_change_during_a_run():
    with pytest.raises(ValidationError):
        Config().train.seed = 3
