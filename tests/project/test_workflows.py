"""The workflows: what they run exists, what they use is pinned, and no job has more rights than it needs."""

import re
from collections.abc import Iterator

import pytest
import yaml

from autograder.authoring.handout import SITE
from tests.support import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
PUBLISHED = "_build/handout/docs"


def read(name: str) -> dict:
    return yaml.load(
        (ROOT / ".github" / "workflows" / name).read_text(), Loader=yaml.BaseLoader
    )  # "on" is not a truth value


def steps(workflow: dict) -> Iterator[dict]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def test_there_is_one_to_test_one_to_publish_and_one_for_what_takes_long():
    assert [path.name for path in WORKFLOWS] == ["pages.yml", "prove.yml", "test.yml"]
    assert set(read("prove.yml")["on"]) == {"schedule", "workflow_dispatch"}
    runs = [step["run"] for step in steps(read("prove.yml")) if "run" in step]
    assert {"make prove", "make test-all"} <= set(runs)
    assert runs.index("git diff --exit-code") > runs.index("make prove"), (
        "the committed files must be those that the proof gives"
    )
    assert set(read("test.yml")["on"]) == {"push", "pull_request"}
    assert read("pages.yml")["on"]["push"]["branches"] == ["main"]
    assert "pull_request" not in read("pages.yml")["on"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit_and_name_its_version(path):
    text = path.read_text()
    used = re.findall(r"uses: *(.*)", text)
    assert len(used) == sum("uses" in step for step in steps(read(path.name)))
    for line in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
        assert line.startswith("actions/"), f"{line} does not come from GitHub's own organisations"


def test_an_action_has_one_version_everywhere():
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: *(.*)", path.read_text())}
    assert len({line.split("@")[0] for line in used}) == len(used), used


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_permissions_are_the_least(path):
    workflow = read(path.name)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        writes = {what for what, how in job.get("permissions", {}).items() if how != "read"}
        publishes = any("deploy-pages" in step.get("uses", "") for step in job["steps"])
        assert writes == ({"pages", "id-token"} if publishes else set()), name
        if publishes:
            assert not any("run" in step or "checkout" in step.get("uses", "") for step in job["steps"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_ends_and_keeps_no_token(path):
    workflow = read(path.name)
    assert "concurrency" in workflow
    for name, job in workflow["jobs"].items():
        assert 0 < int(job["timeout-minutes"]) <= 120, name
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == "false"


def test_every_supported_python_is_tested():
    supported = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    versions = [f"3.{minor}" for minor in range(int(supported[1]), int(supported[2]))]
    assert read("test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == versions


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_is_run_exists(path):
    makefile = (ROOT / "Makefile").read_text()
    runs = [step["run"] for step in steps(read(path.name)) if "run" in step]
    targets = [word for run in runs for word in re.findall(r"^make (\w+)", run, re.MULTILINE)]
    scripts = [word for run in runs for word in re.findall(r"^(\./\S+|\.\w+/\S+)", run, re.MULTILINE)]
    assert targets + scripts, "nothing of the project is run"
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"the Makefile has no target {target}"
    for script in scripts:
        assert (ROOT / script).stat().st_mode & 0o111, f"{script} cannot be run"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_sandbox_is_allowed_before_it_is_needed(path):
    runs = [step["run"] for job in read(path.name)["jobs"].values() for step in job["steps"] if "run" in step]
    allowed = [place for place, run in enumerate(runs) if "apparmor_restrict_unprivileged_userns=0" in run]
    needed = [place for place, run in enumerate(runs) if run.startswith((".ci/run", "make "))]
    assert allowed
    assert needed
    assert allowed[0] < needed[0]


def test_what_is_published_is_the_handout():
    upload = next(step for step in steps(read("pages.yml")) if "upload-pages-artifact" in step.get("uses", ""))
    assert upload["with"]["path"] == PUBLISHED
    assert PUBLISHED.endswith(f"/{SITE}")
    assert re.search(r"^HANDOUT \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1] == PUBLISHED.removesuffix(
        f"/{SITE}"
    )
    build = next(step for step in steps(read("pages.yml")) if step.get("run") == "make handout")
    assert build["env"]["SITE_URL"] == "${{ steps.pages.outputs.base_url }}"
