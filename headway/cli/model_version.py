"""`headway models get MODEL@VERSION`: one version with every figure of its bundle."""

import json

from headway.cli.view.figures import FIGURES_PATH, figure_tables, parse_figures
from headway.cli.view.models import version_rows
from headway.cli.view.output import Output, as_dict, print_raw, show_item
from headway.cli.view.results import result_tables
from headway.client import HeadwayClient
from headway.client.bundles import MAX_READ_BYTES
from headway.v1.models_pb2 import ModelVersion


async def show_version(client: HeadwayClient, version: ModelVersion, output: Output) -> None:
    """Print a version.

    Args:
        client: of the gateway, which is asked for `metrics.json` unless only the name is wanted.
        version: as the gateway told it.
        output: as a table with the figures below it, or as JSON with the figures beside it as `figures`.

    Raises:
        RemoteError: the figures could not be read.
    """
    if output == Output.NAME:
        print_raw(version.name)
        return
    content = await _figures_of(client, version)
    if output == Output.TABLE:
        tables = [*result_tables(version.summary), *figure_tables(parse_figures(content))]
        show_item(version, version.name, version_rows(version), output, tables)
        return
    fields = as_dict(version) | _as_field(content)
    print_raw(json.dumps(fields, indent=2 if output == Output.JSON else None))


def _as_field(content: bytes) -> dict[str, object]:
    try:
        return {"figures": json.loads(content)} if content else {}
    except ValueError:
        return {}


async def _figures_of(client: HeadwayClient, version: ModelVersion) -> bytes:
    """`metrics.json`; empty where the bundle has none, as that of a plug-in's kind may, or one too large to show."""
    artifacts = version.bundle.artifacts
    if not any(one.path == FIGURES_PATH and one.size_bytes <= MAX_READ_BYTES for one in artifacts):
        return b""
    return await client.bundles.read(version.bundle, FIGURES_PATH, owner=version.name)
