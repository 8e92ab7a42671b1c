"""Graphs from left to right: who stands where, and the drawing.

layout   places of things, by who comes before whom
drawing  boxes with links, as SVG
"""
