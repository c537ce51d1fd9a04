"""An event on stdout, in the form that was asked for."""

from headway.cli.listen.heard import HeardEvent
from headway.cli.view.consoles import out, say, visible
from headway.cli.view.output import Output, print_raw


def print_event(event: HeardEvent, output: Output) -> None:
    """One event: a line for people, the CloudEvent as it is on the wire, or its subject."""
    if output in {Output.JSON, Output.JSONL}:
        if event.is_readable:
            print_raw(event.text)
        else:
            # A program reads this: one bad line would end it.
            say(f"left out, for it is no CloudEvent: a message on {event.subject}", "yellow")
    elif output == Output.NAME:
        print_raw(event.subject)
    else:
        out().print(visible(event.line), markup=False)
