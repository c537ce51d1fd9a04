"""Generates headway/v1 from protos/headway/v1: a hatch build hook, and a script (`python protos/build.py`)."""

import tempfile
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "headway/v1"
OUTPUTS = ("--python_out=", "--grpc_python_out=", "--mypy_out=quiet:", "--mypy_grpc_out=quiet:")
STUB_SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


class StubsHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own parameter is for its configuration
    """Brings the stubs up to date before hatch collects the files of a wheel, an sdist or an editable install."""

    def initialize(self, _version: str, _build_data: dict[str, object]) -> None:
        """Called by hatch before each build."""
        generate(Path(self.root))


def generate(root: Path) -> bool:
    """Write the stubs of each proto into `root`/headway/v1, unless all are there and newer than what makes them.

    Returns:
        Whether anything was generated.
    """
    protos = sorted((root / "protos" / PACKAGE).glob("*.proto"))
    if not protos:
        raise FileNotFoundError(f"no .proto file in {root / 'protos' / PACKAGE}: is this a checkout of headway?")
    expected = {root / PACKAGE / (proto.stem + suffix) for proto in protos for suffix in STUB_SUFFIXES}
    # pyproject.toml pins the generator, so a new version there makes new stubs.
    if _are_current(expected, [*protos, Path(__file__), root / "pyproject.toml"]):
        return False
    # A temporary folder beside the target: each stub is then replaced in one step, and no reader sees half of one.
    with tempfile.TemporaryDirectory(dir=root, prefix=".stubs-") as scratch:
        _make_stubs(root, protos, Path(scratch))
        for stub in sorted(expected):
            (Path(scratch) / stub.relative_to(root)).replace(stub)
    for orphan in set((root / PACKAGE).glob("*_pb2*.py*")) - expected:
        orphan.unlink()
    return True


def _are_current(stubs: set[Path], sources: list[Path]) -> bool:
    if not all(stub.exists() for stub in stubs):
        return False
    return max(source.stat().st_mtime for source in sources) <= min(stub.stat().st_mtime for stub in stubs)


def _make_stubs(root: Path, protos: list[Path], out: Path) -> None:
    plugins = distribution("mypy-protobuf")
    scripts = {script.name: plugins.locate_file(script) for script in plugins.files or ()}
    run_protoc(
        root / "protos",
        # By full path: the scripts of a virtual environment that is not activated are not on PATH.
        f"--plugin=protoc-gen-mypy={scripts['protoc-gen-mypy']}",
        f"--plugin=protoc-gen-mypy_grpc={scripts['protoc-gen-mypy_grpc']}",
        *(f"{output}{out}" for output in OUTPUTS),
        *map(str, protos),
    )


def run_protoc(proto_root: Path, *arguments: str) -> None:
    """Run protoc so that it finds the protos under `proto_root` and all that they import."""
    google_protobuf = Path(str(files("grpc_tools"))) / "_proto"
    google_api = Path(str(distribution("googleapis-common-protos").locate_file("")))
    includes = (f"-I{path}" for path in (proto_root, google_protobuf, google_api))
    if protoc.main(["protoc", *includes, *arguments]) != 0:
        raise RuntimeError("protoc failed; its messages are above")


if __name__ == "__main__":
    print("generated headway/v1" if generate(ROOT) else "headway/v1 is up to date")
