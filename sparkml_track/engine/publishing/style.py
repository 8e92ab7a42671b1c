"""The style sheet of the report."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light; --line: #d9dee4; --soft: #57606a; --blue: #1f5fa8; }
body { margin: 0; background: #f4f6f8; color: #24292f;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 6px; }
h3 { font-size: 15px; margin: 14px 0 4px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 16px 20px; margin: 16px 0; }
section > p { color: var(--soft); margin: 0 0 10px; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 28px; margin: 6px 0 0; }
.facts div { display: flex; gap: 8px; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px 36px; }
.tiles div { display: flex; flex-direction: column; }
.tiles b { font-size: 24px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); }
.tiles .finished b { color: var(--blue); }
.tiles .failed b { color: #c0392b; }
p.best { color: inherit; font-size: 17px; }
p.none { color: var(--soft); font-style: italic; }
.pair { display: flex; flex-wrap: wrap; gap: 12px 48px; align-items: flex-start; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { font-variant-numeric: tabular-nums; }
pre { background: #f4f6f8; border-radius: 6px; padding: 10px 12px; margin: 0 0 10px; max-height: 260px; overflow: auto;
  font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
