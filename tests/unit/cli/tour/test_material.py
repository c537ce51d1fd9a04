import csv
from pathlib import Path

from headway.cli.jobfile.load import load_job_file
from headway.cli.tour.material import COLUMNS, TARGET, write_material


def test_the_table_is_the_real_one(tmp_path: Path) -> None:
    material = write_material(tmp_path)
    with material.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 569
    assert sum(row[TARGET] == "malignant" for row in rows) == 212
    assert rows[0]["mean radius"] == "17.99"
    assert rows[0]["worst fractal dimension"] == "0.1189"
    assert len(COLUMNS) == 30


def test_both_job_files_have_the_shape_of_one(tmp_path: Path) -> None:
    material = write_material(tmp_path)
    for path in (material.job, material.bad_job):
        assert load_job_file(path, path.read_text(encoding="utf-8")).spec.tabular_train.target_column == TARGET


def test_the_rows_to_predict_do_not_tell_the_answer(tmp_path: Path) -> None:
    material = write_material(tmp_path)
    with material.rows.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(material.answers) == 3
    assert TARGET not in rows[0]
    assert set(material.answers) == {"malignant", "benign"}


def test_a_second_demo_writes_over_the_first(tmp_path: Path) -> None:
    write_material(tmp_path)
    assert write_material(tmp_path).job.is_file()
