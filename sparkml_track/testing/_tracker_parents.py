"""What every tracker must do with parent runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from sparkml_track import schema
from sparkml_track.errors import TrackingError
from sparkml_track.testing._tracker_runs import START, sample_child, sample_parent
from sparkml_track.trackers import ParentEnd, Tracker
from sparkml_track.trial import Report, State

__all__ = ["ParentsCase"]


class ParentsCase:
    """The cases, and how a store is opened."""

    def open(self) -> Tracker:
        """Opens the store under test."""
        raise NotImplementedError

    def sweep(self) -> str:
        """A sweep id that is new in the store."""
        return "sweep-1"

    def artifacts(self, tracker: Tracker, run_id: str) -> Mapping[str, str]:
        """All artifacts of a run: path to text."""
        raise NotImplementedError

    def test_start_makes_a_parent_that_is_found_by_its_sweep(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        assert tracker.find(sweep) is None
        run_id, experiment_id = tracker.start(sample_parent(sweep))
        assert run_id
        assert experiment_id
        assert tracker.find(sweep) == run_id
        assert list(tracker.children(run_id)) == []
        tracker.close()

    def test_start_again_finds_the_same_parent(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        first = tracker.start(sample_parent(sweep))
        assert tracker.start(sample_parent(sweep)) == first
        other = self.open()
        assert other.start(sample_parent(sweep)) == first
        other.close()
        tracker.close()

    def test_a_parent_that_ended_is_started_again_by_a_resumed_sweep(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        first = tracker.start(sample_parent(sweep))
        tracker.finish(first[0], ParentEnd(State.KILLED, ended=START + 5))
        changed = replace(sample_parent(sweep), params={"metric": "loss", "max_trials": 80, "added": 1})
        assert tracker.start(changed) == first
        tracker.close()

    def test_finish_again_leaves_the_same_parent(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        end = ParentEnd(
            State.FINISHED,
            metrics={"best_value": 0.25, "loss.mean": math.nan},
            tags={schema.TAG_DIGEST: "d1"},
            artifacts={"sweep/spec.json": "{}", "sweep/trials.json": '{"columns":[],"data":[]}'},
            ended=START + 9,
        )
        tracker.finish(run_id, end)
        tracker.finish(run_id, end)
        assert self.artifacts(tracker, run_id) == dict(end.artifacts)
        assert tracker.find(sweep) == run_id
        tracker.close()

    def test_a_parent_is_read_back_with_its_status_tags_and_metrics(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, experiment_id = tracker.start(sample_parent(sweep))
        tracker.finish(run_id, ParentEnd(State.FINISHED, {"best": 0.5}, {schema.TAG_DIGEST: "d"}, ended=START + 9))
        stored = tracker.parent(run_id)
        assert (stored.run_id, stored.experiment_id, stored.sweep) == (run_id, experiment_id, sweep)
        assert (stored.status, stored.metrics) == ("FINISHED", {"best": 0.5})
        assert stored.tags[schema.TAG_DIGEST] == "d"
        assert stored.params["metric"] == "loss"
        with pytest.raises(TrackingError):
            tracker.parent("f" * 32)
        tracker.close()

    def test_a_curve_ends_with_the_value_that_counts(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        curve = [
            Report({"best": value}, step, START + step) for step, value in ((0, 0.9), (3, 0.9), (4, 0.5), (7, 0.5))
        ]
        end = ParentEnd(State.FINISHED, {"best": 0.5, "other": 1.0}, ended=START + 9, reports=curve)
        for _ in range(2):
            tracker.finish(run_id, end)
            assert tracker.parent(run_id).metrics == {"best": 0.5, "other": 1.0}
        tracker.close()

    def test_what_is_searched_is_kept_when_the_sweep_starts(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        files = {"sweep/space.yaml": "lr: {uniform: [0, 1]}\n", "sweep/objective.py": "def f(): 1 # é\n"}
        run_id, _ = tracker.start(replace(sample_parent(sweep), artifacts=files))
        assert self.artifacts(tracker, run_id) == files
        tracker.close()

    def test_runs_of_some_trials_are_found(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        ids = tracker.publish(run_id, [sample_child(number) for number in range(3)])
        assert tracker.runs_of(run_id, {0, 2, 7}) == {0: ids[0], 2: ids[2]}
        assert self.open().runs_of(run_id, [1]) == {1: ids[1]}
        assert tracker.runs_of(run_id, ()) == {}
        tracker.close()

    def test_a_sweep_that_is_removed_is_gone_and_comes_back_as_it_was(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        other, _ = tracker.start(sample_parent(sweep + "-b"))
        tracker.publish(run_id, [sample_child(number) for number in range(3)])
        tracker.publish(other, [sample_child(0)])
        tracker.finish(run_id, ParentEnd(State.FINISHED, ended=START + 9))
        before = sorted(map(repr, tracker.children(run_id)))
        assert tracker.remove(run_id) == 4
        assert tracker.find(sweep) is None
        assert list(tracker.children(other)), "of another sweep nothing is removed"
        assert tracker.restore(run_id) == 4
        assert tracker.find(sweep) == run_id
        assert sorted(map(repr, tracker.children(run_id))) == before
        tracker.close()
