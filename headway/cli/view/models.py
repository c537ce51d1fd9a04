"""Models and their versions as tables and lists."""

from headway.cli.view.output import Column, View
from headway.cli.view.results import result_rows
from headway.cli.view.words import local_time, number_text, size_text
from headway.v1.models_pb2 import Model, ModelVersion


def newest(model: Model) -> ModelVersion:
    """The version registered last; an empty one for a model without any."""
    return model.versions[-1] if model.versions else ModelVersion()


def headline(version: ModelVersion) -> str:
    """The figure to show first: `accuracy 0.974`."""
    summary = version.summary
    return f"{summary.headline_metric} {number_text(summary.headline_value)}" if summary.headline_metric else "-"


MODEL_VIEW: View[Model] = View(
    columns=(
        Column("model", lambda model: model.name.rpartition("/")[2]),
        Column("versions", lambda model: str(len(model.versions)), is_number=True),
        Column("newest", lambda model: headline(newest(model))),
        Column("kind", lambda model: newest(model).kind or "-"),
        Column("updated", lambda model: local_time(model.update_time)),
    ),
    name=lambda model: model.name,
)


def model_rows(model: Model) -> list[tuple[str, str]]:
    """What `headway models get MODEL` tells."""
    versions = (
        f"@{one.number}  {one.name.rpartition('/')[2]}  {headline(one)}  {local_time(one.create_time)}"
        for one in reversed(model.versions)
    )
    return [
        ("model", model.name),
        ("created", local_time(model.create_time)),
        ("updated", local_time(model.update_time)),
        ("versions", "\n".join(versions)),
    ]


def version_rows(version: ModelVersion) -> list[tuple[str, str]]:
    """What `headway models get MODEL@VERSION` tells."""
    files = (f"{artifact.path}  {size_text(artifact.size_bytes)}" for artifact in version.bundle.artifacts)
    return [
        ("version", version.name),
        ("number", str(version.number)),
        ("job", version.job),
        ("kind", version.kind),
        ("created", local_time(version.create_time)),
        ("digest", version.bundle.digest),
        ("trained on", "\n".join(version.input_digests)),
        *result_rows(version.summary),
        ("files", "\n".join(files)),
    ]
