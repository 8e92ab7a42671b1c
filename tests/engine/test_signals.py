"""Signals: the first is kept, the second quits; in a notebook it gives the prompt back instead."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from sparkml_track.engine.signals import Interrupts


def send(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)
    signal.getsignal(number)  # Python runs handlers between two instructions of the main thread


def test_the_first_signal_is_kept_and_raised_at_the_end() -> None:
    with Interrupts() as interrupts:
        send()
        assert interrupts.name == "Ctrl-C"
    with pytest.raises(KeyboardInterrupt):
        interrupts.raise_if_caught()


def test_the_second_one_ends_a_script_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.delattr(sys, "ps1", raising=False)
    with Interrupts():
        send()
        send()
    assert ended == [130]


def test_the_second_one_leaves_a_notebook_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with Interrupts() as interrupts:
        send()
        with pytest.raises(KeyboardInterrupt):
            send()
        assert interrupts.caught
    assert ended == []


def test_a_request_counts_as_ctrl_c_and_the_first_signal_after_it_is_still_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.delattr(sys, "ps1", raising=False)
    asked = [False, False]
    with Interrupts() as interrupts:
        interrupts.listen_to(lambda: asked[0], lambda: asked[1])
        interrupts.look()
        assert not interrupts.caught
        asked[0] = True
        interrupts.look()
        assert (interrupts.caught, interrupts.name) == (signal.SIGINT, "a request to stop")
        hurried = interrupts.later()
        assert not hurried(), "it was there before"
        asked[1] = True
        assert hurried()
        again = interrupts.later()
        send()
        assert again()
        assert (interrupts.name, ended) == ("Ctrl-C", [])
        send()
    assert ended == [130]
    with pytest.raises(KeyboardInterrupt):
        interrupts.raise_if_caught()
