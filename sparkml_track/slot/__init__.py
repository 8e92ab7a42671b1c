"""What runs in a slot. Standard library only; shipped to Spark executors as one zip named ``sparkml_slot``.

    worker    lives in a Spark task: takes attempts from the broker, watches their process, sends what comes back
    config    what a worker is told
    once      one attempt in a Spark task, for slots that cannot reach the driver
    template  one process for each host that has imported the objective; forks a child for each request
    child     executes attempts, one after another, in a forked process
    host      the folder, the blobs and the template that the slots of one host share
    lease     shares in that folder, and when it goes
    context   what the objective gets as ``trial``
    result    what the objective may return, and how a failure is told
    logs      the kept head and tail of an attempt's output
    wire      frames between all of these

Imports inside are relative, so that the same files work as ``sparkml_track.slot`` and as ``sparkml_slot``.
"""
