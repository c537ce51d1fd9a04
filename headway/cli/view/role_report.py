"""What `headway recover`, `backup` and `restore` have done, for people and for programs."""

import json
from collections.abc import Mapping

from headway.cli.stack.gateway_role import Json, Report
from headway.cli.view.consoles import print_table, say
from headway.cli.view.output import Output, pairs_table, print_raw
from headway.cli.view.words import size_text

_SHOWN_MAX = 20
_LOSSES = {
    "unreadable_records": "records whose bytes have gone bad",
    "missing_blobs": "files that are missing",
    "damaged_blobs": "files whose bytes have gone bad",
}


def show_report(report: Report, output: Output) -> None:
    """Print a report: a table for people, JSON for programs, the state alone as a name."""
    if output in {Output.JSON, Output.JSONL}:
        print_raw(json.dumps(report, indent=2 if output == Output.JSON else None))
        return
    if output == Output.NAME:
        print_raw(str(report.get("state", "")))
        return
    print_table(pairs_table(_rows(report)))
    for name, words in _LOSSES.items():
        lost = _texts(report.get(name))
        if lost:
            rest = f" and {len(lost) - _SHOWN_MAX} more" if len(lost) > _SHOWN_MAX else ""
            say(f"{len(lost)} {words}: {', '.join(lost[:_SHOWN_MAX])}{rest}", "yellow")


def _rows(report: Report) -> list[tuple[str, str]]:
    jobs = _numbers(report.get("jobs_by_state"))
    records = report.get("records")
    by_bucket = records if isinstance(records, Mapping) else {}
    num_blobs, num_bytes = report.get("num_blobs"), report.get("num_blob_bytes")
    return [
        ("state", str(report.get("state", "")).replace("_", " ")),
        ("why", str(report.get("why", ""))),
        ("backup of", str(report.get("backup_time", ""))),
        ("folder", str(report.get("folder", ""))),
        ("jobs", ", ".join(f"{number} {state}" for state, number in sorted(jobs.items()))),
        *((bucket, _outcomes(_numbers(counts))) for bucket, counts in by_bucket.items() if counts),
        ("models made", ", ".join(_texts(report.get("made_model_versions"))[:_SHOWN_MAX])),
        ("files", f"{num_blobs} whole, {size_text(num_bytes)}" if isinstance(num_bytes, int) else ""),
    ]


def _outcomes(counts: Mapping[str, int]) -> str:
    words = {"brought_back": "brought back", "replaced": "newer than in the store", "there": "there already"}
    return ", ".join(f"{number} {words.get(outcome, outcome)}" for outcome, number in counts.items())


def _numbers(value: Json) -> dict[str, int]:
    if not isinstance(value, Mapping):
        return {}
    return {name: number for name, number in value.items() if isinstance(number, int)}


def _texts(value: Json) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
