"""deploy/Dockerfile: linted, and built here as far as that goes without an engine."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.contract.deployment import DEPLOY, ROOT
from tests.tidy.repository import own_files

DOCKERFILE = DEPLOY / "Dockerfile"
TEXT = DOCKERFILE.read_text(encoding="utf-8")
INSTRUCTIONS = [line.strip() for line in re.sub(r"\\\n", " ", TEXT).splitlines() if line and not line.startswith("#")]


def instructions(word: str) -> list[str]:
    return [line.removeprefix(word).strip() for line in INSTRUCTIONS if line.startswith(word + " ")]


def copied() -> dict[str, str]:
    """Source in the checkout to place in the image, of what is not copied from another stage."""
    pairs: dict[str, str] = {}
    for line in instructions("COPY"):
        if not line.startswith("--from"):
            *sources, target = [word for word in line.split() if not word.startswith("--")]
            pairs |= dict.fromkeys(sources, target)
    return pairs


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    hadolint = Path(sys.executable).parent / "hadolint"
    return subprocess.run([hadolint, "--no-color", path], capture_output=True, text=True, check=False)


def test_the_linter_has_nothing_to_say() -> None:
    linted = lint(DOCKERFILE)
    assert (linted.stdout, linted.returncode) == ("", 0)


def test_the_linter_speaks_when_there_is_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp && sudo pip install headway\n", encoding="utf-8")
    assert lint(bad).returncode != 0


def test_everything_that_is_copied_exists_and_is_let_through() -> None:
    assert [source for source in copied() if not (ROOT / source).exists()] == []
    let_through = [
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    assert sorted(let_through) == sorted(copied())


def test_every_package_is_pinned_by_the_file_that_development_uses() -> None:
    assert "constraints.txt" in copied()
    environment = " ".join(instructions("ENV"))
    assert "PIP_CONSTRAINT=/src/constraints.txt" in environment
    assert "PIP_BUILD_CONSTRAINT=/src/constraints.txt" in environment
    installs = [line for line in instructions("RUN") if "pip" in line]
    assert installs == ["/opt/headway/bin/pip install .", "/opt/headway/bin/pip install '.[host]'"]


def test_the_base_is_pinned_to_one_release() -> None:
    [base] = [line.partition("=")[2] for line in instructions("ARG") if line.startswith("PYTHON_IMAGE=")]
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)
    outside = [line for line in instructions("FROM") if line.startswith(("$", "python"))]
    assert {line.split()[0] for line in outside} == {"${PYTHON_IMAGE}"}


def test_nothing_runs_as_root_and_everything_is_asked_for_its_health() -> None:
    stages = re.split(r"^FROM ", TEXT, flags=re.MULTILINE)
    [runtime] = [stage for stage in stages if " AS runtime\n" in stage]
    images = [stage for stage in stages if re.search(r" AS (host|control-plane)\n", stage)]
    assert "\nUSER 10001:10001\n" in runtime
    assert "\nHEALTHCHECK " in runtime
    assert [stage.split()[0] for stage in images] == ["runtime", "runtime"]
    assert not any(re.search(r"^(USER|RUN)\b", stage, re.MULTILINE) for stage in images)


def test_the_image_without_a_target_is_the_control_plane_and_has_no_torch() -> None:
    assert instructions("FROM")[-1] == "runtime AS control-plane"
    assert "COPY --from=build /opt/headway" in TEXT.split("AS control-plane")[1]


def test_what_is_copied_is_enough_to_build_the_wheel(tmp_path: Path) -> None:
    """The build stage, without the downloads: its files alone, and the backend of pyproject.toml."""
    context = tmp_path / "src"
    tracked = own_files()
    for source, target in copied().items():
        if target.startswith("/"):
            continue
        inside = [path for path in tracked if path == Path(source) or path.is_relative_to(source)]
        assert inside, f"{source} is not part of the repository"
        for path in inside:
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, context / path)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "wheels")]
    built = subprocess.run(build, cwd=context, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    [wheel] = (tmp_path / "wheels").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for module in ("gateway", "scheduler", "trainer_host", "notifier"):
        assert f"{module}/__main__.py" in names
    assert "headway/v1/jobs_pb2.py" in names
    assert not any(name.startswith(("tests/", "deploy/")) for name in names)


@pytest.mark.parametrize("source", ["deploy/healthcheck.py", "deploy/nats/make_passwords.sh"])
def test_scripts_can_be_executed(source: str) -> None:
    assert (ROOT / source).stat().st_mode & 0o111 == 0o111
