"""What runs in a slot. Standard library only; shipped to Spark executors as one zip named ``sparkml_slot``.

    worker    lives in a Spark task: takes attempts from the broker, watches their process, sends what comes back
    once      one attempt in a Spark task, for slots that cannot reach the driver
    config    what a worker is given
    children  the processes of one worker
    template  one process for each host that has imported the objective; forks a child for each request
    child     executes attempts, one after another, in a forked process
    attempt   one attempt: what the objective gets, returns and leaves
    host      the folder that the slots of one host share
    wire      frames between all of these

The way of an attempt:

    attempt      worker.py -> children.py -> child.py (forked by template.py) -> attempt/execute.py
    worker task  attempt/context.py is the objective's ``trial``; its reports pass child.py and worker.py
    outcome      attempt/returned.py, or attempt/endings.py where the process died -> worker.py
    child run    written by the driver alone

Imports inside are relative, so that the same files work as ``sparkml_track.slot`` and as ``sparkml_slot``.
"""
