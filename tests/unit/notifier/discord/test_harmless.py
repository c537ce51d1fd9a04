import pytest

from headway.runtime.redaction import Redactor
from notifier.discord.harmless import harmless, in_code

redact = Redactor().clean


@pytest.mark.parametrize(
    "text",
    [
        "@everyone",
        "@here",
        "<@80351110224678912>",
        "<@!80351110224678912>",
        "<@&80351110224678912>",
        "<#80351110224678912>",
        "</trainer:80351110224678912>",
        "<t:0:R>",
        "<:smile:80351110224678912>",
        "https://evil.example/x",
        "discord.gg/evil",
        "www.evil.example",
        "[Discord](https://evil.example)",
    ],
)
def test_nothing_of_this_keeps_its_meaning(text: str) -> None:
    for safe in (harmless(f"a {text} b", redact, limit=500), in_code(f"a {text} b", redact, limit=500)):
        assert text not in safe


def test_markdown_is_shown_as_it_is_written() -> None:
    assert harmless("*a* _b_ ~c~ |d| `e` > [f]", redact, limit=500) == r"\*a\* \_b\_ \~c\~ \|d\| \`e\` \> \[f\]"
    assert harmless("# no heading", redact, limit=500) == r"\# no heading"
    assert harmless("- no list", redact, limit=500) == r"\- no list"
    assert harmless("2026-03-01 was fine #1", redact, limit=500) == "2026-03-01 was fine #1"


def test_a_span_of_code_cannot_be_left() -> None:
    assert in_code("a `b` c", redact, limit=100) == "`a 'b' c`"
    assert in_code("", redact, limit=100) == ""
    assert len(in_code("x" * 500, redact, limit=100)) == 100


def test_secrets_and_paths_are_taken_out_before_anything_is_escaped() -> None:
    safe = harmless("hw_live_0123456789_abc in /home" + "/u/corpus/x.txt", redact, limit=500)
    assert "0123456789" not in safe
    assert "corpus" not in safe


@pytest.mark.parametrize("limit", range(2, 40))
def test_a_cut_never_leaves_half_an_escape(limit: int) -> None:
    safe = harmless("\\*_`|~" * 30, redact, limit=limit)
    assert len(safe) <= limit
    kept = safe.removesuffix("…")
    assert (len(kept) - len(kept.rstrip("\\"))) % 2 == 0
