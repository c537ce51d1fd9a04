import pytest

from headway.runtime.connect_words import in_plain_words

HANDSHAKE = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Tls handshake failed: "


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("CERTIFICATE_VERIFY_FAILED: certificate has expired", "renew it"),
        ("CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate", "name the right one with --ca-file"),
        ("WRONG_VERSION_NUMBER: Invalid certificate verification context", "it speaks no TLS"),
        ("Hostname Verification Check failed.", "is for another name"),
        ("something new", "the TLS handshake failed"),
    ],
)
def test_a_failed_handshake_is_told_with_its_fix_and_its_source(said: str, words: str) -> None:
    """F37."""
    told = in_plain_words(HANDSHAKE + said)
    assert words in told
    assert said in told


def test_who_is_hung_up_on_is_told_of_tls() -> None:
    """F37: all that a caller without TLS sees of a port with it."""
    details = "failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed"
    assert "name its certificate authority with --ca-file or HEADWAY_CA_FILE" in in_plain_words(details)


@pytest.mark.parametrize(
    "details",
    ["Socket closed", "failed to connect to all addresses; last error: UNKNOWN: connect: Connection refused (111)", ""],
)
def test_what_has_nothing_to_do_with_tls_is_left_as_it_is(details: str) -> None:
    assert in_plain_words(details) == details
