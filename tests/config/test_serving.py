"""Files of endpoints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sparkml_track.config.serving import endpoint_of, read_endpoint
from sparkml_track.errors import ConfigError, SetupError, SparkmlError, SpecError
from sparkml_track.serving import Limits

GUIDE = Path(__file__).resolve().parents[2] / "sparkml_track" / "guides" / "serving.md"
TOKEN = "a-token-of-some-length"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "serving.yaml"


def test_nothing_said_is_the_defaults(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    file.write_text("# nothing\n")
    for found in (read_endpoint(None), read_endpoint(file)):
        spec = endpoint_of("my model", found)
        assert (spec.routes, spec.host, spec.port, spec.limits) == ({"champion": 100.0}, "127.0.0.1", 5001, Limits())
        assert spec.recording is not None
        assert spec.recording.tables == "my_model"
        assert spec.recording.folder == tmp_path / "home" / "inference" / "my_model"


def test_the_example_of_the_guide_is_valid(file: Path) -> None:
    example = re.search(r"## serving.yaml\n\n```text\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert example is not None
    file.write_text(example[1])
    (file.parent / "token.txt").write_text(f"{TOKEN}\n")
    found = read_endpoint(file)
    spec = endpoint_of("flights_delay", found)
    assert (spec.routes, spec.shadow, spec.token) == ({"champion": 90, "challenger": 10}, ("challenger",), TOKEN)
    assert spec.recording is not None
    assert spec.recording.keep == {"flight_id": "long"}
    assert found.home.root == file.parent / ".sparkml"
    assert found.code == (str(file.parent / "jobs"),)


def test_all_problems_are_said_at_once_with_their_lines(file: Path) -> None:
    file.write_text("routs: {}\nroutes: {}\nlimits:\n  rows: 0\nrecord: true\nport: 70000\nrecord_: 1\n")
    with pytest.raises(ConfigError) as caught:
        read_endpoint(file)
    said = str(caught.value)
    for line, key in ((1, "routs"), (2, "routes"), (4, "limits.rows"), (5, "record"), (6, "port"), (7, "record_")):
        assert f"{file}:{line}: {key}: " in said
    assert "did you mean 'routes'?" in said


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("host: 0.0.0.0", SpecError, "on 0.0.0.0 anybody on the network could ask the model: give a token file"),
        ("token_file: none.txt", SetupError, "cannot be read: No such file"),
        ("token_file: empty.txt", SpecError, "is empty; write the token into it"),
        ("token_file: short.txt", SpecError, "the token must have at least 16 characters"),
        ("routes: {champion: 0}", SpecError, "one alias at least must have a share above 0"),
    ],
)
def test_what_does_not_go_together_is_refused(file: Path, text: str, kind: type[SparkmlError], sentence: str) -> None:
    (file.parent / "empty.txt").write_text("\n")
    (file.parent / "short.txt").write_text("secret")
    file.write_text(text)
    with pytest.raises(kind, match=sentence) as caught:
        endpoint_of("m", read_endpoint(file))
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_a_sentence(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_endpoint(file)


def test_recording_may_be_left_out(file: Path) -> None:
    file.write_text("record: false\n")
    assert endpoint_of("m", read_endpoint(file)).recording is None
