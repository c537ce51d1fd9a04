"""Says in plain words why a connection could not be made, where gRPC tells only what its TLS library said.

gRPC has no code for it: whatever keeps a connection from being made is UNAVAILABLE, and its text is the one place where
TLS shows. Nothing but words depends on that text.
"""

_CLOSED_AT_ONCE = "Socket closed"
_WAYS = (
    (
        "certificate has expired",
        "its certificate has expired; renew it (certificate_file of the service) and start the service again",
    ),
    (
        "unable to get local issuer certificate",
        "its certificate is not of the authority that was named; name the right one with --ca-file or HEADWAY_CA_FILE",
    ),
    (
        "WRONG_VERSION_NUMBER",
        "it speaks no TLS; leave out --ca-file and HEADWAY_CA_FILE, or give it certificate_file and key_file",
    ),
    (
        "Hostname Verification Check failed",
        "its certificate is for another name; call it by the name in the certificate, or renew it for this one",
    ),
    ("Tls handshake failed", "the TLS handshake failed; compare what both sides were given for certificates"),
)


def in_plain_words(details: str) -> str:
    """What to say about a call that reached no service.

    Args:
        details: gRPC's own text of an UNAVAILABLE call.

    Returns:
        A sentence with the fix, and gRPC's text behind it; the text alone where TLS has no part in it.
    """
    for sign, words in _WAYS:
        if sign in details:
            return f"the service was not connected to: {words} [{details}]"
    if "failed to connect" in details and _CLOSED_AT_ONCE in details:
        return (
            "the service hung up before a word was said; if it speaks TLS, name its certificate authority with "
            f"--ca-file or HEADWAY_CA_FILE [{details}]"
        )
    return details
