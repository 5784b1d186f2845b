"""The README's commands do what it says, all but those of its longest sections."""

from readme import LONG_SECTIONS, README, ROOT, SECTIONS, commands_of, run_commands


def test_the_readmes_commands_do_what_it_says(tmp_path):
    run_commands([section for section in SECTIONS if section not in LONG_SECTIONS], tmp_path)


def test_continuous_integration_runs_the_readmes_test_command():
    (command,) = (line for line in commands_of(README) if "pytest" in line and "slow" not in line)
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
