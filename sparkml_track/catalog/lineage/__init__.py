"""Lineage: an edge from each thing that was read to each thing that was made, kept in ``system.lineage``.

columns      from which columns a column was made
watched      tables that remember what was read and written
graph        everything up or down from one thing
shown        the graph as text, DOT or JSON
openlineage  the graph as events of OpenLineage
"""
