"""The lease of a sweep in an object store.

``e<epoch>.lease`` is put if it is not there, and says who took it, as on a file system. ``e<epoch>.beat`` is put again
and again: the store's own time of it is the heartbeat. ``e<epoch>.released`` says that the lease was given back,
``e<epoch>.stop`` asks its driver to end the sweep.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict

from typing_extensions import override

from sparkml_track.adapters.objects.client import FoundObject, ObjectClient
from sparkml_track.adapters.objects.errors import may_pass
from sparkml_track.address import ObjectAddress
from sparkml_track.errors import JournalError, LeaseHeld
from sparkml_track.journals._base import Holder
from sparkml_track.journals._claims import Claim, Verdict
from sparkml_track.journals._held import held_message
from sparkml_track.journals._lease import Pulse
from sparkml_track.journals._objects.asking import Patience, patiently
from sparkml_track.journals._process import Place, alive, here, started
from sparkml_track.journals._store import Lease

__all__ = ["ObjectLease", "live_holder", "newest_lease"]

_log = logging.getLogger(__name__)
_NAME = re.compile(r"e(\d{4,})\.lease")


class ObjectLease(Lease):
    """Takes the lease of the sweep under ``folder``.

    Args:
        folder: of the sweep's journal.
        client: of the bucket.
        epoch: the lowest epoch allowed.
        pulse: how a driver shows that it lives.
        patience: how long the store may be away.

    Raises:
        LeaseHeld: a live driver has it. A driver on another host is watched for up to ``pulse.stale`` seconds first.
        JournalError: the lease cannot be written.
    """

    def __init__(
        self, folder: ObjectAddress, client: ObjectClient, epoch: int, pulse: Pulse, patience: Patience
    ) -> None:
        self._folder, self._client, self._pulse, self._patience = folder, client, pulse, patience
        self._done, self._failed = threading.Event(), ""
        self.epoch = self._take(epoch)
        self._next, self._stop = folder / f"e{self.epoch + 1:04d}.lease", folder / f"e{self.epoch:04d}.stop"
        self._heart = threading.Thread(target=self._beat, name=f"lease of {folder.name}", daemon=True)
        self._heart.start()

    @override
    def check(self) -> None:
        if self._failed:
            raise JournalError(f"the lease in {self._folder} cannot be kept alive: {self._failed}")
        if patiently(lambda: self._client.found(self._next), self._patience):
            newest = newest_lease(self._client.walk(self._folder))
            raise LeaseHeld(held_message(self._folder.name, self._claim(newest).holder, newest))

    @override
    def release(self) -> None:
        if self._done.is_set():
            return
        self._done.set()
        # Without the mark the next driver still sees that this process is gone, or its heartbeat.
        with suppress(JournalError):
            self._client.put_new(self._folder / f"e{self.epoch:04d}.released", b"")

    def _take(self, lowest: int) -> int:
        while True:
            before = newest_lease(self._client.walk(self._folder))
            if before:
                self._wait_until_free(before)
            epoch, place, pid = max(lowest, before + 1), here(), os.getpid()
            claim = Claim(epoch, place.host, pid, started(pid), place.boot, place.pids, False, time.time())
            said = json.dumps(asdict(claim) | {"token": secrets.token_hex(8)}).encode()
            if self._client.put_new(self._folder / f"e{epoch:04d}.lease", said):
                return epoch

    def _wait_until_free(self, epoch: int) -> None:
        """Returns once the lease is given back or stale; raises if its driver lives."""
        claim, first, logged = self._claim(epoch), self._heard(epoch), False
        while (verdict := self._judge(claim)) is not Verdict.FREE:
            if verdict is Verdict.HELD or self._heard(epoch) != first:
                raise LeaseHeld(held_message(self._folder.name, claim.holder, epoch))
            left = self._pulse.stale - (self._now() - first)
            who = f"pid {claim.pid} on host {claim.host}"
            if left <= 0:
                _log.warning("no heartbeat of %s for %.0f s: its sweep is taken over", who, self._pulse.stale)
                return
            if not logged:
                _log.warning("waiting up to %.0f s for a heartbeat of %s", left, who)
            logged = True
            self._pulse.sleep(min(left, self._pulse.every / 2))

    def _judge(self, claim: Claim) -> Verdict:
        if self._client.found(self._folder / f"e{claim.epoch:04d}.released"):
            return Verdict.FREE
        return _judged_here(claim)

    def _claim(self, epoch: int) -> Claim:
        return _read_claim(self._client, self._folder, epoch)

    def _heard(self, epoch: int) -> float:
        """When the driver was last heard of, by the store's clock."""
        for kind in ("beat", "lease"):
            if found := self._client.found(self._folder / f"e{epoch:04d}.{kind}"):
                return found.modified
        return 0.0

    def _now(self) -> float:
        """The store's clock; that of this machine may differ."""
        probe = self._folder / f"clock-{secrets.token_hex(8)}"
        try:
            self._client.put(probe, b"")
            found = self._client.found(probe)
        finally:
            self._client.delete([probe])
        return found.modified if found else time.time()

    def _beat(self) -> None:
        heard = time.monotonic()
        while not self._done.wait(self._pulse.every):
            try:
                self._client.put(self._folder / f"e{self.epoch:04d}.beat", b"")
                heard = time.monotonic()
            except JournalError as error:
                if not may_pass(error) or time.monotonic() - heard > self._patience.longest:
                    self._failed = str(error)
                    return
            with suppress(JournalError):  # nothing depends on this look
                self.asked_to_stop = self.asked_to_stop or bool(self._client.found(self._stop))


def newest_lease(found: Iterable[FoundObject]) -> int:
    """The highest epoch with a lease among objects, 0 for none."""
    return max((int(name[1]) for each in found if (name := _NAME.fullmatch(each.address.name))), default=0)


def live_holder(
    client: ObjectClient, folder: ObjectAddress, found: Iterable[FoundObject], stale: float
) -> Holder | None:
    """Who holds the sweep whose objects these are, as far as can be known at once; None for nobody."""
    times = {each.address.name: each.modified for each in found}
    epoch = max((int(name[1]) for each in times if (name := _NAME.fullmatch(each))), default=0)
    if not epoch or f"e{epoch:04d}.released" in times:
        return None
    claim = _read_claim(client, folder, epoch)
    verdict = _judged_here(claim)
    heard = times.get(f"e{epoch:04d}.beat", times[f"e{epoch:04d}.lease"])
    fresh = time.time() - heard < stale
    return claim.holder if verdict is Verdict.HELD or (verdict is Verdict.UNKNOWN and fresh) else None


def _judged_here(claim: Claim) -> Verdict:
    """The process table shows the dead of this place; of others only a heartbeat tells."""
    if Place(claim.host, claim.boot, claim.pids) == here():
        return Verdict.HELD if alive(claim.pid, claim.start) else Verdict.FREE
    return Verdict.UNKNOWN


def _read_claim(client: ObjectClient, folder: ObjectAddress, epoch: int) -> Claim:
    with suppress(ValueError, TypeError, KeyError):
        found = json.loads(client.read(folder / f"e{epoch:04d}.lease") or b"")
        return Claim(**{key: found[key] for key in Claim.__slots__})
    return Claim(epoch, "?", 0, "", "", "", False, 0.0)
