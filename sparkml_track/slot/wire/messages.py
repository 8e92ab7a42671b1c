"""The messages between driver, worker, template and child, and their one codec.

    worker -> driver     Hello, Get, Ready, Broken, Warn, Beat, Met, Report, Logged, Question, Gather, File, Part, Done,
                         Unbegun, Parted, Parked
    driver -> worker     Welcome | Refuse, Work, Piece, Meet, Run, Answer, Reply, Gathered, Stop, Park, Bye
    worker -> child      Run, Answer, Reply, Gathered
    child -> worker      Born, Report, Logged, Question, Gather, Ask, Part, Done (it, Part and Run bear a key: whose
                         they are)
    worker -> template   Fork (two descriptors come along: socket, output pipe), Kill, Rests, Renew
    template -> worker   Ready | Broken, Warn, Exit, NoFork (in place of a birth), Stale (in place of another Ready)
    task -> driver       Hello, then Broken, or Unbegun, or Ready, File, Warn, Report, Logged, Part and Done; of one
                         attempt

A body of a frame is a head in JSON, the name of the message and its fields in order, and a blob behind it: both sides
are of one release, which ships the slot's. Behind Run is the payload that the attempt is given, unless a blob holds it;
behind Done the last of what it gives back. Fields of type ``object`` are what a user's code may have made: the codec
lets them pass, and who takes them checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args, get_type_hints

from .attempt_messages import (
    Answer,
    Ask,
    Done,
    File,
    Gather,
    Gathered,
    Logged,
    Meet,
    Met,
    Part,
    Question,
    Reply,
    Report,
    Run,
)
from .frames import WireError, pack, unpack
from .template_messages import Born, Exit, Fork, Kill, NoFork, Renew, Rests, Stale

__all__ = [
    "Answer",
    "Ask",
    "Beat",
    "Born",
    "Broken",
    "Bye",
    "Done",
    "Exit",
    "File",
    "Fork",
    "Gather",
    "Gathered",
    "Get",
    "Hello",
    "Kill",
    "Logged",
    "Meet",
    "Message",
    "Met",
    "NoFork",
    "Park",
    "Parked",
    "Part",
    "Parted",
    "Piece",
    "Question",
    "Ready",
    "Refuse",
    "Renew",
    "Reply",
    "Report",
    "Rests",
    "Run",
    "Stale",
    "Stop",
    "Unbegun",
    "Warn",
    "Welcome",
    "Work",
    "decode",
    "encode",
]


class Hello(NamedTuple):
    """A worker is there: version of its Python, its host, process and place."""

    python: str
    host: str
    pid: int
    slot: int


class Welcome(NamedTuple):
    """It has its place."""


class Refuse(NamedTuple):
    """It cannot be used; the message says why."""

    message: str


class Work(NamedTuple):
    """Another sweep takes the worker over: the fields of its ``Config`` that differ from one sweep to the next."""

    fields: Mapping[str, object]


class Park(NamedTuple):
    """The sweep has ended, and the worker stays for another one."""


class Parked(NamedTuple):
    """Nothing of the sweep that has ended is left at this worker or in the folder of its host."""


class Get(NamedTuple):
    """Asks for the bytes of a blob from an offset on."""

    digest: str
    offset: int


class Piece(NamedTuple):
    """These bytes are the blob behind it; ``size`` is that of all."""

    digest: str
    offset: int
    size: int


class Ready(NamedTuple):
    """The objective is loaded; ``versions`` of the packages that it brought in, by module."""

    versions: object


class Broken(NamedTuple):
    """It cannot be loaded; ``cloudpickle`` is its version there."""

    message: str
    cloudpickle: str = ""


class Warn(NamedTuple):
    """Something to log."""

    message: str


class Beat(NamedTuple):
    """A sign of life."""


class Stop(NamedTuple):
    """Ends an attempt."""

    attempt: str
    reason: str


class Unbegun(NamedTuple):
    """The attempt did not begin; ``charged`` where that may be its own fault."""

    attempt: str
    message: str
    charged: bool = False


class Parted(NamedTuple):
    """The template died, and with it all that ran on the host; workers have one each from now on."""


class Bye(NamedTuple):
    """The worker goes: so does the sweep (``over``), or there is nothing to do for it (``rests``)."""

    over: bool = False
    rests: bool = False


Message = (
    Hello | Welcome | Refuse | Get | Piece | Ready | Broken | Warn | Beat | Run | Report | Logged | Ask | Answer
    | Question | Reply | Stop | File | Part | Done | Unbegun | Parted | Bye | Fork | Kill | Rests | NoFork | Exit | Born
    | Work | Park | Parked | Renew | Stale | Meet | Met | Gather | Gathered
)  # fmt: skip

#: What JSON gives for a type of a field.
_KINDS: dict[object, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    bool: (bool,),
    float | None: (int, float, type(None)),
    list[int]: (list,),
    Mapping[str, object]: (dict,),
    list[str]: (list,),
}
_BY_NAME: dict[str, type[Message]] = {kind.__name__.lower(): kind for kind in get_args(Message)}
_NAMES = {kind: name for name, kind in _BY_NAME.items()}
#: Of each message: where the fields are that are checked here, and what they may be.
_CHECKED = {
    kind: [(at, _KINDS[hint]) for at, hint in enumerate(get_type_hints(kind).values()) if hint is not object]
    for kind in _NAMES
}
#: Types of fields that were found to be right, so that most messages are checked at a glance.
_SEEN: dict[type[Message], set[tuple[type, ...]]] = {kind: set() for kind in _NAMES}


def encode(message: Message, blob: bytes = b"") -> bytes:
    """Makes the body of a frame."""
    return pack([_NAMES[type(message)], *message], blob)


def decode(body: bytes) -> tuple[Message, bytes]:
    """Takes the body of a frame apart into a message and a blob.

    Raises:
        WireError: it is none of these messages.
    """
    head, blob = unpack(body)
    name, *fields = head
    kind: Any = _BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        raise WireError("a message has no name that is known")
    try:
        message = kind(*fields)
    except TypeError as error:
        raise WireError(f"a message {kind.__name__} cannot be read: {str(error)[-200:]}") from None
    types = tuple(map(type, message))
    if types not in _SEEN[kind]:
        _check(kind, types)
    return message, blob


def _check(kind: type[Message], types: tuple[type, ...]) -> None:
    for at, kinds in _CHECKED[kind]:
        if types[at] not in kinds:
            raise WireError(f"{kind._fields[at]} of a message {kind.__name__} is a {types[at].__name__}")
    if len(_SEEN[kind]) < 64:
        _SEEN[kind].add(types)
