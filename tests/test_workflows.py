import re
import shlex
import subprocess
import sys

import click
import pytest
from ruamel.yaml import YAML

from bench import cli
from bench.commands import workflow
from bench.spec import shipped
from model import plugins

SCHEMAS = {
    "github": ["--builtin-schema", "vendor.github-workflows"],
    "gitlab": ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
}


def checked(file, system):
    command = [sys.executable, "-m", "check_jsonschema", *SCHEMAS[system], str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("system", workflow.shipped())
def test_a_workflow_holds_to_the_schema_of_its_system_and_a_broken_one_does_not(pinchpoint, tmp_path, system):
    code, text, _ = pinchpoint("workflow", system)
    assert code == 0
    (tmp_path / "good.yml").write_text(text)
    assert checked(tmp_path / "good.yml", system).returncode == 0
    (tmp_path / "bad.yml").write_text(re.sub("^(.*)(runs-on|script):", r"\1scirpt:", text, flags=re.MULTILINE))
    assert checked(tmp_path / "bad.yml", system).returncode == 1


@pytest.mark.parametrize("system", workflow.shipped())
def test_a_workflow_names_forms_and_sweeps_that_there_are_and_every_exit_code(pinchpoint, system):
    _, text, _ = pinchpoint("workflow", system)
    kinds = re.findall(r'--write "?(\w+)=', text)
    assert "junit" in kinds
    assert set(kinds) <= set(plugins.names("reports.ci"))
    assert set(re.findall(r"pinchpoint sweep (\w+)", text)) <= set(shipped())
    assert re.findall(r"^#   (\d)  ", text, re.MULTILINE) == ["0", "1", "2", "3"]
    assert "ADAPT" in text


@pytest.mark.parametrize("system", workflow.shipped())
def test_every_command_of_a_workflow_is_one_and_knows_its_flags(pinchpoint, system):
    _, text, _ = pinchpoint("workflow", system)
    told = re.sub(r"#.*", "", text)
    commands = re.findall(r"pinchpoint ((?:ab|sweep|history|compare|report)\b(?:[^\n]|\n +--)*)", told)
    assert {command.split()[0] for command in commands} >= {"ab", "sweep", "history"}
    for command in commands:
        name, *words = shlex.split(command)
        made = cli.cli.get_command(click.Context(cli.cli), name)
        known = {flag for parameter in made.params for flag in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_no_name_from_outside_is_pasted_into_a_script_of_github(pinchpoint):
    """An expression inside a script would run what somebody called a branch."""
    _, text, _ = pinchpoint("workflow", "github")
    jobs = YAML(typ="safe").load(text)["jobs"]
    scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


def test_an_unknown_system_is_refused_with_those_that_there_are(pinchpoint):
    code, _, err = pinchpoint("workflow", "jenkins")
    assert code == 2
    assert "github" in err
    assert "gitlab" in err
