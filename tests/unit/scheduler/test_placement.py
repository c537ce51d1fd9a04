import pytest

from headway.contract.kinds import INFER, TABULAR_TRAIN
from headway.testing.builders import a_host
from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL, EXECUTION_MODE_UNSPECIFIED
from scheduler.placement import Room, Verdict, candidates, choose, judge, rooms_of
from scheduler.snapshot import Demand, HeldJob
from tests.unit.scheduler.views import a_demand, a_held, a_view

A_GPU = a_host(gpus=("NVIDIA RTX 4090",))
TWO_GPUS = a_host(gpus=("NVIDIA RTX 4090", "NVIDIA T4"), num_slots=4)


def verdict_on(host: Host, demand: Demand, *held: HeldJob, connected: bool = True) -> Verdict:
    view = a_view(host, connected=connected)
    return judge(demand, EXECUTION_MODE_LOCAL, rooms_of([view], held)[host.name])


def test_a_host_that_is_free_and_fit_is_suitable() -> None:
    verdict = verdict_on(a_host(), a_demand())

    assert verdict == Verdict("hosts/anton")
    assert verdict.is_suitable


@pytest.mark.parametrize(
    ("host", "demand", "held", "reason"),
    [
        (a_host(draining=True), a_demand(), (), "DRAINING"),
        (a_host(mode=EXECUTION_MODE_HOST), a_demand(), (), "WRONG_MODE"),
        (a_host(kinds=("tokenizer_train",)), a_demand(), (), "RECIPE_UNAVAILABLE"),
        (a_host(), a_demand(num_gpus=1), (), "NO_GPU"),
        (A_GPU, a_demand(num_gpus=1, gpu_type="H100"), (), "GPU_TYPE"),
        (A_GPU, a_demand(num_gpus=2), (), "NOT_ENOUGH_GPUS"),
        (TWO_GPUS, a_demand(num_gpus=2, gpu_type="t4"), (), "NOT_ENOUGH_GPUS"),
        (a_host(memory_mib=1000), a_demand(memory_mib=1001), (), "NOT_ENOUGH_MEMORY"),
        (a_host(num_slots=1), a_demand(), (a_held(),), "NO_FREE_SLOT"),
        (A_GPU, a_demand(num_gpus=1), (a_held(demand=a_demand(num_gpus=1)),), "NO_FREE_GPU"),
        (
            a_host(memory_mib=1000),
            a_demand(memory_mib=600),
            (a_held(demand=a_demand(memory_mib=500)),),
            "NO_FREE_MEMORY",
        ),
    ],
)
def test_a_refusal_says_why(host: Host, demand: Demand, held: tuple[HeldJob, ...], reason: str) -> None:
    verdict = verdict_on(host, demand, *held)

    assert verdict.reason == reason
    assert verdict.message
    assert not verdict.is_suitable


def test_a_host_without_a_stream_gets_nothing() -> None:
    assert verdict_on(a_host(), a_demand(), connected=False).reason == "NOT_CONNECTED"


def test_what_a_host_is_counts_before_what_is_left_on_it() -> None:
    """A busy host of the wrong mode is refused for good, and the caller should not wait for it."""
    busy = a_host(num_slots=1, mode=EXECUTION_MODE_HOST)

    assert verdict_on(busy, a_demand(), a_held()).reason == "WRONG_MODE"


def test_without_a_selected_mode_no_host_is_refused_for_its_mode() -> None:
    rooms = rooms_of([a_view(a_host(mode=EXECUTION_MODE_HOST))], [])

    assert judge(a_demand(), EXECUTION_MODE_UNSPECIFIED, rooms["hosts/anton"]).is_suitable


def test_gpu_types_are_matched_ignoring_case_anywhere_in_the_name() -> None:
    assert verdict_on(A_GPU, a_demand(num_gpus=1, gpu_type="rtx 4090")).is_suitable


def test_attempts_hold_slots_gpus_and_memory() -> None:
    room = rooms_of([a_view(TWO_GPUS)], [a_held(demand=a_demand(num_gpus=2, memory_mib=16_000))])["hosts/anton"]

    assert (room.slots, room.gpus, room.memory_mib) == (3, 0, 384)


def test_an_attempt_on_a_host_that_is_lost_holds_nothing_elsewhere() -> None:
    assert rooms_of([a_view()], [a_held(host="hosts/lost")])["hosts/anton"].slots == 2


def rooms_for(*hosts: Host) -> list[Room]:
    return candidates(a_demand(), EXECUTION_MODE_LOCAL, rooms_of([a_view(host) for host in hosts], []).values())


def test_the_emptiest_host_is_chosen() -> None:
    chosen = choose(a_demand(), rooms_for(a_host("anton", num_slots=1), a_host("berta", num_slots=3)))

    assert chosen is not None
    assert chosen.host.facts.name == "hosts/berta"


def test_a_tie_is_settled_by_name() -> None:
    chosen = choose(a_demand(), rooms_for(a_host("berta"), a_host("anton")))

    assert chosen is not None
    assert chosen.host.facts.name == "hosts/anton"


def test_gpus_are_kept_for_those_who_need_them() -> None:
    chosen = choose(a_demand(), rooms_for(a_host("anton", gpus=("T4",), num_slots=8), a_host("berta", num_slots=1)))

    assert chosen is not None
    assert chosen.host.facts.name == "hosts/berta"


def test_nobody_is_chosen_when_nothing_fits() -> None:
    rooms = rooms_for(a_host(num_slots=1))
    rooms[0].take(a_demand())

    assert choose(a_demand(), rooms) is None


def an_answer() -> Demand:
    return a_demand(kind=INFER)


BOTH = (TABULAR_TRAIN, INFER)


def test_a_host_whose_slots_are_all_busy_still_answers() -> None:
    held = [a_held("j1"), a_held("j2")]

    assert verdict_on(a_host(kinds=BOTH), an_answer(), *held).is_suitable
    assert verdict_on(a_host(kinds=BOTH), a_demand(), *held).reason == "NO_FREE_SLOT"


def test_a_host_that_answers_one_prediction_takes_no_other_and_has_all_its_slots() -> None:
    verdict = verdict_on(a_host(kinds=BOTH), an_answer(), a_held(demand=an_answer()))
    room = rooms_of([a_view(a_host(kinds=BOTH))], [a_held(demand=an_answer())])["hosts/anton"]

    assert (verdict.reason, verdict.is_for_now) == ("INFERENCE_BUSY", True)
    assert (room.slots, room.inference) == (2, 0)
    assert not room.fits(an_answer())
    assert room.fits(a_demand())


def test_a_host_without_the_recipe_answers_nothing() -> None:
    assert verdict_on(a_host(), an_answer()).reason == "RECIPE_UNAVAILABLE"
