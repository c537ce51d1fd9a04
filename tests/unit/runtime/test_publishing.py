import pytest

from headway.contract.subjects import EVENTS, job_event_subject
from headway.runtime.bus_errors import OutcomeUnknown
from headway.testing.memory_bus import MemoryBus

QUEUED = job_event_subject("queued", "p", "j1")


async def test_a_message_with_an_id_is_sent_again_when_the_answer_is_lost(memory_bus: MemoryBus) -> None:
    memory_bus.lose_answers(2)

    published = await memory_bus.publish(QUEUED, b"one", message_id="j1:1")

    assert published.is_duplicate
    assert (await memory_bus.stream_state(EVENTS)).num_messages == 1


async def test_a_message_without_an_id_is_not_sent_again(memory_bus: MemoryBus) -> None:
    memory_bus.lose_answers()

    with pytest.raises(OutcomeUnknown):
        await memory_bus.publish(QUEUED, b"one")
    assert (await memory_bus.stream_state(EVENTS)).num_messages == 1


async def test_a_server_that_never_answers_is_given_up(memory_bus: MemoryBus) -> None:
    memory_bus.lose_answers(10)

    with pytest.raises(OutcomeUnknown):
        await memory_bus.publish(QUEUED, b"one", message_id="j1:1")
