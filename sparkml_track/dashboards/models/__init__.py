"""What pages show of registered models.

known     the registry of the home, and what it says of its models
versions  the models and their versions: aliases, what the gate and people decided
moves     who was champion when, and how good each version was
card      the card of a version
compared  two versions side by side
"""
