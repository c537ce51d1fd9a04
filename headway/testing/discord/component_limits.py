"""What Discord takes as rows of buttons and menus. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from headway.testing.discord.errors import FieldFault
from headway.testing.discord.payloads import ACTION_ROW, BUTTON, LINK_STYLE, STRING_SELECT, Component

MAX_ROWS = 5
MAX_BUTTONS_OF_ROW = 5
MAX_OPTIONS = 25
MAX_CUSTOM_ID = 100
MAX_LABEL = 80
_STYLES = range(1, 6)


def component_faults(path: tuple[str, ...], rows: Sequence[Component]) -> Iterator[FieldFault]:
    """The rules that the components of one message break."""
    if len(rows) > MAX_ROWS:
        yield FieldFault(path, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MAX_ROWS} in length.")
    for number, row in enumerate(rows):
        yield from _row_faults((*path, str(number)), row)
    used = Counter(part.custom_id for row in rows for part in row.components if part.custom_id)
    for custom_id in (custom_id for custom_id, times in used.items() if times > 1):
        yield FieldFault(
            path, "COMPONENT_CUSTOM_ID_DUPLICATED", f"Component custom id cannot be duplicated: {custom_id}"
        )


def _row_faults(path: tuple[str, ...], row: Component) -> Iterator[FieldFault]:
    if row.type != ACTION_ROW:
        yield FieldFault((*path, "type"), "UNION_TYPE_CHOICES", "Only an action row (1) stands at the top.")
        return
    menus = [part for part in row.components if part.type != BUTTON]
    room = 1 if menus else MAX_BUTTONS_OF_ROW
    if not 1 <= len(row.components) <= room:
        message = f"Must be between 1 and {room} in length."
        yield FieldFault((*path, "components"), "BASE_TYPE_BAD_LENGTH", message)
    for number, part in enumerate(row.components):
        inside = (*path, "components", str(number))
        yield from _button_faults(inside, part) if part.type == BUTTON else _menu_faults(inside, part)


def _button_faults(path: tuple[str, ...], button: Component) -> Iterator[FieldFault]:
    if button.style not in _STYLES:
        yield FieldFault((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5}.")
    if not (button.label or button.emoji):
        yield FieldFault((*path, "label"), "BUTTON_COMPONENT_LABEL_REQUIRED", "A button needs a label or an emoji.")
    if len(button.label or "") > MAX_LABEL:
        yield FieldFault((*path, "label"), "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_LABEL} or fewer in length.")
    if button.style == LINK_STYLE:
        if not button.url or button.custom_id:
            yield FieldFault((*path, "url"), "BASE_TYPE_REQUIRED", "A link has a url and no custom_id.")
        return
    yield from _custom_id_faults(path, button)


def _menu_faults(path: tuple[str, ...], menu: Component) -> Iterator[FieldFault]:
    if menu.type != STRING_SELECT:
        yield FieldFault((*path, "type"), "UNION_TYPE_CHOICES", "This double knows buttons (2) and string menus (3).")
    if not 1 <= len(menu.options) <= MAX_OPTIONS:
        message = f"Must be between 1 and {MAX_OPTIONS} in length."
        yield FieldFault((*path, "options"), "BASE_TYPE_BAD_LENGTH", message)
    yield from _custom_id_faults(path, menu)


def _custom_id_faults(path: tuple[str, ...], part: Component) -> Iterator[FieldFault]:
    if not 1 <= len(part.custom_id or "") <= MAX_CUSTOM_ID:
        message = f"Must be between 1 and {MAX_CUSTOM_ID} in length."
        yield FieldFault((*path, "custom_id"), "BASE_TYPE_BAD_LENGTH", message)
