"""The executor itself: prepares, calls the recipe, and closes the bundle."""

from collections.abc import Mapping
from typing import Protocol

from headway.contract.errors import echo
from headway.contract.recipes import FatalFailure, Phase, Recipe, RecipeNeeds, RecipeResult
from headway.runtime.clock import Clock
from trainer_host.child_messages import Failed, Finished, RecipeReport, Stopped, Summary
from trainer_host.executor.attempts import Attempt, AttemptSession
from trainer_host.executor.bundles import close_bundle, new_bundle_dir, recorded_versions
from trainer_host.executor.checkpoints import Checkpoints
from trainer_host.executor.reproducible import numerics
from trainer_host.reports import Report

Outcome = Finished | Failed | Stopped


class Executor(Protocol):
    """Runs attempts, one at a time, in the calling thread."""

    def check_ready(self, kind: str) -> None:
        """Return when attempts of a kind can be run.

        Raises:
            FatalFailure: KIND_UNAVAILABLE, with the reason.
        """
        ...

    def execute(self, attempt: Attempt, report: Report) -> Outcome:
        """Run an attempt to its end."""
        ...


class TrainingExecutor:
    """What every kind of training shares; the only caller of recipes.

    The same class runs in local and in host mode, so that the same spec and seed give the same weights in both.
    """

    def __init__(self, recipes: Mapping[str, Recipe], problems: Mapping[str, str], clock: Clock) -> None:
        """Take the recipes.

        Args:
            recipes: by kind.
            problems: of recipes that cannot run: the reason by kind.
            clock: for log lines and rates.
        """
        self._recipes = dict(recipes)
        self._problems = dict(problems)
        self._clock = clock

    def warm_up(self) -> None:
        """Do once, before there is an order, what makes a first attempt slow; a recipe that fails at it is out."""
        recorded_versions()
        for kind, recipe in list(self._recipes.items()):
            try:
                with numerics(RecipeNeeds(seed=0), uses_torch=_uses_torch(recipe)):
                    recipe.warm_up()
            except Exception as error:  # noqa: BLE001 - foreign code; the host reports it and runs the other recipes
                del self._recipes[kind]
                self._problems[kind] = f"its warm-up raised {type(error).__name__}: {error}"[:500]

    def recipe_reports(self) -> tuple[RecipeReport, ...]:
        """Every recipe that this host knows, able to run or not, by kind."""
        reports = [RecipeReport(kind=kind, available=True) for kind in self._recipes]
        reports += [RecipeReport(kind=kind, available=False, problem=text) for kind, text in self._problems.items()]
        return tuple(sorted(reports, key=lambda report: report.kind))

    def check_ready(self, kind: str) -> None:
        """Return when attempts of a kind can be run."""
        if kind not in self._recipes:
            problem = self._problems.get(kind, "no recipe of this name is installed")
            raise FatalFailure("KIND_UNAVAILABLE", f"this host cannot run {echo(kind)}: {problem}")

    def execute(self, attempt: Attempt, report: Report) -> Finished:
        """Run an attempt to its end.

        Raises:
            RecipeFailure: the recipe failed and said why.
            StopRequested: the attempt was told to stop.
            Exception: whatever else the recipe raised.
        """
        order = attempt.order
        self.check_ready(order.kind)
        recipe = self._recipes[order.kind]
        session = AttemptSession(attempt, report, self._clock)
        needs = recipe.needs(session.spec)
        with numerics(needs, uses_torch=_uses_torch(recipe), num_threads=order.num_threads) as settings:
            session.device = settings.device
            session.save_with(
                Checkpoints(
                    order,
                    session.spec,
                    settings,
                    uses_torch=_uses_torch(recipe),
                    report=report,
                    log=session,
                    clock=self._clock,
                )
            )
            session.detail("prepared", seed=needs.seed, device=settings.device, threads=settings.num_threads)
            new_bundle_dir(session.bundle_dir)
            result = recipe.train(session)
            session.step("Writing the manifest", Phase.EXPORTING)
            artifacts = close_bundle(session, settings)
        return Finished(
            bundle_dir=str(session.bundle_dir),
            manifest_digest=artifacts[-1].digest,
            artifacts=artifacts,
            summary=_summary(session, result),
        )


def _summary(session: AttemptSession, result: RecipeResult) -> Summary:
    return Summary(
        task=result.task,
        metrics=result.metrics,
        headline_metric=result.headline_metric,
        headline_value=result.headline_value,
        num_steps=result.num_steps,
        duration_seconds=session.elapsed_seconds,
        warnings=tuple(session.warnings),
    )


def _uses_torch(recipe: Recipe) -> bool:
    return "torch" in recipe.requires
