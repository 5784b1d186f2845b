"""The commands of the README's section "Repair" do what it says."""

from readme import run_commands


def test_the_commands_of_the_section_do_what_it_says(tmp_path):
    run_commands(["Repair"], tmp_path)
