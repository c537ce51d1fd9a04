import asyncio

from scheduler.signals import Signals


def test_news_wakes_the_pass_the_presence_and_the_streams_of_the_hosts_concerned() -> None:
    signals, anton, berta = Signals(), asyncio.Event(), asyncio.Event()
    signals.attach("hosts/anton", anton)
    signals.attach("hosts/berta", berta)

    signals.news(["hosts/anton", "hosts/gone"])

    assert signals.pass_wanted.is_set()
    assert signals.presence_wanted.is_set()
    assert anton.is_set()
    assert not berta.is_set()


def test_a_stream_that_was_replaced_does_not_detach_its_successor() -> None:
    signals, older, newer = Signals(), asyncio.Event(), asyncio.Event()
    signals.attach("hosts/anton", older)
    signals.attach("hosts/anton", newer)
    signals.detach("hosts/anton", older)

    signals.news(["hosts/anton"])

    assert newer.is_set()
    assert not older.is_set()


def test_a_detached_stream_is_left_alone() -> None:
    signals, stream = Signals(), asyncio.Event()
    signals.attach("hosts/anton", stream)
    signals.detach("hosts/anton", stream)

    signals.news(["hosts/anton"])

    assert not stream.is_set()
