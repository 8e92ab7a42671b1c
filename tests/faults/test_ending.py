"""A sweep ends in order, whatever fails while it ends: executor, report, tracking store, and signals meanwhile."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import sparkml_track.engine.run as running
from sparkml_track.engine.audit.verify import verify
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.errors import ExecutorError, SlotsLost, SpecError, TrackingUnavailable
from sparkml_track.executors import Event
from sparkml_track.executors._inline import InlineExecutor
from sparkml_track.journals import read
from sparkml_track.testing.accounting import assert_accounting
from sparkml_track.trackers import ChildRun, MemoryTracker, ParentEnd, Tracker, open_tracker
from tests.faults.here import Moments, sweep

pytestmark = pytest.mark.slow


def only_sweep(home: Path) -> str:
    (found,) = (path.name for path in (home / "journal").iterdir() if path.is_dir())
    return found


def close_badly(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    close = InlineExecutor.close

    def broken(self: InlineExecutor) -> None:
        close(self)
        raise error

    monkeypatch.setattr(InlineExecutor, "close", broken)


@pytest.mark.parametrize("error", [ExecutorError("the JVM is gone"), ConnectionRefusedError("[Errno 111]")])
def test_an_executor_that_cannot_be_closed_leaves_the_results_and_the_parent_run_ends(
    error: Exception, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    close_badly(monkeypatch, error)
    result = sweep(home, max_trials=5)
    assert assert_accounting(home, result.sweep)["finished"] == 5
    assert verify(result.sweep, home=home).differences == []
    assert f"the executor did not close in order ({type(error).__name__}: {error})" in caplog.text


def test_slots_that_are_lost_end_the_parent_run_as_failed_with_right_counts_and_a_resume_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the JVM is killed: events raises, and so does close."""
    moments = Moments()
    events = InlineExecutor.events

    def lost(self: InlineExecutor, timeout: float | None = None) -> Sequence[Event]:
        if moments.seen["accepted"] >= 5:
            raise SlotsLost("the Spark application is gone")
        return events(self, timeout)

    with monkeypatch.context() as patched:
        patched.setattr(InlineExecutor, "events", lost)
        close_badly(patched, ExecutorError("the JVM is gone"))
        with pytest.raises(SlotsLost) as ended:
            sweep(home, moments)
    name = only_sweep(home)
    assert str(ended.value) == (
        f"the Spark application is gone; results so far are kept. sweep(..., resume={name!r}), or the same command "
        "again, goes on"
    )
    assert isinstance(ended.value.__cause__, SlotsLost)
    counts = assert_accounting(home, name)
    assert (counts["finished"], counts["killed"]) == (5, 1)
    assert verify(name, home=home).differences == []
    (end,) = (record.body for record in read(home, name) if record.kind == "ended")
    assert end["state"] == "failed"
    after = Moments()
    assert sweep(home, after).sweep == name
    assert after.seen["accepted"] == 15
    assert assert_accounting(home, name)["finished"] == 20


def test_a_report_that_cannot_be_written_is_told_and_the_sweep_finishes(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "reports").write_text("a file in its way")
    result = sweep(home, max_trials=3)
    assert assert_accounting(home, result.sweep)["finished"] == 3
    assert f"the report could not be written to {result.report_path} (File exists)" in caplog.text
    assert not result.report_path.exists()
    stored = list((home / "artifacts").rglob("report.html"))
    assert len(stored) == 1, "the store has it all the same"


