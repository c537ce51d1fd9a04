from pathlib import Path

import pytest

from scheduler.scheduler_identity import SchedulerFolderInUse, scheduler_identity


def test_an_id_stays_the_same_over_restarts_and_is_another_in_another_folder(tmp_path: Path) -> None:
    with scheduler_identity(tmp_path / "a") as first:
        pass
    with scheduler_identity(tmp_path / "a") as again, scheduler_identity(tmp_path / "b") as other:
        assert first == again != other


def test_a_folder_has_one_process_at_a_time(tmp_path: Path) -> None:
    second = scheduler_identity(tmp_path)
    with scheduler_identity(tmp_path), pytest.raises(SchedulerFolderInUse, match="HEADWAY_HOME"):
        second.__enter__()


@pytest.mark.parametrize("text", ["", "\n", "not an id", "\u00e9"])
def test_an_id_that_cannot_be_one_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "id").write_text(text, encoding="utf-8")
    with scheduler_identity(tmp_path) as made:
        assert len(made) == 32
    with scheduler_identity(tmp_path) as again:
        assert again == made
