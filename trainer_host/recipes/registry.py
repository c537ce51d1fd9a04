"""Finds recipes: the built-in ones, those of entry points, and those that the host's settings name.

A recipe that does not load is kept with its reason, so that the host can report it; it is never left out.
"""

import importlib
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points

from headway.contract.errors import echo
from headway.contract.recipes import ENTRY_POINT_GROUP, Recipe

BUILT_IN: Mapping[str, str] = {
    "tabular_train": "trainer_host.recipes.tabular_train.recipe:make_recipe",
    "tabular_distill": "trainer_host.recipes.tabular_distill.recipe:make_recipe",
    "infer": "trainer_host.recipes.infer.recipe:make_recipe",
}
"""Factory by kind, as `module:function`."""


def references(extra: Iterable[str]) -> dict[str, str]:
    """Factory by kind, as `module:function`; a later source replaces an earlier one of the same kind.

    Args:
        extra: further recipes as `kind=module:function`, from the host's settings.
    """
    found = dict(BUILT_IN)
    found |= {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
    for item in extra:
        kind, _, reference = item.partition("=")
        found[kind.strip()] = reference.strip()
    return found


def module_of(reference: str) -> str:
    """The module of a `module:function`."""
    return reference.partition(":")[0].strip()


def load(extra: Iterable[str] = ()) -> tuple[dict[str, Recipe], dict[str, str]]:
    """Import every recipe.

    Returns:
        The recipes by kind, and for each that does not load the reason by kind.
    """
    recipes: dict[str, Recipe] = {}
    problems: dict[str, str] = {}
    for kind, reference in references(extra).items():
        try:
            recipes[kind] = _load_one(kind, reference)
        # A plug-in is foreign code: whatever it raises, the host must be able to say so and go on.
        except BaseException as error:  # noqa: BLE001
            problems[kind] = f"{type(error).__name__}: {error}"[:500]
    return recipes, problems


def _load_one(kind: str, reference: str) -> Recipe:
    module = importlib.import_module(module_of(reference))
    factory = getattr(module, reference.partition(":")[2].strip(), None)
    if not callable(factory):
        raise TypeError(f"{echo(reference)} names no function of its module")
    recipe: Recipe = factory()
    if recipe.kind != kind:
        raise LookupError(f"the recipe says that it is of kind {echo(recipe.kind)}")
    for name in recipe.requires:
        importlib.import_module(name)
    return recipe
