"""The conformance case of trackers. Subclass it in a test module as ``Test...`` and give ``open``."""

# ruff: noqa: D102  the names of the tests say it
from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_track import schema
from sparkml_track.errors import TrackingError
from sparkml_track.testing._tracker_runs import START, sample_child, sample_nested, sample_parent
from sparkml_track.testing._tracker_whole import WholeCase
from sparkml_track.trackers import ParentEnd, StoredChild, Tracker, differences
from sparkml_track.trial import Report, State

__all__ = ["TrackerCase", "sample_child", "sample_nested", "sample_parent"]


class TrackerCase(WholeCase):
    """What every tracker must do, read back through its own contract.

    ``open`` is called several times in a test and must open the same store each time; each test has a store of its
    own, or sweep ids that no other test of the store has (``sweep``).
    """

    def test_children_are_stored_as_published(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        states = [State.FINISHED, State.PRUNED, State.FAILED, State.KILLED, State.RUNNING]
        given = [sample_child(number, state) for number, state in enumerate(states)]
        ids = tracker.publish(run_id, given)
        stored = _by_number(tracker, run_id)
        assert sorted(stored) == [0, 1, 2, 3, 4]
        for child in given:
            one = stored[child.number]
            assert one.run_id == ids[child.number]
            assert one.state is child.state
            assert one.attempts == 2
            assert one.params == {name: str(value) for name, value in child.params.items()}
        tracker.close()

    def test_metrics_keep_the_latest_value_nan_and_the_largest_number(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        tracker.publish(run_id, [sample_child(0)])
        metrics = _by_number(tracker, run_id)[0].metrics
        assert metrics["loss"] == 0.25  # the result, not the last report
        assert metrics["auc"] == 0.9
        assert metrics["worst"] == -1.7976931348623157e308
        assert math.isnan(metrics["undefined"])
        assert math.isnan(metrics["odd"])
        tracker.close()

    def test_publishing_again_leaves_one_child_run(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        given = [sample_child(number) for number in range(3)]
        ids = tracker.publish(run_id, given[:2])
        assert tracker.publish(run_id, given) == {**ids, 2: _by_number(tracker, run_id)[2].run_id}
        other = self.open()
        assert other.publish(run_id, given) == tracker.publish(run_id, given)
        assert len(list(other.children(run_id))) == 3
        other.close()
        tracker.close()

    def test_a_terminal_child_stays_as_it_is(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        tracker.publish(run_id, [sample_child(0)])
        before = _by_number(tracker, run_id)[0]
        tracker.publish(run_id, [replace(sample_child(0, State.FAILED), metrics={"loss": 9.0})])
        tracker.publish(run_id, [sample_child(0, State.RUNNING)])
        after = _by_number(tracker, run_id)[0]
        assert (after.state, after.metrics["loss"]) == (before.state, before.metrics["loss"])
        tracker.close()

    def test_a_running_child_is_completed_under_the_same_run(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        running = tracker.publish(run_id, [sample_child(0, State.RUNNING)])
        assert _by_number(tracker, run_id)[0].state is State.RUNNING
        assert tracker.publish(run_id, [sample_child(0)]) == running
        assert _by_number(tracker, run_id)[0].state is State.FINISHED
        tracker.close()

    def test_reports_of_a_lost_attempt_do_not_outlive_it(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        lost = tuple(Report({"loss": 0.01, "gone": 1.0}, step, START + step) for step in range(50))
        tracker.publish(run_id, [replace(sample_child(0, State.RUNNING), reports=lost)])
        tracker.publish(run_id, [sample_child(0)])
        metrics = _by_number(tracker, run_id)[0].metrics
        assert metrics["loss"] == 0.25
        assert "gone" not in metrics
        tracker.close()

    def test_names_and_values_that_the_store_does_not_take_are_kept_in_a_form_it_does(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        odd = replace(
            sample_child(0), params={"a?b": 1, "long": "x" * 7000}, metrics={"loss": 1.0, "R²%": 0.5, "../up": 2.0}
        )
        tracker.publish(run_id, [odd])
        stored = _by_number(tracker, run_id)[0]
        assert sorted(stored.params.values()) == ["1", "x" * 6000]
        assert len(stored.metrics) == 4
        assert not [name for name in stored.metrics if ".." in name or "%" in name]
        assert differences(odd, stored) == []
        tracker.close()

    def test_names_that_look_alike_stay_apart_and_are_recorded(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        names = ["acc>0.5", "acc<0.5", "recall@10", "recall_10", "a//b", "a/b", "\U0001f600", "\U0001f601", "x" * 250]
        odd = replace(sample_child(0), reports=(), metrics={name: float(n) for n, name in enumerate(["loss", *names])})
        end = ParentEnd(State.FINISHED, {f"{'x' * 250}.{part}": 1.0 for part in ("mean", "max")}, ended=START + 9)
        tracker.publish(run_id, [odd])
        tracker.finish(run_id, end)
        stored, parent = _by_number(tracker, run_id)[0], tracker.parent(run_id)
        assert sorted(stored.metrics.values()) == sorted(odd.metrics.values())
        assert differences(odd, stored) == []
        assert len(parent.metrics) == 2
        assert sorted(value for key, value in parent.tags.items() if key.startswith(schema.TAG_NAME)) == sorted(
            end.metrics
        )
        tracker.close()

    def test_a_child_with_more_than_one_request_holds_is_complete(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        large = replace(
            sample_child(0),
            params={f"p{index}": "é" * 3000 for index in range(130)},
            metrics={f"m{index}": float(index) for index in range(1200)},
        )
        tracker.publish(run_id, [large])
        stored = _by_number(tracker, run_id)[0]
        assert len(stored.params) == 130
        assert len(stored.metrics) == 1200 + 2
        tracker.close()

    def test_sweeps_do_not_see_each_other(self) -> None:
        tracker, sweep = self.open(), self.sweep()
        first, _ = tracker.start(sample_parent(sweep))
        second, _ = tracker.start(sample_parent(sweep + "-b"))
        assert first != second
        tracker.publish(first, [sample_child(0)])
        tracker.publish(second, [sample_child(0), sample_child(1)])
        assert len(list(tracker.children(first))) == 1
        assert len(list(tracker.children(second))) == 2
        tracker.close()

    def test_artifacts_of_a_trial_are_taken(self, tmp_path: Path) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        left = tmp_path / "left"
        (left / "deep").mkdir(parents=True)
        (left / "deep" / "model.txt").write_text("weights")
        child = replace(sample_child(0), artifacts=left)
        ids = tracker.publish(run_id, [child])
        found = self.artifacts(tracker, ids[0])
        assert found["deep/model.txt"] == "weights"
        assert found["log.txt"] == child.log
        assert not left.exists(), "the store has a copy"
        tracker.close()

    @pytest.mark.parametrize("anew", [False, True])
    def test_artifacts_that_come_late_are_added_to_a_child_run_that_ended(self, anew: bool, tmp_path: Path) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        child = sample_child(0)
        ids = tracker.publish(run_id, [child, sample_child(1)])
        before = _by_number(tracker, run_id)
        for text in ("weights", "again"):
            other = self.open() if anew else tracker
            left = tmp_path / "left"
            left.mkdir()
            (left / "model.txt").write_text(text)
            late = replace(child, params={}, metrics={"loss": 9.0}, reports=(), log="", artifacts=left)
            assert other.publish(run_id, [late])[0] == ids[0]
            assert not left.exists(), "the store has a copy"
            assert self.artifacts(other, ids[0]) == {"model.txt": text, "log.txt": child.log}
            after = _by_number(other, run_id)
            assert repr(after) == repr(before), "nothing but files changed, and there is one child run for each"
        tracker.close()

    def test_artifacts_that_stay_where_they_are_are_named_and_neither_copied_nor_removed(self, tmp_path: Path) -> None:
        tracker, sweep = self.open(), self.sweep()
        run_id, _ = tracker.start(sample_parent(sweep))
        (tmp_path / "0.0.1").mkdir()
        (tmp_path / "0.0.1" / "model.txt").write_text("weights")
        ids = tracker.publish(run_id, [replace(sample_child(0), artifacts=tmp_path / "0.0.1", in_place=True)])
        assert set(self.artifacts(tracker, ids[0])) == {"log.txt"}
        assert _by_number(tracker, run_id)[0].artifacts == str(tmp_path / "0.0.1")
        assert (tmp_path / "0.0.1" / "model.txt").read_text() == "weights"
        # Executed again, the trial may leave nothing.
        tracker.reopen(run_id, [0])
        again = self.open()
        again.publish(run_id, [sample_child(0)])
        assert _by_number(again, run_id)[0].artifacts == ""
        tracker.close()
        again.close()

    def test_an_unknown_run_is_refused(self) -> None:
        tracker = self.open()
        for call in (lambda: tracker.publish("0" * 32, [sample_child(0)]), lambda: tracker.finish("0" * 32, _END)):
            with pytest.raises(TrackingError, match="0" * 32):
                call()
        tracker.close()

    def test_close_may_be_called_twice(self) -> None:
        tracker = self.open()
        tracker.close()
        tracker.close()

    def test_a_terminal_child_that_is_reopened_can_end_anew_under_the_same_run(self) -> None:
        tracker = self.open()
        run_id, _ = tracker.start(sample_parent(self.sweep()))
        first = tracker.publish(run_id, [sample_child(0, State.KILLED), sample_child(1)])
        tracker.reopen(run_id, [0, 7])
        assert {child.number: child.state for child in tracker.children(run_id)} == {
            0: State.RUNNING,
            1: State.FINISHED,
        }
        again = self.open().publish(run_id, [sample_child(0), sample_child(1, State.FAILED)])
        assert again == first
        assert {(child.state, child.reason) for child in tracker.children(run_id)} == {(State.FINISHED, "")}

    def test_runs_inside_those_of_trials_are_there_once_by_their_ids(self) -> None:
        tracker = self.open()
        run_id, _ = tracker.start(sample_parent(self.sweep()))
        other, _ = tracker.start(sample_parent(f"{self.sweep()}-b"))
        tracker.publish(other, [sample_nested(5)])
        given = [sample_nested(0), sample_nested(1), sample_child(2)]
        tracker.publish(run_id, given)
        tracker.publish(run_id, given)
        ids = {one.id for child in given for one in child.logged.nested}
        assert len(ids) == 6
        assert tracker.nested(run_id) == dict.fromkeys(ids, 1)
        assert tracker.remove(run_id) == 1 + 3 + 6
        tracker.restore(run_id)
        assert tracker.nested(run_id) == dict.fromkeys(ids, 1)
        tracker.close()

    def test_what_was_inside_the_run_of_an_attempt_goes_when_the_trial_is_executed_again(self) -> None:
        tracker = self.open()
        run_id, _ = tracker.start(sample_parent(self.sweep()))
        kept, before = sample_nested(0), sample_nested(1)
        tracker.publish(run_id, [kept, before])
        tracker.reopen(run_id, [1])
        assert tracker.nested(run_id) == {one.id: 1 for one in kept.logged.nested}
        again = sample_nested(1, attempt=2)
        tracker.publish(run_id, [again])
        assert tracker.nested(run_id) == {one.id: 1 for one in [*kept.logged.nested, *again.logged.nested]}
        tracker.close()

    def test_reconciling_what_is_whole_changes_nothing(self) -> None:
        tracker = self.open()
        run_id, _ = tracker.start(sample_parent(self.sweep()))
        tracker.publish(run_id, [sample_child(0), sample_child(1)])
        assert tracker.reconcile(run_id) == 0
        assert len(list(tracker.children(run_id))) == 2


_END = ParentEnd(State.FINISHED, ended=START)


def _by_number(tracker: Tracker, run_id: str) -> dict[int, StoredChild]:
    stored = list(tracker.children(run_id))
    assert len({one.number for one in stored}) == len(stored), "a trial has two child runs"
    return {one.number: one for one in stored}
