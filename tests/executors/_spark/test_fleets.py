from __future__ import annotations

import math
import os
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from sparkml_track.errors import SetupError, SpecError
from sparkml_track.executors import Work, open_executor
from sparkml_track.executors._resident.slot import Limits, ListenAddress, open_broker
from sparkml_track.executors._spark.fleets import limits_of, listen_address_of


def test_a_taken_port_is_told_with_the_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=rf"127\.0\.0\.1:{port}.*spark\.sparkml\.broker\.port"):
            open_broker(b"secret", ListenAddress("127.0.0.1", port), shared_host=False)


@pytest.mark.parametrize(("text", "seconds"), [("300", 300.0), ("0.5", 0.5), ("0", math.inf)])
def test_how_long_to_wait_for_workers_can_be_set(text: str, seconds: float) -> None:
    limits = limits_of(SimpleNamespace(_conf={"spark.sparkml.slots.timeout": text}))
    assert (limits.first, limits.none) == (seconds, seconds)
    assert limits_of(SimpleNamespace(_conf={})) == Limits(stay=60.0)


@pytest.mark.parametrize("text", ["", "ever", "-1", "nan", "inf", "2min"])
def test_a_time_to_wait_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"slots\.timeout is .*; allowed are seconds, or 0 to wait for ever"):
        limits_of(SimpleNamespace(_conf={"spark.sparkml.slots.timeout": text}))


def test_a_temporary_folder_that_others_could_write_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # A short one: a long path leaves no room for the name of a Unix socket, and is not used.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        ours = Path(folder) / f"sparkml-{os.getuid()}"
        ours.mkdir()
        ours.chmod(0o777)
        with pytest.raises(SetupError, match="open to others; remove it or set TMPDIR"):
            open_executor("inline", Work(lambda _: 1.0), None)


def context(**conf: str) -> SimpleNamespace:
    """What ``listen_address_of`` reads of a SparkContext."""
    return SimpleNamespace(_conf={f"spark.{name.replace('_', '.')}": value for name, value in conf.items()})


@pytest.mark.parametrize(("value", "tls"), [("true", True), ("TRUE", True), ("false", False)])
def test_tls_is_chosen_by_the_setting_and_off_without_it(value: str, tls: bool) -> None:
    assert listen_address_of(context(driver_host="here", sparkml_broker_tls=value)) == ListenAddress(
        "here", 0, "here", tls
    )
    assert not listen_address_of(context(driver_host="here")).tls


@pytest.mark.parametrize(("name", "value"), [("port", "70000"), ("port", "any"), ("tls", "yes"), ("tls", "")])
def test_a_setting_of_the_broker_that_means_nothing_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SpecError, match=rf"spark\.sparkml\.broker\.{name} is '{value}'; allowed"):
        listen_address_of(context(driver_host="here", **{f"sparkml_broker_{name}": value}))
