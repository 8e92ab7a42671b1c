"""The same for those who have a scheduler: a unit of systemd that runs ours, or lines of a crontab without it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sparkml_track.config.settings import Settings
from sparkml_track.jobs.scheduling.scheduler import automatic

__all__ = ["FORMS", "printed"]

FORMS = ("systemd", "cron")
#: Of the environment, where they are set; nothing that may hold a password.
_KEPT = ("JAVA_HOME", "PYSPARK_PYTHON", "PYTHONPATH", "SPARK_LOCAL_IP")


def printed(form: str, configs: Sequence[Settings]) -> Iterator[str]:
    """Lines of a file.

    Args:
        form: one of ``FORMS``.
        configs: of ``read_configs``.
    """
    return _systemd(configs) if form == "systemd" else _cron(configs)


def _program() -> list[str]:
    return [sys.executable, "-P", "-m", "sparkml_track.cli"]


def _environment(configs: Sequence[Settings]) -> dict[str, str]:
    kept = {name: value for name in _KEPT if (value := os.environ.get(name))}
    return {"SPARKML_HOME": str(configs[0].home.root), "PATH": os.environ.get("PATH", os.defpath), **kept}


def _systemd(configs: Sequence[Settings]) -> Iterator[str]:
    names = ", ".join(settings.name for settings in configs)
    files = [str(settings.file.absolute()) for settings in configs]
    yield "# ~/.config/systemd/user/sparkml-track.service; then: systemctl --user enable --now sparkml-track"
    yield "[Unit]"
    yield f"Description=sparkml-track scheduler of {names}"
    yield ""
    yield "[Service]"
    yield f"WorkingDirectory={str(Path.cwd()).replace('%', '%%')}"
    for name, value in _environment(configs).items():
        yield f"Environment={_unit(f'{name}={value}')}"
    yield f"ExecStart={' '.join(map(_unit, [*_program(), 'scheduler', *files]))}"
    yield "Restart=on-failure"
    yield "# The scheduler ends its runs, which end their tasks."
    yield "KillMode=mixed"
    yield "TimeoutStopSec=90"
    yield ""
    yield "[Install]"
    yield "WantedBy=default.target"


def _unit(word: str) -> str:
    """A word as systemd.syntax(7) has it."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if text != word or " " in word else word


def _cron(configs: Sequence[Settings]) -> Iterator[str]:
    yield "# for crontab -e; a run that is due while another is under way is refused, and what was missed stays missed"
    for name, value in _environment(configs).items():
        yield f"{name}={value}"
    for settings in configs:
        for name, job in settings.jobs.items():
            if not automatic(job):
                continue
            if job.schedule is None or not _plain(job.schedule):
                what = "triggers" if job.schedule is None else f"the schedule {job.schedule!r}"
                yield f"# {name}: cron does not know {what}; sparkml-track scheduler does"
                continue
            words = [*_program(), "job", "run", name, "--config", str(settings.file.absolute()), "--cause", "schedule"]
            command = f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join(words)} >/dev/null"
            if job.triggers.tables or job.triggers.files:
                yield f"# {name}: by its schedule alone; cron does not know triggers"
            # Understood by cronie; Debian's cron reads every line in the machine's own time zone.
            yield f"CRON_TZ={job.timezone}"
            yield f"{job.schedule} {command}".replace("%", "\\%")


def _plain(schedule: str) -> bool:
    return not set(schedule.upper().replace("JUL", "")) & set("L#")
