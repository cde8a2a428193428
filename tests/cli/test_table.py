"""`piranha table`: what it prints is the table that decides."""

from click.testing import CliRunner

from piranha.cli.main import piranha
from piranha.ha.table import printed


def test_it_prints_the_table_of_failover() -> None:
    answer = CliRunner().invoke(piranha, ["table", "ha"])
    assert (answer.exit_code, answer.output) == (0, printed())


def test_it_prints_the_table_of_health() -> None:
    answer = CliRunner().invoke(piranha, ["table", "health"])
    assert answer.exit_code == 0
    assert "[ active ] making {server} available" in answer.output


def test_there_is_no_other_table() -> None:
    answer = CliRunner().invoke(piranha, ["table", "routes"])
    assert answer.exit_code == 2
    assert "'ha', 'health'" in answer.output
