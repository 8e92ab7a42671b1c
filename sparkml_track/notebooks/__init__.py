"""Notebooks of a project: files of marimo in the project's own folder, and the editor that opens them.

new        a new notebook from a template, in ``templates``
editor     marimo's editor, on loopback alone
"""

from __future__ import annotations

from sparkml_track.notebooks.editor import editor_command, editor_environment
from sparkml_track.notebooks.new import TEMPLATES, write_notebook

__all__ = ["TEMPLATES", "editor_command", "editor_environment", "write_notebook"]
