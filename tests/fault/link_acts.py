"""What can be done to the links of a cluster and taken back."""

from tests.fault.cluster import FaultCluster
from tests.fault.link import Link, Way


def links_of_a_host(cluster: FaultCluster) -> list[Link]:
    """Every connection of one host, drawn."""
    name = cluster.random.choice(cluster.hosts).name
    return [link for route, link in cluster.links.items() if route.startswith(f"{name}-")]


async def reset_links(cluster: FaultCluster) -> None:
    """Tear every connection between two services down."""
    for link in cluster.links.values():
        link.reset()


async def cut_host(cluster: FaultCluster) -> None:
    """Nothing from or to one host arrives."""
    for link in links_of_a_host(cluster):
        link.blackhole()


async def mute_host(cluster: FaultCluster) -> None:
    """What one host says is lost; it would hear."""
    for link in links_of_a_host(cluster):
        link.blackhole(Way.UP)


async def deafen_host(cluster: FaultCluster) -> None:
    """What is said to one host is lost; it is heard."""
    for link in links_of_a_host(cluster):
        link.blackhole(Way.DOWN)


async def refuse_all(cluster: FaultCluster) -> None:
    """No service reaches another."""
    for link in cluster.links.values():
        link.refuse()


async def slow_down(cluster: FaultCluster) -> None:
    """As a bad connection over a phone."""
    for link in cluster.links.values():
        link.bytes_per_second, link.delay_seconds = 50_000, 0.05


async def heal_links(cluster: FaultCluster) -> None:
    """As good as new; connections that stood still go on. Waits until everything serves."""
    for link in cluster.links.values():
        link.heal()
    cluster.history.forget_steps()
    await cluster.revive()
