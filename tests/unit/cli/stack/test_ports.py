import socket
from dataclasses import astuple

import pytest

from headway.cli.stack.ports import choose_ports, is_free
from headway.contract.errors import PortInUse


def test_any_free_ports_are_all_different() -> None:
    ports = choose_ports(0)
    chosen = set(astuple(ports))
    assert len(chosen) == 7
    assert 0 not in chosen


def test_a_taken_gateway_port_is_refused_with_a_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(PortInUse, match="--port"):
            choose_ports(port)
    assert is_free(port)
    assert choose_ports(port).gateway == port


def test_a_port_that_is_another_services_usual_one_is_not_given_twice() -> None:
    ports = choose_ports(7071 if is_free(7071) else 0)
    assert len(set(astuple(ports))) == 7
