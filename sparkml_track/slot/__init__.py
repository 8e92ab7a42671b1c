"""What runs in a slot. Standard library only; shipped to Spark executors as one zip named ``sparkml_slot``.

    task         what the Spark task of a worker calls
    worker       lives in a Spark task: takes attempts from the broker, watches their process, sends what comes back
    driver_link  its connection to the broker
    once         one attempt in a Spark task, for slots that cannot reach the driver
    config       what a worker is given
    joining      how it comes to the template of its host
    meeting      where the ranks of a gang meet
    answers      what the driver answers the attempt at work
    children     the processes of one worker
    condition    what such a process is like, seen from outside
    template     one process for each host that has imported the objective; forks a child for each request
    zygote       imports libraries once for a host; templates of one sweep after another are forked from it
    sources      which files of the user the template has loaded
    strays       what dead children left running
    autolog      MLflow's autologging, switched on as libraries are imported
    script       what the user's script defines, where pickles look for it
    preload      what an objective imports when it is called, imported in the template
    _mlflow_store  MLflow's tracking store in a slot, for objectives that use it
    own_store      the same of one trial, where a process executes several
    _mlflow_kept   what it keeps of a run
    child        executes attempts, one after another, in a forked process
    attempt      one attempt: what the objective gets, returns and leaves
    host         the folder that the slots of one host share
    wire         messages and frames between all of these

The way of an attempt:

    attempt      worker.py -> children.py -> child.py (forked by template.py) -> attempt/execute.py
    worker task  attempt/context.py is the objective's ``trial``; its reports pass child.py and worker.py
    outcome      attempt/returned.py, or attempt/endings.py where the process died -> worker.py
    child run    written by the driver alone

Imports inside are relative, so that the same files work as ``sparkml_track.slot`` and as ``sparkml_slot``.
"""
