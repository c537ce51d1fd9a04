import discord

from notifier.discord.card import MAX_EMBED_CHARACTERS, Button, Card, field, payload_of, within_limits


def an_embed(description: str = "x", num_fields: int = 0, value: str = "v") -> discord.Embed:
    embed = discord.Embed(title="title", description=description, timestamp=discord.utils.utcnow())
    for number in range(num_fields):
        field(embed, f"name {number}", value)
    return embed


def size(embeds: list[discord.Embed]) -> int:
    return sum(len(embed) for embed in embeds)


def test_nothing_can_ping() -> None:
    assert payload_of(Card(content="@everyone"))["allowed_mentions"] == {"parse": []}


def test_a_nonce_is_enforced_and_silence_is_a_flag() -> None:
    payload = payload_of(Card(content="a"), nonce="n", is_silent=True)
    assert (payload["nonce"], payload["enforce_nonce"], payload["flags"]) == ("n", True, 4096)
    assert not {"nonce", "enforce_nonce", "flags"} & payload_of(Card(content="a")).keys()


def test_everything_is_cut_to_what_discord_takes() -> None:
    card = Card(
        content="c" * 5000,
        embeds=tuple(an_embed("\\*" * 1500, 25, "v" * 1000) for _ in range(12)),
        buttons=tuple(Button(f"{number}", f"id{number}") for number in range(9)),
    )
    payload = payload_of(card)
    assert payload["content"] == "c" * 2000
    embeds = within_limits(card.embeds)
    assert len(embeds) == 10
    assert size(embeds) <= MAX_EMBED_CHARACTERS
    assert all((embed.description or "").endswith("…") for embed in embeds)
    (row,) = payload["components"] if isinstance(payload["components"], list) else []
    assert len(row["components"]) == 5


def test_wide_characters_count_twice() -> None:
    embeds = within_limits([an_embed("\N{ROCKET}" * 3500)])
    assert len((embeds[0].description or "").encode("utf-16-le")) // 2 <= MAX_EMBED_CHARACTERS


def test_what_fits_is_left_as_it_is() -> None:
    whole = an_embed("d" * 2000, 3)
    assert within_limits([whole])[0].to_dict() == whole.to_dict()


def test_a_field_that_says_nothing_is_left_out_and_there_are_25_at_most() -> None:
    assert len(an_embed(num_fields=30).fields) == 25
    embed = an_embed()
    field(embed, "name", "")
    assert len(embed.fields) == 0


def test_the_same_picture_has_the_same_digest_at_any_time() -> None:
    first, second = Card(embeds=(an_embed(),)), Card(embeds=(an_embed(),))
    assert first.digest == second.digest
    assert first.digest != Card(embeds=(an_embed("y"),)).digest
    assert first.digest != Card(embeds=first.embeds, buttons=(Button("b", "i"),)).digest
