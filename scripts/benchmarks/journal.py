"""The journal: records and fsyncs a second beside a plain write+fsync loop, and its share of a sweep of short trials.

    scripts/bench journal [--folder FOLDER] [--seconds 2]

Files lie in a new folder under .sparkml, on the disk that a sweep's journal would be on; --folder names another disk.
Journal and plain loop take turns in five rounds and write the same records; the medians are printed, and how fast the
journal is as a share of the loop. Each row prints a line of JSON when it is done; the table comes at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from rows import Row, show

import sparkml_track as st
from sparkml_track.journals import Record, open_journal
from sparkml_track.journals._lines import encode
from sparkml_track.journals._segments import SegmentJournal

ROOT = Path(__file__).resolve().parent.parent.parent
ROUNDS = 5
BUDGET = 2.0
#: What the journal syncs by.
SYNC = getattr(os, "fdatasync", os.fsync)

_PARAMS = {"lr": 0.012345678901234, "model": {"kind": "forest", "depth": 12, "leaves": 255}, "subsample": 0.7123456789}
#: What a trial with three reports writes.
TRIAL = [
    Record("asked", {"n": 1234, "params": _PARAMS, "seed": 1234567890}),
    Record("submitted", {"a": "1234.0.1"}),
    *(
        Record("reported", {"a": "1234.0.1", "step": step, "metrics": {"loss": 0.123456789012}, "t": 1790000000.123456})
        for step in range(3)
    ),
    Record(
        "accepted",
        {"n": 1234, "state": "finished", "metrics": {"loss": 0.123456789012, "auc": 0.7373612345}, "k": 1}
        | {"t": 1790000000.123456, "d": 0.100123456789, "host": "worker-17"},
    ),
]


@dataclass(frozen=True)
class Speed:
    """What a loop did in a while."""

    records: int
    syncs: int
    bytes: int
    seconds: float


def journal(folder: Path, group: int, seconds: float) -> Speed:
    """Appends records and flushes each group of them."""
    written = open_journal(folder, "bench")
    records, count, began = cycle(TRIAL), 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        written.append(list(islice(records, group)))
        written.flush()
        count += 1
    took = time.perf_counter() - began
    written.close()
    size = sum(path.stat().st_size for path in (folder / "journal" / "bench").glob("*.seg"))
    return Speed(count * group, count, size, took)


def plain(folder: Path, group: int, seconds: float) -> Speed:
    """Writes the same records, already encoded, with nothing around them but a sync for each group."""
    payloads, count, size = cycle([encode(record.kind, record.body) + b"\n" for record in TRIAL]), 0, 0
    file = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        size += os.write(file, b"".join(islice(payloads, group)))
        SYNC(file)
        count += 1
    took = time.perf_counter() - began
    os.close(file)
    return Speed(count * group, count, size, took)


def speeds(root: Path, group: int, seconds: float) -> tuple[Row, Row]:
    """Journal and plain loop, in turns."""
    runs: dict[Callable[[Path, int, float], Speed], list[Speed]] = {journal: [], plain: []}
    for _ in range(ROUNDS):
        for loop, found in runs.items():
            with tempfile.TemporaryDirectory(dir=root) as folder:
                found.append(loop(Path(folder), group, seconds / ROUNDS))
    ours, theirs = (_row(found) for found in runs.values())
    return {**ours, "of_plain_percent": 100 * ours["records_per_s"] / theirs["records_per_s"]}, dict(theirs)


def paced(root: Path) -> tuple[Row, Row]:
    """As a sweep of short trials does it: a flush every 50 ms, after which a disk is slower than in a loop."""
    payload = b"".join(encode(record.kind, record.body) + b"\n" for record in TRIAL)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        written = open_journal(Path(folder), "bench")
        file = os.open(Path(folder) / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        ours, theirs = [], []
        for _ in range(40):
            time.sleep(0.05)
            began = time.perf_counter()
            written.append(TRIAL)
            written.flush()
            ours.append(time.perf_counter() - began)
            time.sleep(0.05)
            began = time.perf_counter()
            os.write(file, payload)
            SYNC(file)
            theirs.append(time.perf_counter() - began)
        written.close()
        os.close(file)
    return {"ms_per_flush": statistics.median(ours) * 1000}, {"ms_per_flush": statistics.median(theirs) * 1000}


def _row(runs: list[Speed]) -> dict[str, float]:
    return {
        "records_per_s": statistics.median(run.records / run.seconds for run in runs),
        "fsyncs_per_s": statistics.median(run.syncs / run.seconds for run in runs),
        "bytes_per_record": sum(run.bytes for run in runs) / sum(run.records for run in runs),
    }


# -- its share of a sweep


class Clock:
    """Sums up the calls of one thread, nested ones once."""

    def __init__(self) -> None:
        self.thread, self.inside = threading.get_ident(), False
        self.seconds = self.cpu = 0.0
        self.calls = {"append": 0, "flush": 0}

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, timed."""

        def timed(*args: Any) -> Any:
            if self.inside or threading.get_ident() != self.thread:
                return call(*args)
            self.inside, began, cpu = True, time.perf_counter(), time.thread_time()
            try:
                return call(*args)
            finally:
                self.inside = False
                self.seconds += time.perf_counter() - began
                self.cpu += time.thread_time() - cpu
                self.calls[name] += 1

        return timed


