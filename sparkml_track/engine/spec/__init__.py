"""A sweep as it was asked for.

spec   the checked arguments
check  every problem at once, before anything starts
roots  what shared folders may be
seeds  seeds of trials
"""
