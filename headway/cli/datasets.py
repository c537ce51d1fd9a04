"""`headway datasets`: upload, list, read, preview."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from headway.cli.session import run_with_client
from headway.cli.transfers import TransferBar
from headway.cli.view.consoles import print_table, say, visible
from headway.cli.view.output import Column, Output, OutputOption, View, show_item, show_items
from headway.cli.view.words import local_time, size_text
from headway.client import HeadwayClient
from headway.v1.datasets_pb2 import Dataset
from headway.v1.datasets_service_pb2 import PreviewDatasetResponse

app = typer.Typer(no_args_is_help=True)

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Dataset id or full name.")]
VersionOption = Annotated[int, typer.Option("--version", min=0, help="Version from 1; 0 is the newest.")]

_VIEW: View[Dataset] = View(
    columns=(
        Column("dataset", lambda dataset: dataset.name.rpartition("/")[2]),
        Column("version", lambda dataset: str(dataset.version), is_number=True),
        Column("format", lambda dataset: dataset.format),
        Column("size", lambda dataset: size_text(dataset.size_bytes), is_number=True),
        Column("rows", lambda dataset: f"{dataset.num_rows:,}" if dataset.num_rows else "-", is_number=True),
        Column("columns", lambda dataset: str(len(dataset.columns)), is_number=True),
        Column("created", lambda dataset: local_time(dataset.create_time)),
    ),
    name=lambda dataset: dataset.name,
)


@app.command("upload")
def upload_dataset(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The data file.")],
    dataset_id: Annotated[str, typer.Option("--id", help="Dataset id; made from the file name otherwise.")] = "",
    output: OutputOption = Output.NAME,
) -> None:
    """Send a file of this machine; the same content again gives the same version, other content the next one."""

    async def work(client: HeadwayClient) -> None:
        with TransferBar() as bar:
            found = await client.datasets.upload(file, dataset_id=dataset_id, on_progress=bar.show)
        say(f"version {found.version}, {size_text(found.size_bytes)}, {len(found.columns)} columns", "dim")
        show_item(found, found.name, _rows(found), output)

    run_with_client(ctx, work)


@app.command("take-in")
def take_in_dataset(
    ctx: typer.Context,
    data_path: Annotated[str, typer.Argument(metavar="PATH", help="Relative to the gateway's data root.")],
    dataset_id: Annotated[str, typer.Option("--id", help="Dataset id; made from the file name otherwise.")] = "",
    output: OutputOption = Output.NAME,
) -> None:
    """Make a file below the gateway's data root a dataset, without sending it."""

    async def work(client: HeadwayClient) -> None:
        found = await client.datasets.take_in(data_path, dataset_id=dataset_id)
        show_item(found, found.name, _rows(found), output)

    run_with_client(ctx, work)


@app.command("list")
def list_datasets(
    ctx: typer.Context,
    filter_text: Annotated[str, typer.Option("--filter", help="AIP-160 over dataset_id, format, size_bytes ...")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List the newest version of every dataset."""

    async def work(client: HeadwayClient) -> None:
        found = [dataset async for dataset in client.datasets.list(filter_text=filter_text)]
        show_items(found, _VIEW, output, empty="no datasets; send one with `headway datasets upload FILE`")

    run_with_client(ctx, work)


@app.command("get")
def get_dataset(
    ctx: typer.Context, dataset: DatasetArgument, version: VersionOption = 0, output: OutputOption = Output.TABLE
) -> None:
    """Read one dataset: its columns, size and digest."""

    async def work(client: HeadwayClient) -> None:
        found = await client.datasets.get(dataset, version=version)
        show_item(found, found.name, _rows(found), output)

    run_with_client(ctx, work)


@app.command("preview")
def preview_dataset(
    ctx: typer.Context,
    dataset: DatasetArgument,
    version: VersionOption = 0,
    num_rows: Annotated[int, typer.Option("--rows", min=1, max=100, help="Rows to show.")] = 10,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the first rows of a table."""

    async def work(client: HeadwayClient) -> None:
        found = await client.datasets.preview(dataset, version=version, num_rows=num_rows)
        if output == Output.TABLE:
            print_table(_preview_table(found))
        else:
            show_item(found, dataset, (), output)

    run_with_client(ctx, work)


def _preview_table(preview: PreviewDatasetResponse) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for column in preview.columns:
        table.add_column(Text(visible(column)), no_wrap=True)
    for row in preview.rows:
        table.add_row(*(Text(visible(cell)) for cell in row.cells))
    return table


def _rows(dataset: Dataset) -> list[tuple[str, str]]:
    return [
        ("dataset", dataset.name),
        ("version", str(dataset.version)),
        ("file", dataset.file_name),
        ("format", dataset.format),
        ("size", size_text(dataset.size_bytes)),
        ("rows", f"{dataset.num_rows:,}" if dataset.num_rows else ""),
        ("columns", ", ".join(dataset.columns)),
        ("digest", dataset.digest),
        ("created", local_time(dataset.create_time)),
    ]
