from datetime import UTC, datetime

from headway.contract.limits import LOG_LINES_PER_MESSAGE_MAX, LOG_MESSAGE_MAX_CHARACTERS
from trainer_host.log_buffer import LogBuffer

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def filled(num_lines: int, message: str = "line") -> LogBuffer:
    buffer = LogBuffer(3)
    for _ in range(num_lines):
        buffer.add("info", message, {}, NOW)
    return buffer


def test_lines_are_numbered_from_one_without_gaps() -> None:
    lines = filled(3).take_unsent()
    assert [(line.number, line.attempt) for line in lines] == [(1, 3), (2, 3), (3, 3)]


def test_a_message_holds_so_many_lines_and_no_more() -> None:
    buffer = filled(LOG_LINES_PER_MESSAGE_MAX + 1)
    assert len(buffer.take_unsent()) == LOG_LINES_PER_MESSAGE_MAX
    assert len(buffer.take_unsent()) == 1
    assert not buffer.has_unsent()


def test_what_was_not_accepted_is_sent_again_under_its_number() -> None:
    buffer = filled(2)
    first = buffer.take_unsent()
    buffer.resend()
    assert buffer.take_unsent() == first


def test_what_was_accepted_is_forgotten() -> None:
    buffer = filled(2)
    buffer.take_unsent()
    buffer.add("info", "later", {}, NOW)
    buffer.accept_sent()
    assert buffer.num_unaccepted == 1
    [line] = buffer.take_unsent()
    assert (line.number, line.message) == (3, "later")


def test_the_oldest_lines_go_when_the_gateway_stays_away() -> None:
    buffer = filled(6000)
    assert (buffer.num_unaccepted, buffer.num_dropped) == (5000, 1000)
    assert buffer.take_unsent()[0].number == 1001


def test_memory_is_bounded_by_bytes_too() -> None:
    buffer = filled(1000, "x" * LOG_MESSAGE_MAX_CHARACTERS)
    assert buffer.num_unaccepted <= 2 * 1024 * 1024 / LOG_MESSAGE_MAX_CHARACTERS


def test_dropping_lines_that_were_sent_does_not_hide_newer_ones() -> None:
    buffer = filled(10)
    buffer.take_unsent()
    for _ in range(5000):
        buffer.add("info", "more", {}, NOW)
    assert buffer.has_unsent()
    numbers = [line.number for _ in range(10) for line in buffer.take_unsent()]
    assert numbers == list(range(11, 5011))


def test_long_words_are_cut() -> None:
    buffer = LogBuffer(1)
    buffer.add("info", "m" * 5000, {f"key{number}": "v" * 500 for number in range(40)}, NOW)
    [line] = buffer.take_unsent()
    assert len(line.message) == LOG_MESSAGE_MAX_CHARACTERS
    assert len(line.fields) == 32
    assert all(len(value) == 256 for value in line.fields.values())
