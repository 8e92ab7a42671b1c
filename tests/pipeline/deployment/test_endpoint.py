"""One endpoint for a project: started, found, restarted, ended; what is dead, strange or in the way is a sentence."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkml_track.errors import RegistryError, SetupError, SpecError
from sparkml_track.journals import alive, started
from sparkml_track.pipeline.deployment import endpoint
from sparkml_track.pipeline.deployment.process import end
from tests.pipeline.deployment.endpoints import PROJECT, Bench, bench
from tests.serving.models import until


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def record(project: Bench) -> dict[str, object]:
    found: dict[str, object] = json.loads((project.folder / "endpoint.json").read_text())
    return found


def rewrite(project: Bench, **more: object) -> None:
    (project.folder / "endpoint.json").write_text(json.dumps(record(project) | more))


def kill(pid: int) -> None:
    start = started(pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid, start))


def test_it_outlives_who_started_it_and_is_found_again(project: Bench) -> None:
    first = project.deploy()
    assert (first.how, first.version) == ("started", 1)
    with pytest.raises(ChildProcessError):  # no child of ours
        os.waitpid(first.record.pid, os.WNOHANG)
    assert os.getsid(first.record.pid) != os.getsid(0)
    again = project.deploy()
    assert (again.how, again.record, again.url) == ("found running", first.record, first.url)
    assert project.end()
    assert not alive(first.record.pid, first.record.start)
    assert not project.end()


def test_a_found_one_is_waited_for_until_it_has_the_version(project: Bench) -> None:
    project.deploy()
    project.champion = 2
    timer = threading.Timer(0.3, lambda: project.answers({"champion": 2}))
    timer.start()
    assert project.deploy().version == 2
    timer.join()


def test_a_version_that_it_refuses_is_a_sentence_and_the_former_one_goes_on(project: Bench) -> None:
    pid = project.deploy().record.pid
    project.champion = 2
    project.answers({"champion": 1}, {"champion": "version 2 is refused: its files were changed"})
    with pytest.raises(RegistryError, match="goes on with version 1 of delay: version 2 is refused: its files were"):
        project.deploy()
    assert alive(pid, "")


def test_other_settings_restart_it_and_other_routes_do_not(project: Bench) -> None:
    first = project.deploy()
    routed = project.deploy(routes={"champion": 90.0, "challenger": 10.0})
    assert (routed.how, routed.record.pid) == ("found running", first.record.pid)
    assert json.loads((project.folder / "endpoint.yaml").read_text())["routes"]["challenger"] == 10
    other = project.deploy(reload=3.0)
    assert (other.how, other.record.pid != first.record.pid) == ("restarted", True)
    assert not alive(first.record.pid, first.record.start)


def test_another_token_restarts_it(project: Bench, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one" * 8)
    token.chmod(0o600)
    running = project.deploy(token_file=str(token))
    assert project.deploy(token_file=str(token)).record.pid == running.record.pid
    token.write_text("two" * 8)
    again = project.deploy(token_file=str(token))
    assert (again.how, again.record.pid == running.record.pid) == ("restarted", False)


def test_a_dead_one_is_reported_with_the_end_of_its_log_and_replaced(
    project: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    first = project.deploy()
    kill(first.record.pid)
    with caplog.at_level(logging.WARNING, "sparkml_track"):
        second = project.deploy()
    assert second.how == "started"
    assert "is gone; the end of its log" in caplog.text
    assert f"serving delay on {first.url}" in caplog.text
    assert (project.folder / "endpoint.log.old").exists()


def test_a_process_that_got_the_id_of_a_dead_one_is_left_alone(project: Bench) -> None:
    first = project.deploy()
    kill(first.record.pid)
    rewrite(project, pid=os.getpid())  # with another start than ours
    assert endpoint.record_of(project.home, PROJECT).state == "gone"  # type: ignore[union-attr]
    assert project.end()


def test_who_ends_asks_for_the_start_again(project: Bench) -> None:
    end(os.getpid(), "1", 0.0)  # or this test would be no more


def test_a_machine_that_was_started_again_has_none(project: Bench) -> None:
    pid = project.deploy().record.pid
    rewrite(project, boot="another")
    assert endpoint.record_of(project.home, PROJECT).state == "gone"  # type: ignore[union-attr]
    kill(pid)


@pytest.mark.parametrize("more", [{"host": "far"}, {"pids": "pid:[1]"}])
def test_what_runs_where_nobody_here_can_look_is_left_alone(project: Bench, more: dict[str, object]) -> None:
    first = project.deploy()
    rewrite(project, **more)
    for call in (project.deploy, project.end):
        with pytest.raises(SetupError, match="where this machine or container cannot look: end it there, or delete"):
            call()
    assert alive(first.record.pid, first.record.start)
    rewrite(project, host=first.record.host, pids=first.record.pids)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": "7"}', "null", '{"pid": 0, "grace": 1}'])
def test_a_record_that_cannot_be_read_is_a_sentence(project: Bench, text: str) -> None:
    file = project.folder / "endpoint.json"
    file.write_text(text)
    with pytest.raises(SetupError, match="the record of the endpoint, cannot be read"):
        project.deploy()
    file.unlink()


def test_a_port_that_is_taken_is_a_sentence_and_ends_nothing(project: Bench) -> None:
    first = project.deploy()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=f"port {port} is in use; give another one"):
            project.deploy(port=port)
    assert alive(first.record.pid, first.record.start)
    # Its own one is not taken.
    own = int(first.url.rpartition(":")[2])
    assert project.deploy(port=own).how == "restarted"


def test_one_that_ends_before_it_answers_says_why_and_leaves_no_record(project: Bench) -> None:
    with pytest.raises(SetupError, match=r"ended before it answered; (?s:.*)no such model"):
        project.deploy("import sys; sys.exit('no such model')")
    assert not (project.folder / "endpoint.json").exists()
    with pytest.raises(SetupError, match=r"ended before it answered; its log .* is empty"):
        project.deploy("import sys; sys.exit(3)")


def test_one_that_does_not_answer_is_ended(project: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_ANSWERS", 0.5)
    with pytest.raises(SetupError, match=r"did not answer with delay version 1 in 0\.5 s; "):
        project.deploy("import signal; signal.pause()")
    assert not (project.folder / "endpoint.json").exists()


def test_one_that_does_not_end_is_killed(project: Bench) -> None:
    (project.folder / "said.stubborn").touch()
    first = project.deploy()
    rewrite(project, grace=0.1)
    assert project.end()
    assert not alive(first.record.pid, first.record.start)


def test_settings_that_do_not_go_together_end_nothing(project: Bench) -> None:
    first = project.deploy()
    with pytest.raises(SpecError, match="anybody on the network could ask the model"):
        project.deploy(host="0.0.0.0")
    assert alive(first.record.pid, first.record.start)


def test_two_at_once_start_one(project: Bench, caplog: pytest.LogCaptureFixture) -> None:
    found = []
    with caplog.at_level(logging.INFO, "sparkml_track"):
        threads = [threading.Thread(target=lambda: found.append(project.deploy())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(each.how for each in found) == ["found running", "started"]
    assert len({each.record.pid for each in found}) == 1
    assert "another deployment of project 'front' is under way, and this one waits for its end" in caplog.text
