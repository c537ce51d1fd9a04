"""Accuracy of students on digits beside their teachers': what epochs, mixtures and an ensemble give; five seeds."""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from tests.attempt_runs import finished, train_table
from tests.bench.data import write_digits
from tests.bench.report import Row
from tests.distillations import a_distillation, a_teacher, distil

SEEDS = range(5)
LONG = 300
"""Epochs, instead of the 60 of the default."""
MIXUP = 4
_TEACHER_EPOCHS = 100
_MEMBERS: tuple[dict[str, object], ...] = (
    {"hidden_dim": 160, "dropout": 0.2},
    {"hidden_dim": 192},
    {"hidden_dim": 224, "dropout": 0.3},
    {"training_mode": "tabresnet"},
)
"""Of the ensemble, beside the teacher of defaults: the same seed and so the same split, other widths and modes."""
_POINTS_BAR = 2.0
_PARAMETERS_BAR = 25.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Shares of right test rows of one seed, 0-1.

    Attributes:
        teacher: 128 wide and 2 deep, the defaults.
        student: 64 wide and 1 deep, which follows from the teacher's shape, distilled by defaults.
        long: the same for LONG epochs without dropout.
        long_ensemble: the same, taught by five models.
        alone: of the student's shape, trained for LONG epochs on the targets alone.
        tiny: 16 wide and 1 deep, taught by five models with MIXUP mixtures a row, without dropout.
        tiny_alone: of that shape, for as many steps on the targets alone.
        parameters_percent: of `student`, of its teacher's.
        tiny_percent: of `tiny`.
    """

    teacher: float
    student: float
    long: float
    long_ensemble: float
    alone: float
    tiny: float
    tiny_alone: float
    parameters_percent: float
    tiny_percent: float


async def measure() -> list[Row]:
    """Means over the seeds; every seed has a split of its own, which all of its models share."""
    with TemporaryDirectory() as scratch:
        table = write_digits(Path(scratch))
        found = [_Seed(Path(scratch) / str(seed), table, seed).measure() for seed in SEEDS]
    teacher, student = mean(one.teacher for one in found), mean(one.student for one in found)
    alone, tiny_alone = mean(one.alone for one in found), mean(one.tiny_alone for one in found)
    percent, tiny_percent = found[0].parameters_percent, found[0].tiny_percent
    title = "tabular_distill, digits, accuracy, 5 seeds: a student of"
    without = "the same without a teacher, as many steps"
    return [
        Row(
            f"{title} {percent:.1f} % of its teacher's parameters",
            f"{student:.4f}",
            f"its teacher: {teacher:.4f}",
            _points(student, teacher),
            f"at most {_POINTS_BAR:g} points below at {_PARAMETERS_BAR:g} %",
            100 * (teacher - student) <= _POINTS_BAR and percent <= _PARAMETERS_BAR,
        ),
        _beside(f"the same, {LONG} epochs, no dropout", mean(one.long for one in found), without, alone),
        _beside("and an ensemble of five teachers", mean(one.long_ensemble for one in found), without, alone),
        _beside(
            f"{title} {tiny_percent:.1f} %, mixup_ratio {MIXUP}, no dropout, five teachers",
            mean(one.tiny for one in found),
            without,
            tiny_alone,
        ),
    ]


class _Seed:
    """The models of one seed."""

    def __init__(self, folder: Path, table: Path, seed: int) -> None:
        self._folder = folder
        self._table = table
        self._seed = seed

    def measure(self) -> Measured:
        common: dict[str, object] = {"random_seed": self._seed, "epochs": _TEACHER_EPOCHS}
        members = [
            a_teacher(self._folder / f"member-{place}", self._table, **common, **own)
            for place, own in enumerate(({}, *_MEMBERS))
        ]
        student = self._taught("student", members[:1], 60)
        long = self._taught("long", members[:1], LONG, student_dropout=0)
        both = self._taught("both", members, LONG, student_dropout=0)
        tiny = self._taught("tiny", members, 60, student_dropout=0, student_hidden_dim=16, mixup_ratio=MIXUP)
        return Measured(
            teacher=student["teacher_accuracy"],
            student=student["accuracy"],
            long=long["accuracy"],
            long_ensemble=both["accuracy"],
            alone=self._alone("alone", hidden_dim=64, dropout=0.15),
            tiny=tiny["accuracy"],
            tiny_alone=self._alone("tiny-alone", hidden_dim=16, dropout=0.0),
            parameters_percent=100 - student["param_saved_percent"],
            tiny_percent=100 - tiny["param_saved_percent"],
        )

    def _taught(self, name: str, bundles: list[Path], epochs: int, **fields: object) -> dict[str, float]:
        names = [f"member-{place}" for place in range(1, len(bundles))]
        training: dict[str, object] = {"random_seed": self._seed, "epochs": epochs}
        spec = a_distillation(training, ensemble_teacher_model_ids=names, **fields)
        return finished(distil(self._folder / name, self._table, *bundles, spec=spec)).summary.metrics

    def _alone(self, name: str, *, hidden_dim: int, dropout: float) -> float:
        """The dropout is that of the two, 0 and 0.15, with which the shape does better."""
        outcome = train_table(
            self._folder / name,
            self._table,
            random_seed=self._seed,
            epochs=LONG,
            hidden_dim=hidden_dim,
            num_hidden_layers=1,
            dropout=dropout,
            boosted_tree_baseline=False,
        )
        return finished(outcome).summary.headline_value


def _beside(title: str, ours: float, what: str, other: float) -> Row:
    return Row(title, f"{ours:.4f}", f"{what}: {other:.4f}", _points(ours, other))


def _points(ours: float, other: float) -> str:
    return f"{100 * (ours - other):+.2f} points"
