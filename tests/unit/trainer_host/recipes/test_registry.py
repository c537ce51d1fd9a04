from pathlib import Path

import pytest

from headway.testing.toy_recipe import TOY_RECIPE
from trainer_host.recipes.registry import load, module_of, references


def test_the_built_in_recipe_loads() -> None:
    recipes, problems = load()

    assert "tabular_train" in recipes
    assert "tabular_train" not in problems


def test_the_settings_of_a_host_add_recipes() -> None:
    recipes, _ = load((TOY_RECIPE,))
    assert recipes["toy"].kind == "toy"


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("other=no_such_module:make", "ModuleNotFoundError"),
        ("other=headway.testing.toy_recipe:no_such_function", "names no function"),
        ("other=headway.testing.toy_recipe", "names no function"),
        ("other=headway.testing.toy_recipe:make_recipe", "of kind 'toy'"),
        ("other=", "ValueError"),
    ],
)
def test_a_recipe_that_does_not_load_is_kept_with_its_reason(reference: str, problem: str) -> None:
    recipes, problems = load((reference,))

    assert "other" not in recipes
    assert problem in problems["other"]


def test_a_module_that_exits_does_not_take_the_host_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "exiting_recipe.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    _, problems = load(("exiting=exiting_recipe:make",))

    assert problems["exiting"] == "SystemExit: 3"


def test_a_recipe_whose_requirement_is_missing_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "class R:\n    kind = 'needy'\n    requires = ('no_such_library',)\n\ndef make():\n    return R()\n"
    (tmp_path / "needy_recipe.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    _, problems = load(("needy=needy_recipe:make",))

    assert "no_such_library" in problems["needy"]


def test_a_later_source_replaces_an_earlier_one() -> None:
    assert references(("tabular_train=mine:make",))["tabular_train"] == "mine:make"


def test_the_module_of_a_reference_is_what_stands_before_the_colon() -> None:
    assert module_of(" package.module:function ") == "package.module"
