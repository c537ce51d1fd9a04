"""Named places where a test can make a process fail: die, meet a failing or full disk, or hang.

A process that is started with `HEADWAY_TESTING=1` and `HEADWAY_FAILPOINT=save.s6.before=kill` kills itself when it gets
to the place of that name. Without the first variable the second means nothing, and a place costs less than a
microsecond: nothing is ever looked up there.

    HEADWAY_FAILPOINT = POINT=ACTION[@N][,POINT=ACTION[@N] ...]
    ACTION            = kill | eio | enospc | sleep(SECONDS)

With `@N` only the process's N-th passage fails, without it every one. `tests/fault/test_save_points.py` finds every
name in the code and asks for a test of it. The variables are read once, when this module is first imported: a place
that is passed often could not afford to look.
"""

import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

_ITEM = re.compile(
    r"(?P<name>[a-z0-9_]+(?:\.[a-z0-9_]+)+)=(?P<action>kill|eio|enospc|sleep\((?P<seconds>[0-9.]+)\))(?:@(?P<at>[1-9][0-9]*))?"
)


def _die() -> None:
    """As a crash: no clean-up, no last words."""
    os.kill(os.getpid(), signal.SIGKILL)


def _fail_with(number: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def _sleep_for(seconds: float) -> Callable[[], None]:
    def sleep() -> None:
        # In a coroutine this holds up the whole process: it looks frozen.
        threading.Event().wait(seconds)

    return sleep


@dataclass(slots=True)
class Failpoint:
    """What is to happen at one place.

    Attributes:
        name: of the place.
        act: dies, raises or hangs.
        at: number of the passage at which it happens, from 1; 0 means at each.
    """

    name: str
    act: Callable[[], None]
    at: int = 0
    _num_passages: int = field(default=0, init=False)

    def pass_by(self) -> None:
        """Act when it is time, and leave a line that says so: a test must not take a place for passed that was not."""
        self._num_passages += 1
        if self.at in (0, self._num_passages):
            sys.stderr.write(f"failpoint: {self.name}\n")
            sys.stderr.flush()
            self.act()


def parse_failpoints(text: str) -> dict[str, Failpoint]:
    """Read the value of HEADWAY_FAILPOINT.

    Raises:
        ValueError: it cannot be read; the message says what is allowed.
    """
    found: dict[str, Failpoint] = {}
    for item in filter(None, text.split(",")):
        match = _ITEM.fullmatch(item.strip())
        if match is None:
            raise ValueError(
                f"HEADWAY_FAILPOINT: {item!r} is not POINT=ACTION; write kill, eio, enospc or sleep(SECONDS) for the "
                "action, and @N after it to fail at the N-th passage only"
            )
        name = match["name"]
        found[name] = Failpoint(name, _action(match["action"], match["seconds"]), int(match["at"] or 0))
    return found


def _action(word: str, seconds: str | None) -> Callable[[], None]:
    if seconds is not None:
        return _sleep_for(float(seconds))
    return {"kill": _die, "eio": _fail_with(errno.EIO), "enospc": _fail_with(errno.ENOSPC)}[word]


def armed_by(environ: Mapping[str, str]) -> dict[str, Failpoint]:
    """The places that an environment makes fail; none without HEADWAY_TESTING=1."""
    if environ.get("HEADWAY_TESTING") != "1":
        return {}
    return parse_failpoints(environ.get("HEADWAY_FAILPOINT", ""))


_ARMED = armed_by(os.environ)
_NOTHING = nullcontext()


def failpoint(name: str) -> None:
    """A place that can be made to fail.

    Args:
        name: of this place alone, such as `lease.after_commit`.

    Raises:
        OSError: a test wants the disk to fail here.
    """
    if _ARMED and name in _ARMED:
        _ARMED[name].pass_by()


def failpoints_around(name: str) -> AbstractContextManager[None]:
    """Two places: `<name>.before` the block, and `<name>.after` it when it did not raise."""
    return _Around(name) if _ARMED else _NOTHING


class _Around(AbstractContextManager[None]):
    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        failpoint(f"{self._name}.before")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            failpoint(f"{self._name}.after")
