from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from sparkml_track.errors import TrackingUnavailable
from sparkml_track.testing.trackers import TrackerCase, sample_child, sample_parent
from sparkml_track.trackers import MemoryRun, MemoryTracker, Tracker


class TestMemory(TrackerCase):
    @pytest.fixture(autouse=True)
    def store(self) -> None:
        self.runs: dict[str, MemoryRun] = {}

    def open(self) -> Tracker:
        return MemoryTracker(self.runs)

    def artifacts(self, tracker: Tracker, run_id: str) -> Mapping[str, str]:
        return cast(MemoryTracker, tracker).runs[run_id].artifacts


@pytest.mark.parametrize("moment", ["before publish", "after publish"])
def test_an_outage_of_unknown_outcome_leaves_one_child_run(moment: str) -> None:
    left = [moment]

    def interrupt(now: str) -> None:
        if now in left:
            left.remove(now)
            raise TrackingUnavailable("gone")

    tracker = MemoryTracker(interrupt=interrupt)
    run_id, _ = tracker.start(sample_parent())
    with pytest.raises(TrackingUnavailable):
        tracker.publish(run_id, [sample_child(0)])
    tracker.publish(run_id, [sample_child(0)])
    assert len(list(tracker.children(run_id))) == 1
