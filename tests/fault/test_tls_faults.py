"""TLS that cannot be right is refused with a reason, and nobody goes on without it (F37)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headway.client.client import HeadwayClient
from headway.contract.errors import Code, StoreUnavailable
from headway.runtime.keys import read_key_file
from headway.runtime.nats_bus import BusOptions, connect
from headway.runtime.nats_server import NatsServerOptions, nats_server_path, render_config
from headway.runtime.remote_error import RemoteError
from headway.testing.eventually import eventually
from headway.testing.ports import steady_port
from tests.fault.authority import Authority
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.tethered import running


@asynccontextmanager
async def a_gateway(folder: Path, certificate: tuple[Path, Path] | None) -> AsyncIterator[FaultCluster]:
    """A gateway and a nats-server, and a host that is not started."""
    environ = {}
    if certificate is not None:
        environ = {"HEADWAY_CERTIFICATE_FILE": str(certificate[0]), "HEADWAY_KEY_FILE": str(certificate[1])}
    async with fault_cluster(folder / "cluster", is_started=False, gateway_environ=environ) as cluster:
        cluster.nats.start()
        await cluster.nats.ready()
        cluster.gateway.start()
        # Its health cannot be asked by those who do not know its authority.
        await eventually(lambda: _is_listening(cluster), timeout_seconds=60)
        yield cluster


def _is_listening(cluster: FaultCluster) -> bool:
    if not cluster.gateway.is_alive:
        raise RuntimeError(f"the gateway ended:\n{cluster.gateway.log()[-3000:]}")
    return '"listening"' in cluster.gateway.log()


async def refusal(cluster: FaultCluster, ca_file: Path | None) -> RemoteError | None:
    """What a client is told that trusts an authority, or speaks no TLS; None when it is served."""
    key = read_key_file(cluster.plan.key_path)
    async with HeadwayClient.connect(cluster.gateway.address, key, ca_file=ca_file) as client:
        try:
            await client.system.execution_config()
        except RemoteError as error:
            return error
    return None


async def told(cluster: FaultCluster, ca_file: Path | None) -> str:
    error = await refusal(cluster, ca_file)
    assert error is not None, "it was served"
    assert error.code is Code.UNAVAILABLE
    return error.message


async def test_a_client_is_served_by_whom_it_trusts_and_told_why_not(tmp_path: Path) -> None:
    trusted, other = Authority(tmp_path, "trusted"), Authority(tmp_path, "other")
    async with a_gateway(tmp_path, trusted.issue("gateway")) as cluster:
        assert await refusal(cluster, trusted.ca_file) is None
        assert "not of the authority that was named" in await told(cluster, other.ca_file)
        assert "name its certificate authority with --ca-file" in await told(cluster, None)


@pytest.mark.slow
async def test_an_expired_certificate_and_a_foreign_one_are_refused(tmp_path: Path) -> None:
    trusted = Authority(tmp_path, "trusted")
    async with a_gateway(tmp_path / "a", trusted.issue("expired", has_expired=True)) as cluster:
        assert "has expired" in await told(cluster, trusted.ca_file)
    async with a_gateway(tmp_path / "b", trusted.issue("foreign", host="example.org")) as cluster:
        assert "is for another name" in await told(cluster, trusted.ca_file)


@pytest.mark.slow
async def test_a_client_that_wants_tls_sends_its_key_to_nobody_without(tmp_path: Path) -> None:
    async with a_gateway(tmp_path, None) as cluster:
        assert "it speaks no TLS" in await told(cluster, Authority(tmp_path).ca_file)


@pytest.mark.slow
async def test_a_host_that_trusts_another_authority_says_so_and_tries_on(tmp_path: Path) -> None:
    trusted, other = Authority(tmp_path, "trusted"), Authority(tmp_path, "other")
    async with a_gateway(tmp_path, trusted.issue("gateway")) as cluster:
        [host], [scheduler] = cluster.hosts, cluster.schedulers
        own = {"HEADWAY_CERTIFICATE_FILE": str(tmp_path / "gateway.cert.pem")}
        own["HEADWAY_KEY_FILE"] = str(tmp_path / "gateway.key.pem")
        scheduler.start(own)
        host.start({"HEADWAY_CA_FILE": str(other.ca_file)})
        await eventually(lambda: "not of the authority that was named" in host.log(), timeout_seconds=60)
        assert host.is_alive
        host.kill9()
        host.start({"HEADWAY_CA_FILE": str(trusted.ca_file)})
        await eventually(lambda: _is_known(cluster, trusted.ca_file), timeout_seconds=60)


async def _is_known(cluster: FaultCluster, ca_file: Path) -> bool:
    key = read_key_file(cluster.plan.key_path)
    async with HeadwayClient.connect(cluster.gateway.address, key, ca_file=ca_file) as client:
        return bool((await client.system.hosts()).hosts)


async def test_nats_is_spoken_to_by_whom_it_can_prove_to_be(tmp_path: Path) -> None:
    trusted, other = Authority(tmp_path, "trusted"), Authority(tmp_path, "other")
    certificate_file, key_file = trusted.issue("nats")
    options = NatsServerOptions(directory=tmp_path, port=steady_port(), monitor_port=steady_port())
    tls = f'\ntls {{ cert_file: "{certificate_file}", key_file: "{key_file}" }}\n'
    (tmp_path / "nats.conf").write_text(render_config(options) + tls, encoding="utf-8")
    with running([nats_server_path(), "--config", str(tmp_path / "nats.conf")], tmp_path / "nats.log"):
        url = f"tls://127.0.0.1:{options.port}"
        async with connect(url, "test", options=BusOptions(ca_file=trusted.ca_file, connect_timeout_seconds=20)) as bus:
            assert bus.is_connected
        for ca_file in (other.ca_file, None):
            with pytest.raises(StoreUnavailable):
                async with connect(url, "test", options=BusOptions(ca_file=ca_file, connect_timeout_seconds=1)):
                    pytest.fail("it spoke to a stranger")
