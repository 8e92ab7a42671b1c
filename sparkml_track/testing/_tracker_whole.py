"""What every tracker must give back of what was written to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_track import schema
from sparkml_track.errors import TrackingError
from sparkml_track.testing._tracker_parents import ParentsCase
from sparkml_track.testing._tracker_runs import START, sample_child, sample_nested, sample_parent
from sparkml_track.trackers import ParentEnd, WholeRun
from sparkml_track.trial import LoggedMetric, Report, RunLog, State

__all__ = ["WholeCase"]

_INPUT: Mapping[str, object] = {
    "name": "frame",
    "digest": "d1",
    "source_type": "code",
    "source": "{}",
    "schema": None,
    "profile": '{"num_rows": 2}',
    "tags": {"mlflow.data.context": "training"},
}
_CURVE = ((1, 0.5), (0, math.nan), (2, 0.25))


class WholeCase(ParentsCase):
    """Runs as they are read back whole."""

    def test_a_parent_run_is_given_back_whole(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        parent = replace(sample_parent(sweep), inputs=[_INPUT])
        run_id, _ = tracker.start(parent)
        reports = [Report({"best_loss": value}, step, START + step + 0.123) for step, value in _CURVE]
        tracker.finish(run_id, ParentEnd(State.FINISHED, {"trials": 3.0}, ended=START + 9.5, reports=reports))
        whole = tracker.whole_parent(run_id)
        assert (whole.run_id, whole.name, whole.experiment) == (run_id, parent.name, parent.experiment)
        assert (whole.status, _millis(whole)) == ("FINISHED", (START * 1000, START * 1000 + 9500))
        assert dict(whole.log.params) == {name: str(value) for name, value in parent.params.items()}
        assert {*parent.tags.items()} <= {*whole.log.tags.items()}
        curve = sorted((step, str(value), (START + step) * 1000 + 123) for step, value in _CURVE)
        assert _points(whole, "best_loss") == curve
        assert _points(whole, "trials") == [(0, "3.0", START * 1000 + 9500)]
        assert [one for one in whole.log.inputs if one["name"] == "frame"] == [_INPUT]
        assert len(whole.log.inputs) == 3
        tracker.close()

    def test_child_runs_are_given_back_whole_with_the_runs_inside_them(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        metrics = [LoggedMetric("curve", value, step, START + step) for step, value in _CURVE]
        nested = sample_nested(0)
        log = replace(nested.logged, params={"p": "q"}, metrics=metrics, tags={"who": "me"}, inputs=[_INPUT])
        ids = tracker.publish(run_id, [replace(nested, logged=log), sample_child(1, State.RUNNING)])
        found = {int(run.log.tags[schema.TAG_NUMBER]): run for run in tracker.whole_children(run_id)}
        assert {number: run.run_id for number, run in found.items()} == ids
        whole = found[0]
        assert (whole.name, whole.status, whole.parent) == ("trial-0", "FINISHED", run_id)
        assert _millis(whole) == (START * 1000, START * 1000 + 1500)
        assert dict(whole.log.params) == {"p": "q"} | {name: str(value) for name, value in nested.params.items()}
        assert whole.log.tags["who"] == "me"
        assert _points(whole, "curve") == sorted((step, str(value), (START + step) * 1000) for step, value in _CURVE)
        assert list(whole.log.inputs) == [_INPUT]
        assert _inside(whole.log) == [("fold 0", "FINISHED", 0), ("fold 1", "FAILED", 0), ("deep", "FINISHED", 1)]
        assert (found[1].status, found[1].ended) == ("RUNNING", 0.0)
        tracker.close()

    def test_files_of_a_child_run_are_fetched_into_a_folder_made_anew(self, tmp_path: Path) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        left = tmp_path / "left"
        (left / "deep").mkdir(parents=True)
        (left / "deep" / "note.txt").write_text("a note")
        tracker.publish(run_id, [replace(sample_child(0), artifacts=left), replace(sample_child(1), log="")])
        by_number = {int(run.log.tags[schema.TAG_NUMBER]): run for run in tracker.whole_children(run_id)}
        into = tmp_path / "fetched"
        into.mkdir()
        (into / "old").write_text("goes")
        tracker.fetch(by_number[0], into)
        texts = {path.relative_to(into).as_posix(): path.read_text() for path in into.rglob("*") if path.is_file()}
        assert texts == {"deep/note.txt": "a note", "log.txt": sample_child(0).log}
        tracker.fetch(by_number[1], into)
        assert list(into.iterdir()) == []
        tracker.close()

    def test_what_is_not_a_sweep_is_not_given_back(self) -> None:
        tracker = self.open()
        with pytest.raises(TrackingError):
            tracker.whole_parent("0" * 32)
        tracker.close()


def _points(run: WholeRun, name: str) -> list[tuple[int, str, float]]:
    found = [(one.step, str(one.value), int(one.time * 1000)) for one in run.log.metrics if one.name == name]
    return sorted(found)


def _millis(run: WholeRun) -> tuple[int, int]:
    return int(run.started * 1000), int(run.ended * 1000)


def _inside(log: RunLog) -> list[tuple[str, str, int]]:
    """Name, status and how deep."""
    deep = {"": -1}
    for one in log.nested:
        deep[one.id] = deep[one.parent] + 1
    return sorted(((one.name, one.status, deep[one.id]) for one in log.nested), key=lambda one: (one[2], one[0]))
