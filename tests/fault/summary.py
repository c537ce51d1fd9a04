"""The figures of a run, summed up by name into the lines that people ask for first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.fault.figures import Figure

_RECOVERY_BAR_SECONDS = 3.0
_MANY_JOBS, _MANY_KILLS = 10_000, 200
_TAKE_OVER = "From killing the leading scheduler until another leads"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the page.

    Attributes:
        title: what was counted.
        value: the figure, with its unit.
        bar: what it should reach; empty when there is none.
        is_met: whether it did; None when there is no bar.
    """

    title: str
    value: str
    bar: str = ""
    is_met: bool | None = None


def summarize(figures: Sequence[Figure]) -> list[Line]:
    """The lines; what a run did not measure says so."""
    lines: list[Line] = []
    for name, title, sum_up in _LINES:
        mine = [figure for figure in figures if figure.name == name]
        lines += sum_up(mine) if mine else [Line(title, "not measured in this run")]
    return lines


def others(figures: Sequence[Figure]) -> list[Figure]:
    """Those that no line sums up."""
    known = {name for name, _, _ in _LINES}
    return [figure for figure in figures if figure.name not in known]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def _sum(figures: Sequence[Figure], name: str) -> int:
    return int(sum(figure.number(name) for figure in figures))


def _jobs(figures: Sequence[Figure]) -> list[Line]:
    acked, kills = _sum(figures, "acked"), _sum(figures, "kills")
    lost, missing, double = (_sum(figures, name) for name in ("lost", "models_missing", "models_double"))
    is_many = acked >= _MANY_JOBS and kills >= _MANY_KILLS
    return [
        Line(
            "Jobs lost",
            f"{lost} of {acked:,} acknowledged, over {kills:,} kills, freezes and cuts",
            f"0 of {_MANY_JOBS:,}, over {_MANY_KILLS} kills (the long suite)",
            (lost == 0) if is_many else None,
        ),
        Line("Models or results missing", f"{missing} of {acked:,}", "0", missing == 0),
        Line("Models or results double", f"{double} of {acked:,}", "0", double == 0),
    ]


def _recovery(figures: Sequence[Figure]) -> list[Line]:
    leases = [value for figure in figures for value in figure.series("leases")]
    over = [
        (value - 1) * figure.number("lease_seconds")
        for figure in figures
        for value in figure.series("leases")
        if figure.number("lease_seconds")
    ]
    if not leases:
        return [Line("Recovery", "not measured in this run")]
    p50, p95 = percentile(leases, 0.5), percentile(leases, 0.95)
    value = f"p50 {p50:.2f}, p95 {p95:.2f}, at most {max(leases):.2f} leases, of {len(leases)} losses of a host"
    beyond = f"; a lease and {max(over):.1f} s at most" if over else ""
    is_met = max(over) <= _RECOVERY_BAR_SECONDS if over else None
    return [Line("From losing a host until the job runs elsewhere", value + beyond, "a lease and 3 s", is_met)]


def _take_over(figures: Sequence[Figure]) -> list[Line]:
    seconds = [value for figure in figures for value in figure.series("seconds")]
    over = max(figure.number("max_seconds") - figure.number("lease_seconds") for figure in figures)
    value = f"p50 {percentile(seconds, 0.5):.1f} s, at most {max(seconds):.1f} s, of {len(seconds)} kills"
    return [Line(_TAKE_OVER, value, "its lease and 3 s", over <= _RECOVERY_BAR_SECONDS)]


def _work_repeated(figures: Sequence[Figure]) -> list[Line]:
    shares = [figure.number("steps") / max(1.0, figure.number("interval")) for figure in figures]
    return [
        Line("Work repeated", f"{max(shares):.2f} checkpoint intervals at most", "1 interval", max(shares) <= 1),
    ]


def _ratio(title: str, good: str) -> Callable[[Sequence[Figure]], list[Line]]:
    def sum_up(figures: Sequence[Figure]) -> list[Line]:
        done, all_of_them = _sum(figures, good), _sum(figures, "of")
        return [Line(title, f"{done} of {all_of_them}", "all", done == all_of_them)]

    return sum_up


def _simulator(figures: Sequence[Figure]) -> list[Line]:
    histories, steps = _sum(figures, "histories"), _sum(figures, "steps")
    return [Line("Simulated histories", f"{histories:,}, {steps:,} steps", "20,000 of 50", histories >= 20_000)]


def _watch(figures: Sequence[Figure]) -> list[Line]:
    missed, events, restarts = (_sum(figures, name) for name in ("missed", "events", "restarts"))
    return [Line("Watch events missed", f"{missed} of {events:,}, over {restarts} restarts", "0", missed == 0)]


def _power_cut(figures: Sequence[Figure]) -> list[Line]:
    lines = []
    for figure in figures:
        survived, acked = int(figure.number("survived")), int(figure.number("acked"))
        what = str(figure.numbers.get("what", figure.row))
        lines.append(Line(f"Power cut: {what}", f"{survived} of {acked} survived", "all", survived == acked))
    return lines


_LINES: tuple[tuple[str, str, Callable[[Sequence[Figure]], list[Line]]], ...] = (
    ("jobs", "Jobs lost", _jobs),
    ("recovery", "From losing a host until the job runs elsewhere", _recovery),
    ("take_over", _TAKE_OVER, _take_over),
    ("work_repeated", "Work repeated", _work_repeated),
    ("bit_equal", "Resumed jobs with the bytes of an uninterrupted one", _ratio("Resumed, bit-equal", "equal")),
    ("power_cut", "Power cut", _power_cut),
    ("failpoints", "Named crash points of saving a model", _ratio("Failpoints survived", "survived")),
    ("syscalls", "Crash points of the system call sweep", _ratio("System call crash points survived", "survived")),
    ("watch", "Watch events missed", _watch),
    ("simulator", "Simulated histories", _simulator),
    ("teeth", "Safeties taken out and noticed", _ratio("Safeties taken out and noticed", "caught")),
)
