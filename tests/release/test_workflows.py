"""The workflows: actions pinned, rights few, and nothing of substance that `make` does not do here, too."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any, Final

import pytest

from release import wheel
from release.project import CHECKOUT, PLATFORMS

WORKFLOWS: Final = sorted((CHECKOUT / ".github" / "workflows").glob("*.yaml"))
each_workflow = pytest.mark.parametrize("name", [path.name for path in WORKFLOWS])


def workflow(name: str) -> dict[str, Any]:
    """A workflow as it is read."""
    import yaml

    return dict(yaml.safe_load((CHECKOUT / ".github" / "workflows" / name).read_text()))


NODE_24: Final = {
    "checkout": 5,
    "setup-python": 6,
    "upload-artifact": 6,
    "download-artifact": 7,
    "attest-build-provenance": 3,
}
"""The first version of each action that runs on Node 24: runners have no Node 20 any more, since 2026-09-16."""


@each_workflow
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(name: str) -> None:
    text = (CHECKOUT / ".github" / "workflows" / name).read_text()
    used = re.findall(r"uses: (.*)", text)
    assert used
    pins = [re.fullmatch(r"actions/([\w-]+)@[0-9a-f]{40} # v(\d+)\.\d+\.\d+", line) for line in used]
    assert [line for line, pin in zip(used, pins, strict=True) if not pin] == []
    assert [pin[0] for pin in pins if pin and int(pin[2]) < NODE_24[pin[1]]] == []


@each_workflow
def test_rights_are_given_to_the_job_that_needs_them(name: str) -> None:
    found = workflow(name)
    assert found["permissions"] == {"contents": "read"}
    writing = {job for job, body in found["jobs"].items() if "write" in str(body.get("permissions", ""))}
    assert writing <= {"publish", "propose"}
    # What writes runs for a tag alone, and runs nothing of a checkout that somebody proposes.
    assert {found["jobs"][job]["if"] for job in writing} <= {"github.ref_type == 'tag'"}
    # Without `${{ }}` in a script, no name of a branch or tag can be a command.
    scripts = [step["run"] for body in found["jobs"].values() for step in body["steps"] if "run" in step]
    assert not [script for script in scripts if "${{" in script]


@each_workflow
def test_what_it_makes_can_be_made_here(name: str) -> None:
    made = re.findall(r"\bmake (?:--\S+ )*([a-z-]+)", (CHECKOUT / ".github" / "workflows" / name).read_text())
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    assert set(made) - {"and"} <= targets


def test_the_release_builds_every_platform() -> None:
    jobs = workflow("release.yaml")["jobs"]
    linux = {f"linux-{entry['arch']}" for entry in jobs["linux"]["strategy"]["matrix"]["include"]}
    desktop = {entry["name"] for entry in jobs["desktop"]["strategy"]["matrix"]["include"]}
    assert linux | desktop == {f"{platform.os}-{platform.arch}" for platform in PLATFORMS}
    for entry in jobs["linux"]["strategy"]["matrix"]["include"]:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}[entry["arch"]]
        name = rf"quay\.io/pypa/manylinux_2_28_{machine}:\d{{4}}\.\d\d\.\d\d-\d+@sha256:[0-9a-f]{{64}}"
        assert re.fullmatch(name, entry["image"]), "pinned to a digest"
    assert jobs["linux"]["env"]["GLIBC_AT_MOST"] == "2.28"


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_finds_nothing() -> None:
    """It knows the workflows' schema, the contexts that each key may use, and the runners' names."""
    command = ["actionlint", *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_operators_image_is_made_of_what_the_wheel_is_made_of() -> None:
    text = (CHECKOUT / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert sorted(copied) == sorted([*wheel.ABOUT, wheel.PACKAGE])
    assert '"/src[operator]"' in text
