from __future__ import annotations

from sparkml_track.executors import Executor, Work, open_executor
from sparkml_track.testing.executors import ExecutorCase


class TestInline(ExecutorCase):
    def open(self, work: Work) -> Executor:
        return open_executor("inline", work, None)