def test_a_report_that_cannot_be_drawn_is_told_and_the_sweep_finishes(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> object:
        raise OSError("plotly.min.js is missing")

    monkeypatch.setattr("sparkml_track.engine.publishing.report.standard", broken)
    result = sweep(home, max_trials=3)
    assert assert_accounting(home, result.sweep)["finished"] == 3
    assert "there will be no report, it could not be drawn (OSError: plotly.min.js is missing)" in caplog.text


# -- signals while the end waits for the store


class Away(Tracker):
    """A tracker before a store that goes away; ``ask`` is called before each request of the named kind."""

    def __init__(self, inner: Tracker, ask: Mapping[str, Any]) -> None:
        self._inner, self._ask, self.uri = inner, ask, inner.uri

    def publish(self, run_id: str, children: Sequence[ChildRun]) -> Mapping[int, str]:
        self._ask.get("publish", lambda: None)()
        return self._inner.publish(run_id, children)

    def finish(self, run_id: str, end: ParentEnd) -> None:
        self._ask.get("finish", lambda: None)()
        self._inner.finish(run_id, end)

    def start(self, parent: Any) -> tuple[str, str]:
        return self._inner.start(parent)

    def children(self, run_id: str) -> Any:
        return self._inner.children(run_id)

    def find(self, sweep: str) -> str | None:
        return self._inner.find(sweep)

    def parent(self, run_id: str) -> Any:
        return self._inner.parent(run_id)

    def reopen(self, run_id: str, numbers: Sequence[int]) -> None:
        self._inner.reopen(run_id, numbers)

    def reconcile(self, run_id: str) -> int:
        return self._inner.reconcile(run_id)

    def nested(self, run_id: str) -> Mapping[str, int]:
        return self._inner.nested(run_id)

    def restore_nested(self, run_id: str, ids: Any) -> int:
        return self._inner.restore_nested(run_id, ids)

    def whole_parent(self, run_id: str) -> Any:
        return self._inner.whole_parent(run_id)

    def whole_children(self, run_id: str) -> Any:
        return self._inner.whole_children(run_id)

    def fetch(self, run: Any, folder: Path) -> None:
        self._inner.fetch(run, folder)

    def runs_of(self, run_id: str, numbers: Any) -> Mapping[int, str]:
        return self._inner.runs_of(run_id, numbers)

    def remove(self, run_id: str) -> int:
        return self._inner.remove(run_id)

    def restore(self, run_id: str) -> int:
        return self._inner.restore(run_id)

    def close(self) -> None:
        self._inner.close()


def away(monkeypatch: pytest.MonkeyPatch, **ask: Any) -> None:
    monkeypatch.setattr(running, "open_tracker", lambda uri, home: Away(open_tracker(uri, home), ask))


@pytest.mark.parametrize(
    ("number", "name", "error"), [(signal.SIGINT, "Ctrl-C", KeyboardInterrupt), (signal.SIGTERM, "SIGTERM", SystemExit)]
)
@pytest.mark.parametrize("kind", ["publish", "finish"])
def test_the_first_signal_ends_the_wait_for_a_store_that_is_down(
    number: int,
    name: str,
    error: type[BaseException],
    kind: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent = threading.Event()
    closing = threading.Event()

    def ask() -> None:
        if closing.is_set() and not sent.is_set():
            sent.set()
            os.kill(os.getpid(), number)
        raise TrackingUnavailable("the store is down.")

    began = time.monotonic()
    with monkeypatch.context() as patched:
        away(patched, **{kind: ask})
        with pytest.raises(error):
            sweep(home, Moments().at("closing", 1, closing.set), longest_wait=300.0, max_trials=4)
    assert time.monotonic() - began < 60
    sweep_id = only_sweep(home)
    (told,) = (each.getMessage() for each in caplog.records if each.getMessage().startswith(f"{name}: "))
    assert f"sweep(..., resume={sweep_id!r}), or the same command again" in told
    assert f"`sparkml-track verify --repair {sweep_id}`" in told
    assert "4 child runs could not be published before the signal came" in told or kind == "finish"
    assert any("has not ended" in line for line in verify(sweep_id, home=home).differences)
    assert verify(sweep_id, home=home, repair=True).differences == []
    assert assert_accounting(home, sweep_id)["finished"] == 4


@pytest.mark.parametrize("kind", ["publish", "finish"])
def test_a_signal_is_heard_while_the_store_takes_requests_and_never_answers(
    kind: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    closing = threading.Event()

    def ask() -> None:
        if closing.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            answered.wait(120)
            raise TrackingUnavailable("no answer.")

    began = time.monotonic()
    try:
        with monkeypatch.context() as patched:
            away(patched, **{kind: ask})
            with pytest.raises(KeyboardInterrupt):
                sweep(home, Moments().at("closing", 1, closing.set), longest_wait=300.0, max_trials=4)
        assert time.monotonic() - began < 60
    finally:
        answered.set()


def test_a_signal_in_the_loop_is_named_in_what_it_ended(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with pytest.raises(SystemExit):
        sweep(home, Moments().at("received", 3, lambda: os.kill(os.getpid(), signal.SIGTERM)), max_trials=100_000)
    name = only_sweep(home)
    assert f"sweep(..., resume={name!r}), or the same command again, goes on" in caplog.text
    assert re.search(r"SIGTERM: \d trials are being ended", caplog.text)
    killed = [record.body for record in read(home, name) if record.kind == "accepted"][-1]
    assert killed["state"] in ("killed", "finished")
    (end,) = (record.body for record in read(home, name) if record.kind == "ended")
    assert end["why"] == "interrupted by SIGTERM"


# -- a tracking URI with a password


def test_verify_takes_the_secrets_of_the_uri_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri, tracker = "https://me:hunter2@tracking.example", MemoryTracker()
    opened: list[str | None] = []

    def opens(given: str | None, home: Path) -> Tracker:
        opened.append(given)
        return tracker

    monkeypatch.setattr(running, "open_tracker", opens)
    monkeypatch.setattr("sparkml_track.engine.audit.verify.open_tracker", opens)
    name = sweep(home, max_trials=3, tracking=Tracking(uri)).sweep
    for wrong in ("", "https://you:secret@elsewhere.example"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", wrong)
        with pytest.raises(SpecError, match=r"tracked in https://\*\*\*@tracking.example.*--tracking-uri"):
            verify(name, home=home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert verify(name, home=home).clean
    assert opened == [uri, uri]
    assert verify(name, home=home, tracking_uri="https://other@host").clean
    assert opened[-1] == "https://other@host"


def test_late_answers_that_were_refused_are_summed_over_drivers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = InlineExecutor.__init__

    def init(self: InlineExecutor, *given: Any) -> None:
        made(self, *given)
        self.stale = 2

    monkeypatch.setattr(InlineExecutor, "__init__", init)
    with pytest.raises(SystemExit):
        sweep(home, Moments().at("received", 3, lambda: os.kill(os.getpid(), signal.SIGTERM)), max_trials=200)
    sweep(home, max_trials=200)
    ends = [record.body["stale"] for record in read(home, only_sweep(home)) if record.kind == "ended"]
    assert ends == [2, 4]


def test_a_progress_listener_that_raises_is_told_once_and_the_sweep_finishes(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("a division in the caller's code")

    result = sweep(home, max_trials=5, listener=broken)
    assert assert_accounting(home, result.sweep)["finished"] == 5
    assert (
        caplog.text.count("progress is not reported any more: ZeroDivisionError: a division in the caller's code") == 1
    )


def test_an_error_that_nobody_foresaw_ends_the_parent_run_too(home: Path) -> None:
    def surprise() -> None:
        raise RuntimeError("a sampler's own")

    with pytest.raises(RuntimeError, match="a sampler's own"):
        sweep(home, Moments().at("received", 6, surprise), max_trials=10)
    name = only_sweep(home)
    assert verify(name, home=home).differences == []
    (end,) = (record.body for record in read(home, name) if record.kind == "ended")
    assert end["state"] == "failed"


def test_a_signal_while_the_executor_closes_does_not_make_a_whole_sweep_a_killed_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = InlineExecutor.close
    sent: list[int] = []

    def slow(self: InlineExecutor) -> None:
        close(self)
        if not sent:
            sent.append(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(InlineExecutor, "close", slow)
    with pytest.raises(KeyboardInterrupt):
        sweep(home, max_trials=5)
    name = only_sweep(home)
    (end,) = (record.body for record in read(home, name) if record.kind == "ended")
    assert (end["state"], end["counts"]["finished"]) == ("finished", 5)  # type: ignore[index,call-overload]
