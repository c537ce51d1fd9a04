from headway.contract.ids import JobName, new_job_id
from notifier.discord.steering import CONFIRM_SECONDS, Questions

JOB = JobName("demo", new_job_id())


def test_a_ticket_is_good_once() -> None:
    questions = Questions()
    ticket = questions.ask(JOB, now_seconds=0.0)
    assert questions.take(ticket, now_seconds=CONFIRM_SECONDS) == JOB
    assert questions.take(ticket, now_seconds=CONFIRM_SECONDS) is None
    assert questions.take("another", now_seconds=0.0) is None


def test_a_ticket_is_good_for_a_minute() -> None:
    questions = Questions()
    ticket = questions.ask(JOB, now_seconds=0.0)
    assert questions.take(ticket, now_seconds=CONFIRM_SECONDS + 0.1) is None


def test_questions_are_bounded() -> None:
    questions = Questions()
    tickets = [questions.ask(JOB, now_seconds=0.0) for _ in range(101)]
    assert questions.take(tickets[0], now_seconds=0.0) is None
    assert questions.take(tickets[1], now_seconds=0.0) == JOB