@contextmanager
def clocked() -> Iterator[Clock]:
    """All journals' appends and flushes are timed meanwhile."""
    clock, real = Clock(), {name: getattr(SegmentJournal, name) for name in ("append", "flush")}
    for name, call in real.items():
        setattr(SegmentJournal, name, clock.around(name, call))
    try:
        yield clock
    finally:
        for name, call in real.items():
            setattr(SegmentJournal, name, call)


def nap(reports: int) -> Callable[[Any], float]:
    """An objective that sleeps 0.1 s and reports meanwhile."""

    def objective(trial: Any) -> float:
        for step in range(reports):
            trial.report({"loss": 1.0 / (step + 1)}, step=step)
        time.sleep(0.1)
        return 1.0

    return objective


def share(root: Path, reports: int) -> Row:
    """200 trials of 0.1 s on two plain processes, tracked: seconds in the journal on the loop's thread, by the wall."""
    with tempfile.TemporaryDirectory(dir=root) as folder:
        os.environ["SPARKML_HOME"] = folder
        options: dict[str, Any] = {"executor": "processes", "parallelism": 2, "sampler": "random", "name": "bench"}
        options["progress"] = lambda _: None
        st.sweep(nap(0), {"x": st.uniform(0, 1)}, max_trials=4, **options)  # imports, database
        with clocked() as clock:
            began = time.perf_counter()
            result = st.sweep(nap(reports), {"x": st.uniform(0, 1)}, max_trials=200, **options)
            wall = time.perf_counter() - began
        found = Path(folder) / "journal" / result.sweep
        size = sum(path.stat().st_size for path in found.glob("*.seg"))
    row: Row = {"wall_s": wall, "journal_s": clock.seconds, "share_percent": 100 * clock.seconds / wall}
    # The rest of it waits for the disk, or for a core on a busy machine.
    row |= {"journal_ms_per_trial": clock.seconds / 200 * 1000, "cpu_ms_per_trial": clock.cpu / 200 * 1000}
    row |= {"fsyncs": clock.calls["flush"], "bytes_per_trial": size / 200}
    return {**row, "budget": f"< {BUDGET:g} %"}


def rows(root: Path, seconds: float) -> Iterator[tuple[str, Row]]:
    """All of them, as they come."""
    for group in (1, 20, 100):
        ours, theirs = speeds(root, group, seconds)
        name = "a record" if group == 1 else f"{group} records"
        yield f"journal, an fsync for {name}", ours
        yield f"plain loop, an fsync for {name}", theirs
    ours, theirs = paced(root)
    yield "journal, a flush every 50 ms", ours
    yield "plain loop, an fsync every 50 ms", theirs
    for reports in (0, 10):
        yield f"200 x 0.1 s, {reports} reports each", share(root, reports)


def main() -> None:
    """Prints JSON lines, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / ".sparkml", help="on the disk to measure")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each row (default: 2)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Row] = {}
    for name, row in rows(options.folder, options.seconds):
        found[name] = row
        print(json.dumps({"row": name, **row}), flush=True)
    show(found)


if __name__ == "__main__":
    main()
