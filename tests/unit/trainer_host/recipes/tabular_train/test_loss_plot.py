from xml.etree import ElementTree as ET

import pytest

from trainer_host.recipes.tabular_train.loss_plot import HEIGHT, WIDTH, Series, draw_losses

SVG = "{http://www.w3.org/2000/svg}"


def points_of(picture: str) -> list[list[tuple[float, float]]]:
    curves = ET.fromstring(picture).findall(f"{SVG}polyline")  # noqa: S314 - our own text
    return [[_point(text) for text in curve.attrib["points"].split()] for curve in curves]


def _point(text: str) -> tuple[float, float]:
    x, y = text.split(",")
    return float(x), float(y)


def test_a_falling_loss_falls_in_the_picture() -> None:
    train, validation = points_of(
        draw_losses({"train": [(1, 2.0), (2, 1.0), (3, 0.5)], "validation": [(1, 2.0), (3, 1.5)]}, best_epoch=3)
    )
    assert [x for x, _ in train] == sorted(x for x, _ in train)
    assert [y for _, y in train] == sorted(y for _, y in train), "y grows downwards"
    assert len(validation) == 2


@pytest.mark.parametrize(
    "series",
    [
        {"train": [], "validation": []},
        {"train": [(1, 0.0)], "validation": []},
        {"train": [(1, 5.0), (500, 5.0)], "validation": []},
        {"train": [(1, 1e300), (2, 1e-300)], "validation": [(2, -3.0)]},
    ],
)
def test_every_point_lies_in_the_picture(series: dict[str, Series]) -> None:
    for curve in points_of(draw_losses(series, best_epoch=0)):
        for x, y in curve:
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
