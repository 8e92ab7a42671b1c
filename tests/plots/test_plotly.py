"""Figures of plotly, whatever other threads do."""

from __future__ import annotations

import subprocess
import sys

#: The library takes a pandas that another thread is still importing for a whole one.
CODE = """
import sys, threading
import plotly.graph_objects
from sparkml_track.dashboards.charts import chart
from sparkml_track.plots import Plotted, plotly_figure
from sparkml_track.plots._figure import fragment

assert "pandas" not in sys.modules
drawn = fragment("t", [{"type": "scatter", "x": [1.0], "y": [2.0]}], {}, 300)
thread = threading.Thread(target=__import__, args=("pandas",))
thread.start()
while thread.is_alive():
    for figure in (plotly_figure(Plotted("t", "c", drawn)), chart([{"type": "scatter", "x": [1.0], "y": [2.0]}])):
        assert len(figure.data) == 1
"""


def test_figures_are_drawn_while_another_thread_imports_pandas() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
