"""What every sampler must do. Subclass ``SamplerCase`` and say how to make one."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import pytest

from sparkml_track.errors import SpaceError
from sparkml_track.samplers import Sampler
from sparkml_track.space import Space, choice, loguniform, parse, quniform, randint, uniform
from sparkml_track.trial import Params, State

__all__ = ["SamplerCase"]

#: 36 points, some of them under a choice.
COUNTABLE = parse(
    {"a": choice("x", "y", None), "m": choice({"kind": "flat"}, {"kind": "deep", "depth": randint(1, 12)}), "c": 10}
)
FULL = parse(
    {
        "rate": loguniform(1e-4, 1),
        "size": quniform(10, 100, 10),
        "model": choice({"kind": "linear"}, {"kind": "forest", "depth": randint(2, 20)}),
        "nested": {"share": uniform(0, 1), "layers": choice([8, 8], [16])},
    }
)
LINE = parse({"x": uniform(0, 1), "y": uniform(0, 1)})


class SamplerCase(ABC):
    """The cases, selected by the sampler's capabilities.

    Attributes:
        trials: how many an adaptive sampler needs to do better than chance.
    """

    trials = 100

    @abstractmethod
    def make(self, space: Space, seed: int = 0, objectives: int = 1) -> Sampler:
        """A new sampler."""

    def space(self, sampler_of: Space = COUNTABLE) -> Space:
        """The richest space that this sampler takes: a finite one takes countable ones."""
        return sampler_of if self.make(COUNTABLE).capabilities.finite else FULL

    def test_proposals_are_points_of_the_space_and_json_values(self) -> None:
        """Also when the earlier ones are told."""
        space = self.space()
        sampler = self.make(space)
        for number in range(30):
            params = _asked(sampler, number)
            assert space.contains(params)
            assert space.from_point(params) == json.loads(json.dumps(params))
            sampler.tell(number, params, State.FINISHED, [float(number % 7)])

    def test_proposals_under_way_differ(self) -> None:
        """In a space of 36 points, 16 at a time, before and after learning."""
        sampler = self.make(COUNTABLE)
        asked = {number: _asked(sampler, number) for number in range(16)}
        assert len(set(map(repr, asked.values()))) == 16
        if sampler.capabilities.finite:
            return
        for number in range(16, 60):
            sampler.tell(number - 16, asked.pop(number - 16), State.FINISHED, [float(number % 5)])
            asked[number] = _asked(sampler, number)
            assert len(set(map(repr, asked.values()))) == 16

    def test_a_space_with_fewer_points_than_slots_is_no_error(self) -> None:
        """A finite sampler ends; the others repeat themselves."""
        sampler = self.make(parse({"a": choice(1, 2)}))
        points = [sampler.ask(number) for number in range(5)]
        wanted = 2 if sampler.capabilities.finite else 5
        assert len([params for params in points if params]) == wanted

    def test_a_space_of_constants_has_one_point(self) -> None:
        """Nothing to search is not an error."""
        assert self.make(parse({"a": 1, "b": {"c": [1, 2]}})).ask(0) == {"a": 1, "b": {"c": [1, 2]}}

    def test_the_same_seed_and_order_give_the_same_proposals(self) -> None:
        """Whatever ended in between, told out of order."""
        if not self.make(COUNTABLE).capabilities.repeatable:
            pytest.skip("not repeatable")
        assert self.history(seed=3) == self.history(seed=3)

    def test_another_seed_gives_other_proposals(self) -> None:
        """Unless nothing is random."""
        if not self.make(COUNTABLE).capabilities.finite:
            assert self.history(seed=3) != self.history(seed=4)

    def history(self, seed: int) -> list[Params]:
        """40 proposals, 4 at a time, with all kinds of ends."""
        sampler = self.make(self.space(), seed)
        ends = [State.FINISHED, State.FINISHED, State.PRUNED, State.FAILED, State.KILLED, State.FINISHED]
        asked: dict[int, Params] = {}
        every: list[Params] = []
        for number in range(13 if sampler.capabilities.finite else 40):
            every.append(_asked(sampler, number))
            asked[number] = every[-1]
            if len(asked) == 4:
                done = max(asked) if number % 3 == 0 else min(asked)
                state = ends[done % len(ends)]
                values = [math.sin(done)] if state in {State.FINISHED, State.PRUNED} else []
                sampler.tell(done, asked.pop(done), state, values)
        return every

    def test_all_ends_are_taken(self) -> None:
        """With and without values, infinite ones too, of trials that were never asked for, in a foreign order."""
        space = self.space()
        sampler = self.make(space)
        points = [_asked(self.make(space), number) for number in range(12)]
        for number, params in enumerate(points):
            state = [State.FINISHED, State.PRUNED, State.FAILED, State.KILLED][number % 4]
            sampler.tell(-number - 1, json.loads(json.dumps(params)), state, _values(number, state))
        for number in range(20, 40):
            proposal = sampler.ask(number)
            if proposal is not None:
                sampler.tell(number, proposal, State.FINISHED, [math.inf if number % 5 == 0 else float(number)])

    def test_a_noted_trial_is_under_way_until_it_is_told(self) -> None:
        """What the user or a resumed sweep runs is not proposed beside it."""
        space = parse({"a": choice(1, 2, 3)})
        sampler = self.make(space)
        sampler.note(0, {"a": 2})
        if not sampler.capabilities.adaptive and not sampler.capabilities.finite:
            return  # proposes by the number alone
        assert {_a(sampler, 1), _a(sampler, 2)} == {1, 3}
        sampler.tell(0, {"a": 2}, State.PRUNED, [0.5])
        if not sampler.capabilities.finite:
            assert _a(sampler, 3) == 2

    def test_what_is_not_of_the_space_is_refused(self) -> None:
        """By those who look at it."""
        sampler = self.make(self.space())
        if sampler.capabilities.adaptive or sampler.capabilities.finite:
            with pytest.raises(SpaceError, match="'other' is"):
                sampler.tell(0, {"other": 1}, State.FINISHED, [0.0])

    def test_a_proposal_depends_on_the_number_alone(self) -> None:
        """For those that do not adapt: so a resumed sweep goes on with the same points."""
        sampler = self.make(self.space(), seed=5)
        if sampler.capabilities.adaptive or sampler.capabilities.finite:
            return
        whole = [sampler.ask(number) for number in range(20)]
        resumed = self.make(self.space(), seed=5)
        resumed.tell(-1, _asked(self.make(self.space(), 9), 0), State.FINISHED, [0.0])
        assert [resumed.ask(number) for number in range(7, 20)] == whole[7:]
        assert resumed.ask(3) == whole[3]

    def test_a_finite_sampler_proposes_every_point_once(self) -> None:
        """And none that it was told or took note of; the announced size is the number of points."""
        sampler = self.make(COUNTABLE)
        if not sampler.capabilities.finite:
            assert sampler.size is None
            return
        assert sampler.size == 36
        first = {"a": "x", "m": {"kind": "deep", "depth": 3}, "c": 10}
        sampler.tell(-1, first, State.FINISHED, [0.0])
        sampler.note(0, {"a": None, "m": {"kind": "flat"}, "c": 10})
        points = [params for number in range(1, 50) if (params := sampler.ask(number)) is not None]
        assert len(set(map(repr, points))) == len(points) == 34
        assert first not in points

    def test_an_adaptive_sampler_does_better_than_chance(self) -> None:
        """A tenth of the proposals, with four under way, come within 0.1 of the best point: chance gives 3 %."""
        sampler = self.make(COUNTABLE if self.make(COUNTABLE).capabilities.finite else LINE)
        if not sampler.capabilities.adaptive:
            return
        asked: dict[int, Params] = {}
        losses = []
        for number in range(self.trials):
            asked[number] = _asked(sampler, number)
            losses.append(_bowl(asked[number]))
            if len(asked) == 4:
                done = min(asked)
                sampler.tell(done, asked.pop(done), State.FINISHED, [losses[done]])
        assert sum(loss < 0.1 for loss in losses) >= len(losses) / 10

    def test_several_objectives(self) -> None:
        """Where the sampler says so."""
        if not self.make(COUNTABLE).capabilities.multi_objective:
            return
        space = self.space()
        sampler = self.make(space, objectives=2)
        for number in range(25):
            params = _asked(sampler, number)
            state = State.PRUNED if number % 6 == 5 else State.FINISHED
            sampler.tell(number, params, state, [float(number), -float(number)] if state is State.FINISHED else [])


def _asked(sampler: Sampler, number: int) -> Params:
    params = sampler.ask(number)
    assert params is not None
    return params


def _a(sampler: Sampler, number: int) -> object:
    return _asked(sampler, number)["a"]


def _values(number: int, state: State) -> Sequence[float]:
    return [float(number)] if state is State.FINISHED or (state is State.PRUNED and number < 6) else []


def _bowl(params: Params) -> float:
    x, y = params["x"], params["y"]
    assert isinstance(x, float)
    assert isinstance(y, float)
    return math.hypot(x - 0.7, y - 0.2)
