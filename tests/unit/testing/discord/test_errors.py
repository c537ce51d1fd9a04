from headway.testing.discord.errors import FieldFault, invalid_form, unauthorized, unknown


def test_the_fields_at_fault_are_a_tree_as_discord_has_it() -> None:
    faults = [FieldFault(("embeds", "0", "title"), "CODE", "words"), FieldFault(("embeds", "0"), "OTHER", "more")]
    assert invalid_form(faults).body() == {
        "message": "Invalid Form Body",
        "code": 50035,
        "errors": {
            "embeds": {
                "0": {
                    "title": {"_errors": [{"code": "CODE", "message": "words"}]},
                    "_errors": [{"code": "OTHER", "message": "more"}],
                }
            }
        },
    }


def test_other_errors_have_a_code_and_a_sentence() -> None:
    assert unauthorized().body() == {"message": "401: Unauthorized", "code": 0}
    assert (unknown("Message", 10008).status, str(unknown("Message", 10008))) == (404, "404 10008: Unknown Message")
