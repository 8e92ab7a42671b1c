"""How good scores are, from sums of scores and labels; but for rankings no Spark here.

judge        the quality of each window and slice
classes      of probabilities
numbers      of estimates of numbers
calibration  scores against what came true, bin by bin
estimate     of probabilities before labels came
fairness     slices against each other
ranking      of an order inside groups, which Spark computes
"""
