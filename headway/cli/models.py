"""`headway models`: list, read, pull, ask."""

from pathlib import Path
from typing import Annotated

import typer

from headway.cli.model_version import show_version
from headway.cli.predicting import AnswerOutput, Asked, predict
from headway.cli.session import run_with_client
from headway.cli.transfers import TransferBar
from headway.cli.view.consoles import say
from headway.cli.view.models import MODEL_VIEW, model_rows
from headway.cli.view.output import Output, OutputOption, print_raw, show_item, show_items
from headway.cli.view.words import size_text
from headway.client import HeadwayClient
from headway.v1.models_pb2 import Model

app = typer.Typer(no_args_is_help=True)

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Model id, or MODEL@VERSION with a number, a job id or `latest`.")
]


@app.command("list")
def list_models(
    ctx: typer.Context,
    filter_text: Annotated[str, typer.Option("--filter", help="AIP-160 over model_id, create_time, update_time.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List models with their newest version."""

    async def work(client: HeadwayClient) -> None:
        found: list[Model] = [model async for model in client.models.list(filter_text=filter_text)]
        show_items(found, MODEL_VIEW, output, empty="no models; a job with save_model makes one")

    run_with_client(ctx, work)


@app.command("get")
def get_model(ctx: typer.Context, model: ModelArgument, output: OutputOption = Output.TABLE) -> None:
    """Read a model with all versions, or MODEL@VERSION with its numbers and files.

    Of a version every figure is shown: class by class, confusions, what each column is worth. With -o json all of its
    metrics.json stands beside it as `figures`.
    """

    async def work(client: HeadwayClient) -> None:
        if "@" in model or "/versions/" in model:
            await show_version(client, await client.models.version(model), output)
        else:
            found = await client.models.get(model)
            show_item(found, found.name, model_rows(found), output)

    run_with_client(ctx, work)


@app.command("pull")
def pull_model(
    ctx: typer.Context,
    model: ModelArgument,
    to: Annotated[Path | None, typer.Option(help="Folder to make.", show_default="MODEL-NUMBER")] = None,
) -> None:
    """Bring a version's files into a new folder, each checked against its digest.

    The folder appears when everything is there and right; pulling the same version again changes nothing.
    """

    async def work(client: HeadwayClient) -> None:
        version = await client.models.version(model)
        folder = to or Path(f"{version.name.split('/')[3]}-{version.number}")
        with TransferBar() as bar:
            await client.models.pull(version.name, folder, on_progress=bar.show)
        size = sum(artifact.size_bytes for artifact in version.bundle.artifacts)
        say(f"{len(version.bundle.artifacts)} files, {size_text(size)}, every digest checked", "dim")
        print_raw(str(folder))

    run_with_client(ctx, work)


@app.command("predict")
def predict_rows(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="NAME", help="MODEL, MODEL@VERSION, or a job of the last 15 minutes by name or id.")
    ],
    csv: Annotated[
        Path | None, typer.Option("--csv", help="File of rows with a header, xlsx and parquet too; - for stdin.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="A dataset instead of a file.")] = "",
    sheet: Annotated[str, typer.Option(help="Sheet of an Excel file.", show_default="the first")] = "",
    *,
    impute_missing: Annotated[
        bool, typer.Option("--impute-missing", help="Take columns that the rows lack as absent, instead of refusing.")
    ] = False,
    output: Annotated[
        AnswerOutput, typer.Option("-o", "--output", help="table for people; json or csv for programs.")
    ] = AnswerOutput.TABLE,
    to: Annotated[Path | None, typer.Option(help="Write all answers into this CSV file.")] = None,
) -> None:
    """Let a model answer rows, on a trainer host, also while all of them train.

    Answers come in the order of the rows. What in the rows is not as it was in training is told on stderr.
    """
    if (csv is None) == (not dataset):
        raise typer.BadParameter("give either --csv FILE or --dataset NAME")
    asked = Asked(model=model, file=csv, dataset=dataset, sheet=sheet, imputes=impute_missing, output=output, to=to)
    run_with_client(ctx, lambda client: predict(client, asked))
