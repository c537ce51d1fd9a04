"""A sink is as well as the worst of its parts."""

from notifier.sink_health import SinkHealth


async def test_a_sink_is_green_while_every_part_works() -> None:
    said: list[tuple[str, bool]] = []

    async def set_serving(name: str, is_well: bool) -> None:
        said.append((name, is_well))

    health = SinkHealth(set_serving)
    await health.report("discord", is_well=True)
    await health.report("discord", is_well=False, part="gateway")
    await health.report("discord", is_well=False)
    await health.report("discord", is_well=True, part="gateway")
    await health.report("log", is_well=True)
    await health.report("discord", is_well=True)
    name = "headway.notifier.discord"
    assert said == [
        *((name, is_well) for is_well in (True, False, False, False)),
        ("headway.notifier.log", True),
        (name, True),
    ]
