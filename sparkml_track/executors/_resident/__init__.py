"""Workers that stay in their slots.

executor     the member
fleet        the workers, and what they are reached by: of one executor after another
lot          fleets between two sweeps
worker_pool  how many workers there are, who leaves for others, who comes back
assignment   which attempt is at which slot, and gangs at several
turns        gangs of several sweeps, one after the other
slot         the places of workers, and the bounds of waiting for them
broker       the driver's end of all worker connections
certificate  for connections over TLS
early_template  the host's template, started while the workers still are
launcher     who starts workers: a contract, and a member that needs no Spark
"""
