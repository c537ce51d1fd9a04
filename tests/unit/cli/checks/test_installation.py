from headway.cli.checks.installation import check_installation, required_packages
from headway.cli.checks.verdict import Health


def test_requirements_of_extras_are_not_required() -> None:
    assert required_packages(["grpcio<2,>=1.85.1", "PyYAML>=6.0", "torch<2.14; extra == 'host'"]) == [
        "grpcio",
        "PyYAML",
    ]


def test_a_checkout_that_runs_its_tests_is_installed() -> None:
    assert [verdict for verdict in check_installation() if verdict.health is Health.FAIL] == []
