"""Where settings come from: the environment and `headway.toml`, each read strictly."""

import os
import tomllib
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from headway.runtime.settings_problems import SERVICES, SettingsError

CONFIG_VARIABLE = "HEADWAY_CONFIG"


def config_path() -> Path | None:
    """The file to read: HEADWAY_CONFIG, or `headway.toml` in the home directory when it exists.

    Raises:
        SettingsError: HEADWAY_CONFIG names no file.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise SettingsError([f"{CONFIG_VARIABLE} names no file; correct it or unset it"])
        return path
    home = Path(os.environ.get("HEADWAY_HOME") or "~/.headway").expanduser()
    path = home / "headway.toml"
    return path if path.is_file() else None


class EnvironmentSource(EnvSettingsSource):
    """`HEADWAY_...` variables, and TRAINING_DEFAULT_MODE without the prefix."""

    def __call__(self) -> dict[str, object]:
        """The values found, by field."""
        found: dict[str, object] = dict(super().__call__())
        mode = os.environ.get("TRAINING_DEFAULT_MODE")
        if mode is not None:
            found["training_default_mode"] = mode.lower()
        return found


class TomlSource(PydanticBaseSettingsSource):
    """`headway.toml`: the top of the file and the service's own table; tables of other services are theirs."""

    def __init__(self, settings_cls: type[BaseSettings], path: Path | None) -> None:
        super().__init__(settings_cls)
        self._path = path

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:  # noqa: ARG002
        """Not used: the file is taken as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, object]:
        """The values found, by field.

        Raises:
            SettingsError: the file is not TOML.
        """
        if self._path is None:
            return {}
        try:
            found: dict[str, object] = tomllib.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError([f"{self._path.name} cannot be read: {error}"]) from error
        others = SERVICES - self.settings_cls.model_fields.keys()
        return {name: value for name, value in found.items() if name not in others}
