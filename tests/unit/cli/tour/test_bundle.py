from pathlib import Path

from headway.cli.tour.bundle import plot_losses, read_history

HISTORY = "epoch,train_loss,validation_loss\n1,0.9,\n2,0.5,0.6\n3,nan,0.4\n"


def test_what_is_missing_or_not_finite_is_no_point(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(HISTORY, encoding="utf-8")
    assert read_history(tmp_path) == {
        "train_loss": [(1.0, 0.9), (2.0, 0.5)],
        "validation_loss": [(2.0, 0.6), (3.0, 0.4)],
    }


def test_a_plot_without_colour_is_plain_text(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(HISTORY, encoding="utf-8")
    text = plot_losses(read_history(tmp_path), width=70, colored=False)
    assert "train loss" in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 70
