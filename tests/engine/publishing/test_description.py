"""The description of a parent run: what it was and found, in Markdown that nothing from outside can break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sparkml_track.engine.publishing.description import Described, description
from sparkml_track.engine.results.costs import costs_of
from sparkml_track.engine.results.summary import Result, summarise
from sparkml_track.goal import Goal, goals_of
from sparkml_track.trial import State


def described(results: Sequence[Result], name: str = "bikes", metric: str = "loss", **more: object) -> str:
    goals = (Goal(metric),)
    best = [one for one in results if one.state is State.FINISHED]
    made = Described(
        name=name,
        sweep="bikes-1",
        experiment_id="7",
        summary=summarise(results, len(results), 0, goals),
        results=results,
        top=sorted(best, key=lambda one: one.value or ()),
        costs=costs_of(results),
    )
    return description(replace(made, **more))  # type: ignore[arg-type]


def finished(number: int, value: float, **params: object) -> Result:
    return Result(number, params, State.FINISHED, {"loss": value}, (value,), started=100.0 + number, duration=2.0)


def test_it_says_what_was_searched_what_came_out_and_what_it_took() -> None:
    results = [finished(0, 0.5, depth=3), finished(1, 0.25, depth=9)]
    results.append(Result(2, {"depth": 1}, State.FAILED, reason="exception", message="Traceback\nValueError: no"))
    text = described(results, spec={"sampler": "tpe", "max_trials": 3}, runs={1: "r1", 0: "r0"})
    assert "minimize `loss`, sampler `tpe`, max trials 3; sweep `bikes-1`" in text
    assert "3 trials: 2 finished, 1 failed" in text
    assert "took 3.0 s; slots worked 4.0 s; slowest trial 0: 2.0 s" in text
    assert "best: `loss` = **0.25** by [trial 1](#/experiments/7/runs/r1) with `depth=9`" in text
    assert "1 trial: exception, such as trial 2: `ValueError: no`" in text
    assert "[all trials beside each other](#/experiments/7/runs)" in text
    assert text.splitlines()[-2:] == [
        "| [trial 1](#/experiments/7/runs/r1) | 0.25 | 9 |",
        "| [trial 0](#/experiments/7/runs/r0) | 0.5 | 3 |",
    ]


def test_it_says_what_slots_did_not_use_and_what_that_cost() -> None:
    results = [finished(0, 0.5)]
    text = described(results, costs=costs_of(results, idle=118.0, price=1.5))
    assert "slots worked 2.0 s, and were idle for 1 min 58 s; slowest" in text
    assert "\n- cost 0.05, at 1.5 for a slot's hour\n" in text
    assert "cost" not in described(results)


def test_without_child_runs_there_are_no_links() -> None:
    assert "](#" not in described([finished(0, 0.5, x=1)])


def test_nothing_that_comes_from_outside_is_markdown_or_html() -> None:
    evil = "<img src=x onerror=alert(1)> [a](javascript:b) `c` | d\n# e"
    results = [finished(0, 0.5, k=evil), Result(1, {}, State.FAILED, reason="exception", message=evil)]
    text = described(results, name=evil, metric="loss", why=evil, spec={"sampler": "`x`"})
    lines = text.splitlines()
    outside_code = "\n".join(part for line in lines for part in line.split("`")[::2] if "\\`" not in line)
    assert "<img" not in outside_code.replace("\\<img", "")
    assert "](javascript" not in text.replace("\\]\\(javascript", "").split("`")[0]
    assert not any(line.startswith("# ") for line in lines)
    table = [line for line in lines if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {4}


def test_several_objectives_have_a_front() -> None:
    goals = goals_of(("a", "b"), ("minimize", "maximize"))
    results = [Result(n, {"x": n}, State.FINISHED, {"a": n, "b": n}, (float(n), float(n))) for n in range(3)]
    summary = summarise(results, 3, 0, goals)
    text = description(Described("n", "s", "1", summary, results, summary.pareto or (), costs_of(results)))
    assert "minimize `a`, maximize `b`" in text
    assert "3 trials on the Pareto front" in text
    assert "| trial | a | b | x |" in text


def test_a_sweep_without_a_result_says_so() -> None:
    text = described([Result(0, {}, State.KILLED, reason="cancelled")], why="interrupted by SIGINT")
    assert "no trial finished with a finite value" in text
    assert "it did not finish: interrupted by SIGINT" in text
    assert "|" not in text
