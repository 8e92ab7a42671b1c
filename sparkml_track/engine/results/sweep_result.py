"""What a sweep gives back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_track.engine.results.curves import Curves
from sparkml_track.engine.results.plotting import ResultPlots
from sparkml_track.engine.results.summary import Result, Summary
from sparkml_track.errors import SparkmlError
from sparkml_track.goal import Goal
from sparkml_track.space import flatten
from sparkml_track.trial import Counts, Params, State

if TYPE_CHECKING:
    import pandas

__all__ = ["Best", "SweepResult"]


#: Rows of the table in a notebook.
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial: the lowest number among equals; a value that is nan or infinite is never best."""

    number: int
    params: Params
    metrics: dict[str, float]
    value: float


@dataclass(frozen=True, repr=False)
class SweepResult:
    """A sweep that ended.

    Attributes:
        sweep: its id.
        run_id: of the parent run.
        experiment_id: of the experiment it is in.
        summary: counts, aggregates and digest, as on the parent run.
        trials: every started trial, by number.
        report_path: the HTML report; not there if it could not be written, which the log then says.
        seed: of sampler and trials, also if it was drawn.
        tracked: the URI of the store that has the runs, without secrets; None for the home's own.
        curves: what some of the trials reported; None if that is not known.
    """

    sweep: str
    run_id: str
    experiment_id: str
    summary: Summary
    trials: Sequence[Result]
    report_path: Path
    seed: int = 0
    tracked: str | None = None
    curves: Curves | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        text = self._counted()
        best = self.summary.best
        if self.summary.pareto is not None:
            text += f"; {len(self.summary.pareto)} on the Pareto front"
        elif best is not None and best.value is not None:
            text += f"; best {best.value[0]:.6g} by trial {best.number}"
        return f"<SweepResult {self.sweep}: {text}; run {self.run_id}>"

    def _repr_html_(self) -> str:
        """For notebooks: counts, the best trial, the first ten and pictures; without a script, escaped."""
        from sparkml_track.engine.results.rich_result import Shown, html_of  # with plots, for who looks

        summary = self.summary
        best = summary.best if summary.pareto is None else None
        first = self._shown()
        shown = Shown(
            self.sweep, self.run_id, self._counted(), best, first, self.trials, summary.goals, self.report_path
        )
        return html_of(shown)

    def _counted(self) -> str:
        counts = self.counts
        return f"{counts.finished} finished, {counts.pruned} pruned, {counts.failed} failed, {counts.killed} killed"

    def _shown(self) -> Sequence[Result]:
        """The best first; with several objectives the Pareto front; those that did not finish come last."""
        if self.summary.pareto is not None:
            return self.summary.pareto[:_SHOWN]
        return sorted(self.trials, key=lambda trial: _rank(trial, self.summary.goals[0]))[:_SHOWN]

    @property
    def counts(self) -> Counts:
        """How many trials ended how."""
        return self.summary.counts

    @property
    def best(self) -> Best:
        """The best trial.

        Raises:
            SparkmlError: the sweep has several objectives (see ``pareto``), or no trial finished with a number.
        """
        if self.summary.pareto is not None:
            raise SparkmlError("a sweep with several objectives has no best trial; see .pareto")
        best = self.summary.best
        if best is None or best.value is None:
            counts = self.counts
            failed = [trial.message.partition("\n")[0] for trial in self.trials if trial.message]
            last = f"; the last one: {failed[-1][:300]}" if failed else ""
            raise SparkmlError(
                f"no trial finished with a finite value ({counts.failed} failed, {counts.pruned} pruned, "
                f"{counts.killed} killed of {counts.planned}){last}; see the report: {self.report_path}"
            )
        return Best(best.number, best.params, dict(best.metrics), best.value[0])

    @property
    def plot(self) -> ResultPlots:
        """Plots: ``result.plot.history()`` is a figure of the library plotly, as are the others."""
        return ResultPlots(self.trials, self.summary.goals, self.curves)

    @property
    def best_params(self) -> Params:
        """Of the best trial, shaped like the space."""
        return self.best.params

    @property
    def best_value(self) -> float:
        """Of the best trial."""
        return self.best.value

    @property
    def pareto(self) -> Sequence[Result]:
        """Trials that no other one beats in every objective; for one objective, the best."""
        if self.summary.pareto is not None:
            return self.summary.pareto
        return () if self.summary.best is None else (self.summary.best,)

    def to_pandas(self) -> pandas.DataFrame:
        """One row a trial: number, state, value, metrics and flattened params in columns of their own."""
        import pandas

        rows = [
            {"number": trial.number, "state": trial.state.value, "duration": trial.duration, "reason": trial.reason}
            | {f"metrics.{name}": value for name, value in trial.metrics.items()}
            | {f"params.{name}": value for name, value in flatten(trial.params).items()}
            for trial in self.trials
        ]
        return pandas.DataFrame(rows)


def _rank(trial: Result, goal: Goal) -> tuple[bool, float, int]:
    good = trial.state is State.FINISHED and trial.value is not None and math.isfinite(trial.value[0])
    return not good, goal.loss(trial.value[0]) if good and trial.value is not None else 0.0, trial.number
