"""The faults that headway is tried by and the promises that it makes, in the words of RELIABILITY.md.

A test says in its name, its docstring or its module's docstring which of them it holds, such as `F20` or `P16`; the
report finds it by that. The rows F49 to F52 are the notifier's and are listed with its tests.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One fault.

    Attributes:
        id: such as `F20`.
        component: what it happens to.
        fault: what happens.
        expected: what should come of it.
    """

    id: str
    component: str
    fault: str
    expected: str


_ROWS = (
    (
        "gateway",
        "kill -9, idle and in the middle of submissions",
        "what was acknowledged is there, the rest is once or not",
    ),
    (
        "gateway",
        "kill -9 while an attempt is leased, after the write and before the answer",
        "offered again or queued again",
    ),
    ("gateway", "kill -9 at each step of saving a model", "one model, whole, or none yet"),
    ("gateway", "stands still for three leases", "hosts go on; no attempt is repeated"),
    ("gateway", "away while jobs finish", "every result is taken on its return"),
    ("gateway", "restart with many leased jobs", "none fails"),
    ("gateway", "power cut after acknowledgements", "what was acknowledged is there"),
    ("gateway", "disk full: records, blobs, incoming", "refused before acknowledging; goes on by itself"),
    ("gateway", "fsync fails once", "not acknowledged"),
    ("gateway", "wall clock a day forward and back", "no lease, wait or order changes"),
    ("gateway", "two gateways on one store", "the second refuses"),
    ("gateway", "SIGTERM under load", "calls end, nothing is lost"),
    ("gateway", "store of a newer version, or damaged", "refuses, or rebuilds; serves no garbage"),
    ("scheduler", "kill -9 at random, and around each publish", "nobody is assigned twice under one fence"),
    ("scheduler", "stands still, another takes over, goes on", "stale decisions are refused"),
    (
        "scheduler",
        "no host fits; fallback; a GPU is required and there is none",
        "waits with a reason, or falls back, told",
    ),
    ("host", "kill -9 of agent and child at any step", "goes on from the newest whole checkpoint"),
    ("host", "kill -9 of the child alone", "tried again on the same host"),
    ("host", "kill -9 of the agent alone", "the child ends too; no orphan"),
    ("host", "stands still for two leases, then goes on", "another host finishes; the late result is refused"),
    ("host", "stands still for less than a lease", "nothing happens to the job"),
    ("host", "restart within and beyond a lease", "taken up again, or a new attempt"),
    ("host", "starved of processor time", "not taken for lost"),
    ("host", "disk full during a checkpoint or a result", "the training goes on; the result is kept"),
    ("host", "checkpoint torn, changed, of another job, of a later format", "skipped for the one before, told"),
    ("host", "training runs out of memory", "recognised, bounded, advice given"),
    ("host", "hangs while heartbeats go on", "seen, ended and tried again"),
    ("host", "all hosts die at once, one returns", "every job finishes"),
    ("host", "wall clock an hour off the gateway's", "no lease, wait or order changes"),
    ("link", "cut for three leases, then healed", "another host finishes; the late result is refused"),
    ("link", "requests arrive, answers are lost", "repeated at no effect"),
    ("link", "requests are lost", "the job goes on elsewhere"),
    ("link", "request lost, answer lost, in flight: for every RPC", "each is idempotent or fenced"),
    ("link", "slow", "the upload ends; heartbeats do not wait for it"),
    ("link", "reset again and again", "it ends; nothing leaks"),
    ("link", "flips bits", "noticed by digest, sent again, saved once"),
    ("link", "TLS: wrong authority, expired, plain text to a TLS port", "refused with a reason"),
    ("callback", "twice, 64 at once, out of order, late", "one model"),
    ("callback", "stops half-way, resumes, trickles", "resumed or swept; no handler stays"),
    ("callback", "corrupted or malicious", "never a model, never executed, bounded memory"),
    ("NATS", "kill -9 and restart under load", "nothing lost, no watch event missed"),
    ("NATS", "stands still", "writes wait or are refused; all is well after"),
    ("NATS", "stream or consumer deleted, store wiped", "noticed; never a silent start from nothing"),
    ("NATS", "acknowledges before it is on disk", "refused at start"),
    ("NATS", "store full", "refused before acknowledging"),
    ("NATS", "messages twice, out of order, again", "no double start"),
    ("NATS", "forged message", "denied by the server; of no effect"),
    ("NATS", "away at start, and for long", "services wait, then serve"),
    ("notifier", "kill -9 between sending and noting it", "at most one duplicate"),
    ("Discord", "429, 5xx, time-outs, HTML", "waits as told, order kept, no end lost"),
    ("Discord", "401, 403", "stops, health says so"),
    ("Discord", "the websocket's faults", "resumes, or stays away"),
    ("all", "chaos: random kills, freezes and cuts", "the checker finds nothing"),
    ("all", "start in every order; restart all at once", "converges"),
    ("all", "an old client and a new server", "unknown fields and values do no harm"),
)
ROWS: dict[str, Row] = {f"F{number}": Row(f"F{number}", *texts) for number, texts in enumerate(_ROWS, start=1)}
"""Every fault, by its id."""

NOTIFIER_ROWS = frozenset({"F49", "F50", "F51", "F52"})

PROMISES: dict[str, str] = {
    "P1": "An acknowledged submission survives kill -9 of everything at once, and ends without a person's help.",
    "P2": "An acknowledged submission survives a power cut.",
    "P3": "After the loss of the record store nothing starts from nothing; `headway recover` loses no submission.",
    "P4": "The same request id gives the same job for ever, also 64 times at once; with another body it is refused.",
    "P5": "A submission that was not acknowledged exists entirely or not at all.",
    "P6": "A job that is not over is queued with a reason, or held by one host, or being saved.",
    "P7": "Each job that succeeded has exactly one model version, with the bytes of its digest.",
    "P8": "A result is accepted only when blob, folder and record are on disk; repeating has no effect.",
    "P9": "A result under another fence changes nothing.",
    "P10": "A bad payload never becomes a model, runs no code, takes bounded memory, and spoils no later one.",
    "P11": "A host keeps a finished result until the gateway has taken it, over restarts of both.",
    "P12": "No reader sees a partial model; bytes that went bad are refused, not served.",
    "P13": "A lost host's job is queued again within a lease and 1 s, and runs elsewhere within a lease and 3 s.",
    "P14": "The next attempt goes on from the newest whole checkpoint and ends with the same bytes.",
    "P15": "A checkpoint that cannot be used is skipped for the one before, with a reason.",
    "P16": "A stale attempt may train, but never commits.",
    "P17": "Time without gateway, scheduler or NATS costs no running job its lease.",
    "P18": "Nothing is failed, queued again or reaped until recovery is over.",
    "P19": "Attempts are counted and capped; the caller's own errors are never retried; lost hosts count apart.",
    "P20": "A job that is over stays so.",
    "P21": "An acknowledged cancellation never turns into success, and the host stops.",
    "P22": "Jumps of the wall clock change no lease, wait or order, and no job's history runs backwards.",
    "P23": "A read after an acknowledged write sees it.",
    "P24": "A watch delivers every change once and in order, over restarts; a slow one is told and hurts nobody.",
    "P25": "Events carry a stable id and a number; duplicates can be dropped and gaps be seen.",
    "P26": "Each milestone reaches the owner at least once.",
    "P27": "Overload is refused, not absorbed.",
    "P28": "A full disk refuses before acknowledging; reads go on; service resumes by itself.",
    "P33": "SIGTERM drains within ten seconds and loses nothing.",
}
"""Every promise that the report follows, by its id."""
