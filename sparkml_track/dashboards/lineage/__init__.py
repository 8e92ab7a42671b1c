"""What pages show of lineage: what something was made from, and what it led to.

known    what lineage knows, and what a page asks of it
things   where a thing leads
picture  the graph, drawn
listed   the same as lists
choice   what is chosen on the page, and what is shown of it
"""
