"""Which sums there are of a column and of the quality of scores. Plain numbers, sent to Spark's Python workers.

Slots from 0 are bins; those below 0 are named here.
"""

from __future__ import annotations

__all__ = [
    "ABSOLUTE",
    "ALL",
    "BRIER",
    "CLASSES",
    "ERRORS",
    "HEAD",
    "INFINITE",
    "LABELS",
    "LABEL_SQUARES",
    "LOG_LOSS",
    "MISSING",
    "NUMBERS",
    "OUT",
    "QUALITY",
    "REGISTERS",
    "SCORES",
    "SCORE_BINS",
    "SELECTED",
    "SQUARED",
    "SQUARES",
    "TRUE_NEGATIVES",
    "TRUE_POSITIVES",
    "WITH_LABEL",
    "WITH_SCORE",
    "WRONG",
]

HEAD = 16  # slots below 0
ALL = -1  # the slicing of all rows
# Slots of a column.
MISSING, INFINITE, SQUARES = -1, -2, -3  # rows that are null or nan; infinite; sum of (x - shift) squared
REGISTERS = 256  # of HyperLogLog, over values without a bin of their own; each is a most
# Slots of the quality pseudo-column. Rows with a score, and sums over rows that have a label as well.
QUALITY = -1
SCORES, WITH_SCORE, WITH_LABEL, WRONG = -1, -2, -3, -4  # WRONG: labels that are neither 0 nor 1
LOG_LOSS, BRIER, TRUE_POSITIVES, TRUE_NEGATIVES = -5, -6, -7, -8
SELECTED = -9  # rows with a score, label or not, whose score is at least the threshold
ERRORS, ABSOLUTE, SQUARED, LABELS, LABEL_SQUARES = -10, -11, -12, -13, -14  # LABELS: less the shift
SCORE_BINS = 1000  # bins of the score for label 1, then for label 0, then for all rows with a score
#: What labels are: classes 0 and 1, or numbers.
CLASSES, NUMBERS = "classes", "numbers"
#: The rows that come out, as Spark writes a schema.
OUT = (
    "window string, slicing int, value int, column int, slot int, total double, low double, high double, "
    "sum double, scored double, score double"
)
