"""The link itself does what it is told; only then do the tests on it say something."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from headway.testing.eventually import eventually
from tests.fault.link import Link, Way, linked

SOON = 5.0


class Echo:
    """A server that sends back what it hears."""

    def __init__(self) -> None:
        self.num_open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_open += 1
        try:
            while heard := await reader.read(1024):
                writer.write(heard)
        except OSError:
            pass
        finally:
            self.num_open -= 1
            writer.close()


class Dialler:
    """One connection through a link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    def say(self, word: bytes) -> None:
        self._writer.write(word)

    async def hear(self, word: bytes) -> None:
        assert await asyncio.wait_for(self.reader.readexactly(len(word)), SOON) == word

    async def hears_nothing(self) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.reader.read(1), 0.1)

    async def is_torn(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), SOON) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Echo, Link]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with linked(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as link:
        yield echo, link
    server.close()
    await eventually(lambda: echo.num_open == 0)


@asynccontextmanager
async def dialled(link: Link) -> AsyncIterator[Dialler]:
    host, _, port = link.address.rpartition(":")
    dialler = Dialler(*await asyncio.open_connection(host, int(port)))
    try:
        yield dialler
    finally:
        dialler.close()


@pytest.mark.parametrize("ways", [(), (Way.UP,), (Way.DOWN,)], ids=["both", "up", "down"])
async def test_what_falls_into_a_hole_arrives_when_the_link_heals(ways: tuple[Way, ...]) -> None:
    async with echoing() as (_, link), dialled(link) as dialler:
        dialler.say(b"one")
        await dialler.hear(b"one")
        link.blackhole(*ways)
        dialler.say(b"two")
        await dialler.hears_nothing()
        link.heal()
        await dialler.hear(b"two")


async def test_whoever_dials_into_a_hole_hears_nothing_until_it_heals() -> None:
    async with echoing() as (_, link):
        link.blackhole()
        async with dialled(link) as dialler:
            dialler.say(b"one")
            await dialler.hears_nothing()
            link.heal()
            await dialler.hear(b"one")


async def test_what_is_torn_in_a_hole_is_lost() -> None:
    async with echoing() as (_, link), dialled(link) as dialler:
        link.blackhole(Way.DOWN)
        dialler.say(b"one")
        await eventually(lambda: link.num_held == 1)
        link.reset()
        assert await dialler.is_torn()


async def test_a_link_that_refuses_tears_old_and_new() -> None:
    async with echoing() as (_, link), dialled(link) as old:
        old.say(b"one")
        await old.hear(b"one")
        link.refuse()
        assert await old.is_torn()
        async with dialled(link) as new:
            assert await new.is_torn()
        link.heal()
        async with dialled(link) as good:
            good.say(b"two")
            await good.hear(b"two")


async def test_one_end_of_a_half_open_connection_is_gone_and_the_other_does_not_know() -> None:
    async with echoing() as (echo, link), dialled(link) as old:
        old.say(b"one")
        await old.hear(b"one")
        link.forget()
        await eventually(lambda: echo.num_open == 0)
        old.say(b"two")
        await old.hears_nothing()
        async with dialled(link) as new:
            new.say(b"three")
            await new.hear(b"three")


async def test_slowness_and_damage_are_as_set() -> None:
    async with echoing() as (_, link), dialled(link) as dialler:
        link.delay_seconds = 0.1
        begin = asyncio.get_running_loop().time()
        dialler.say(b"one")
        await dialler.hear(b"one")
        assert asyncio.get_running_loop().time() - begin >= 0.2
        link.heal()
        link.corrupted_share = 1.0
        dialler.say(b"two")
        damaged = await asyncio.wait_for(dialler.reader.readexactly(3), SOON)
        flipped = int.from_bytes(damaged) ^ int.from_bytes(b"two")
        assert (flipped.bit_count(), link.num_corrupted) == (1, 1)
