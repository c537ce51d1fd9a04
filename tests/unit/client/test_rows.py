from headway.client.rows import RowsToAnswer


def test_rows_are_named_in_one_of_four_ways() -> None:
    assert RowsToAnswer.of_csv("a\n1\n").request.csv == "a\n1\n"
    dataset = RowsToAnswer.of_dataset("d", version=2, sheet_name="s").request
    assert (dataset.dataset, dataset.dataset_version, dataset.sheet_name) == ("d", 2, "s")
    path = RowsToAnswer.of_path("x.xlsx", sheet_name="s").request
    assert (path.data_path, path.sheet_name) == ("x.xlsx", "s")


def test_json_rows_keep_their_values() -> None:
    request = RowsToAnswer.of_json([{"a": 1.5, "b": "x", "c": True, "d": None}, {}]).request

    first, second = request.json_rows.rows
    assert dict(first.items()) == {"a": 1.5, "b": "x", "c": True, "d": None}
    assert not second.fields
