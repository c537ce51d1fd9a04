"""What is settled, and where jobs stand."""

import random

from notifier.places import JobPlaces, Order, Place, Settled


def test_what_is_told_in_order_is_one_number() -> None:
    settled = Settled()
    for sequence in (1, 2, 3):
        settled.receive(sequence, now_seconds=0.0)
        settled.settle([sequence], now_seconds=0.0)
    assert (settled.through, settled.ahead) == (3, [])
    assert 3 in settled
    assert 4 not in settled


def test_what_is_told_out_of_turn_is_remembered_beside_it() -> None:
    settled = Settled()
    for sequence in (1, 2, 3, 4):
        settled.receive(sequence, now_seconds=0.0)
    settled.settle([3], now_seconds=0.0)
    assert (settled.through, settled.ahead) == (0, [3])
    assert 3 in settled
    assert 2 not in settled
    settled.settle([1, 2], now_seconds=0.0)
    assert (settled.through, settled.ahead) == (3, [])


def test_an_event_that_was_lost_on_its_way_is_not_settled_by_its_neighbours() -> None:
    """The server gave it to a connection that died, and gives it again later."""
    settled = Settled()
    settled.receive(1, now_seconds=0.0)
    settled.receive(3, now_seconds=0.0)
    settled.settle([1, 3], now_seconds=0.0)
    settled.settle([], now_seconds=60.0)
    assert (settled.through, settled.ahead) == (1, [3])
    assert 2 not in settled
    settled.receive(2, now_seconds=61.0)
    settled.settle([], now_seconds=1000.0)
    assert 2 not in settled
    settled.settle([2], now_seconds=1000.0)
    assert settled.through == 3


def test_a_sequence_that_never_comes_was_deleted() -> None:
    settled = Settled(gone_after_seconds=100.0)
    settled.receive(5, now_seconds=0.0)
    settled.receive(9, now_seconds=0.0)
    settled.settle([5, 9], now_seconds=100.0)
    assert settled.through == 0
    settled.settle([], now_seconds=100.1)
    assert settled.through == 9


def test_what_the_stream_no_longer_holds_needs_no_telling() -> None:
    settled = Settled(3)
    settled.begin_at(10, now_seconds=0.0)
    assert settled.through == 9
    settled.begin_at(2, now_seconds=0.0)
    assert settled.through == 9


def test_between_two_lives_nothing_untold_counts_as_told() -> None:
    before = Settled()
    for sequence in range(1, 6):
        before.receive(sequence, now_seconds=0.0)
    before.settle([1, 4], now_seconds=0.0)
    after = Settled(before.through, before.ahead)
    after.settle([], now_seconds=10_000.0)
    assert [sequence for sequence in range(1, 6) if sequence not in after] == [2, 3, 5]


def test_between_two_lives_a_sequence_that_was_deleted_holds_nothing_up_for_ever() -> None:
    after = Settled(1, [4, 5], gone_after_seconds=100.0)
    for sequence in (4, 5, 6):
        after.receive(sequence, now_seconds=0.0)
    after.settle([6], now_seconds=101.0)
    assert (after.through, after.ahead) == (6, [])


def test_any_order_of_arrival_and_telling_ends_with_everything_settled_and_never_says_so_early() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        settled, told = Settled(), set[int]()
        arrivals = sorted(range(1, 31), key=lambda sequence: sequence + chance.uniform(0, 4))
        for sequence in arrivals:
            settled.receive(sequence, now_seconds=1.0)
            waiting = [known for known in arrivals[: arrivals.index(sequence) + 1] if known not in told]
            batch = chance.sample(waiting, chance.randint(0, len(waiting)))
            settled.settle(batch, now_seconds=1.0)
            told.update(batch)
            assert {number for number in range(1, 31) if number in settled} == told, seed
        settled.settle(set(range(1, 31)) - told, now_seconds=1.0)
        assert (settled.through, settled.ahead) == (30, []), seed


def test_a_job_moves_forwards() -> None:
    places = JobPlaces()
    assert places.judge("a", Place(10, 1)) is Order.NEXT
    assert places.judge("a", Place(11, 3)) is Order.NEXT
    assert places.judge("a", Place(12, 3)) is Order.REPEATED
    assert places.judge("a", Place(13, 2)) is Order.BACKWARDS
    assert places.judge("b", Place(14, 1)) is Order.NEXT


def test_an_event_that_comes_again_is_not_judged_again() -> None:
    """After a crash: its later neighbour was told before it, because ends go first."""
    places = JobPlaces([("a", Place(12, 4))])
    assert places.judge("a", Place(12, 4)) is Order.NEXT
    assert places.judge("a", Place(11, 2)) is Order.NEXT
    assert places.items() == [("a", Place(12, 4))]


def test_the_oldest_jobs_are_forgotten() -> None:
    places = JobPlaces(max_jobs=2)
    for number, job in enumerate(("a", "b", "a", "c"), start=1):
        places.judge(job, Place(number, number))
    assert [job for job, _ in places.items()] == ["a", "c"]
