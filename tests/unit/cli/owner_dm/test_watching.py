from datetime import UTC, datetime

from rich.console import Console, RenderableType

from headway.cli.owner_dm.shown import Change, DirectMessage
from headway.cli.owner_dm.watching import EditPace, Screen, is_before
from headway.testing.clock import ManualClock

LIVE = DirectMessage.model_validate({"id": "1", "embeds": [{"title": "Running", "description": "iris", "color": 1}]})
DONE = DirectMessage.model_validate({"id": "1", "embeds": [{"title": "Done", "description": "iris", "color": 2}]})
THINKING = DirectMessage(id="2", flags=128, interaction_id="9")
ANSWER = DirectMessage(id="2", content="the answer", interaction_id="9")


class Paper:
    """Takes what a screen shows, as text."""

    def __init__(self, *, shows_thinking: bool = False) -> None:
        self.blocks: list[str] = []
        self.screen = Screen(ManualClock(), self._print, shows_thinking=shows_thinking)

    def take(self, kind: str, message: DirectMessage | None = None, text: str = "") -> str:
        """What one change adds."""
        before = len(self.blocks)
        self.screen.take(Change(kind=kind, message=message, text=text))
        return "".join(self.blocks[before:])

    def _print(self, block: RenderableType) -> None:
        console = Console(width=80)
        with console.capture() as captured:
            console.print(block)
        self.blocks.append(captured.get())


def test_a_live_edit_is_one_line_and_an_end_is_a_whole_message() -> None:
    paper = Paper()
    assert paper.take("created", LIVE).count("\n") > 2
    edit = paper.take("edited", LIVE.model_copy(update={"num_edits": 1}))
    assert (edit.count("\n"), "Running" in edit) == (1, True)
    end = paper.take("edited", DONE)
    assert "(edited)" in end
    assert "Done" in end


def test_what_was_shown_as_it_is_is_not_shown_again() -> None:
    paper = Paper()
    paper.take("created", LIVE)
    assert paper.take("created", LIVE) == ""
    paper.screen.remember(DONE)
    assert paper.take("created", DONE) == ""


def test_many_edits_at_once_do_not_drown_the_rest() -> None:
    pace = EditPace(limit=2, seconds=15.0)
    assert [pace.may_tell(now=now) for now in (0, 1, 2, 14.9, 15, 16)] == [True, True, False, False, True, True]
    assert pace.take_untold() == 2
    assert pace.take_untold() == 0


def test_what_is_as_it_was_before_a_moment_is_old() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    old = DirectMessage(id="1", create_time="2029-12-31T23:59:59+00:00")
    assert is_before(old, moment)
    assert not is_before(old.model_copy(update={"edit_time": "2030-01-01T00:00:01+00:00"}), moment)
    assert not is_before(DirectMessage(id="1", create_time="no time"), moment)


def test_an_answer_is_shown_when_it_is_there() -> None:
    paper = Paper()
    assert paper.take("created", THINKING) == ""
    answer = paper.take("edited", ANSWER)
    assert "the answer" in answer
    assert "edited" not in answer


def test_whoever_waits_for_an_answer_sees_that_the_bot_thinks() -> None:
    assert "thinking" in Paper(shows_thinking=True).take("created", THINKING)


def test_what_was_typed_and_who_is_there_is_told_once() -> None:
    paper = Paper()
    assert paper.take("said", text="/trainer runs \x1b[2J") == "you /trainer runs \N{REPLACEMENT CHARACTER}[2J\n"
    assert paper.take("connected") == ""
    assert "away" in paper.take("disconnected")
    assert paper.take("disconnected") == ""
    assert "here" in paper.take("connected")
    assert "took a message away: Done" in paper.take("deleted", DONE)


async def test_the_past_is_over_when_it_is_said_who_is_there() -> None:
    paper = Paper()
    paper.take("created", LIVE)
    assert not paper.screen.is_caught_up.is_set()
    paper.take("disconnected")
    assert paper.screen.is_caught_up.is_set()


async def test_an_answer_can_be_waited_for_until_it_was_shown() -> None:
    paper = Paper()
    paper.take("created", THINKING)
    assert not await paper.screen.wait_shown(ANSWER, 0.01)
    paper.take("edited", ANSWER)
    assert await paper.screen.wait_shown(ANSWER, 5)
    assert not await paper.screen.wait_shown(ANSWER.model_copy(update={"num_edits": 1}), 0.01)
