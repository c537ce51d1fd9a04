"""The training executor, which runs in the child process: all that kinds share, and the only caller of recipes."""

from trainer_host.executor.attempts import Attempt
from trainer_host.executor.outcomes import OutcomeExecutor
from trainer_host.executor.training import Executor, Outcome, TrainingExecutor

__all__ = ["Attempt", "Executor", "Outcome", "OutcomeExecutor", "TrainingExecutor"]
