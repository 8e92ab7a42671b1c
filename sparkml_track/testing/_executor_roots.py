"""What every executor must do with folders on storage that the driver and all slots have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_track.errors import PreflightError
from sparkml_track.executors import Executor, Work
from sparkml_track.testing._attempts import attempt, outcomes
from sparkml_track.trial import State

__all__ = ["RootsCase"]


class RootsCase(ABC):
    """The cases, and how an executor is opened. Objectives are nested, so that they travel by value."""

    @abstractmethod
    def open(self, work: Work) -> Executor:
        """Opens an executor with two slots where it can have them."""

    @contextmanager
    def opened(self, objective: Callable[..., object], **fields: object) -> Iterator[Executor]:
        """Opens and closes an executor for an objective."""
        executor = self.open(Work(objective, **fields))  # type: ignore[arg-type]
        try:
            yield executor
        finally:
            executor.close()

    def test_artifacts_on_shared_storage_stay_where_they_were_written(self, tmp_path: Path) -> None:
        """Also those of an attempt that failed; one that left nothing has no folder. Nothing is sent."""

        def objective(trial: object) -> float:
            from pathlib import Path

            folder = Path(trial.artifact_dir)  # type: ignore[attr-defined]
            if trial.number < 2:  # type: ignore[attr-defined]
                (folder / "deep").mkdir()
                (folder / "deep" / "note.txt").write_text(f"trial {trial.number} at {trial.artifact_dir}")  # type: ignore[attr-defined]
                (folder / "link").symlink_to(folder)
            if trial.number == 1:  # type: ignore[attr-defined]
                raise ValueError("after it wrote")
            return 1.0

        root, spool = tmp_path / "shared" / "sweep", tmp_path / "spool"
        with self.opened(objective, artifacts=str(root), spool=str(spool)) as executor:
            for number in range(3):
                executor.submit(attempt(number))
            ended = outcomes(executor, 3)
        assert [ended[n].state for n in range(3)] == [State.FINISHED, State.FAILED, State.FINISHED]
        for number in range(2):
            folder = root / f"{number}.0.1"
            assert (ended[number].artifacts, ended[number].in_place) == (str(folder), True)
            assert (folder / "deep" / "note.txt").read_text() == f"trial {number} at {folder}"
        assert (ended[2].artifacts, ended[2].in_place) == ("", False)
        assert sorted(path.name for path in root.iterdir() if path.is_dir()) == ["0.0.1", "1.0.1"]
        assert not spool.exists()

    def test_another_executor_finds_the_checkpoint_of_a_unit_on_shared_storage(self, tmp_path: Path) -> None:
        """As a resumed sweep does, or an attempt on another host; other units have their own."""

        def objective(trial: object) -> float:
            from pathlib import Path

            file = Path(trial.checkpoint_dir) / "step"  # type: ignore[attr-defined]
            steps = int(file.read_text()) if file.exists() else 0
            file.write_text(str(steps + 1))
            return float(steps)

        root = tmp_path / "shared" / "sweep"
        for turn in (1, 2):
            with self.opened(objective, checkpoints=str(root)) as executor:
                executor.submit(replace(attempt(0), number=turn))
                assert outcomes(executor, 1)[0].metrics == {"loss": turn - 1.0}
        with self.opened(objective, checkpoints=str(root)) as executor:
            executor.submit(attempt(1))
            assert outcomes(executor, 1)[1].metrics == {"loss": 0.0}
        assert (root / "0.0" / "step").read_text() == "2"

    @pytest.mark.parametrize("field", ["checkpoints", "artifacts"])
    def test_shared_storage_that_the_driver_cannot_write_is_refused_with_the_folder(
        self, tmp_path: Path, field: str
    ) -> None:
        """Before any attempt."""
        (tmp_path / "file").touch()
        folder = tmp_path / "file" / "sweep"
        with pytest.raises(PreflightError, match=rf"driver cannot write the folder {folder} .*choose another"):
            self.open(Work(lambda _: 1.0, **{field: str(folder)}))  # type: ignore[arg-type]

    def test_a_link_in_the_place_of_the_folder_is_refused(self, tmp_path: Path) -> None:
        """What it points to is not ours, and would go with the sweep."""
        (tmp_path / "other").mkdir()
        (tmp_path / "sweep").symlink_to(tmp_path / "other")
        with pytest.raises(PreflightError, match="something else than a folder"):
            self.open(Work(lambda _: 1.0, checkpoints=str(tmp_path / "sweep")))
