"""The flow of a sweep.

    run           opens the members, runs the loop, closes in the right order
    watch         looks at the loop once each turn: signals, progress
    surroundings  home, session, data and listeners of a sweep
    signals       Ctrl-C and SIGTERM
    closing       workers leave while the parent run is ended
    garbage       collections while a sweep runs look at what it makes alone
    importing     a sweep of another home or store is taken over
    audit         does the tracking store say what the journal says; repair
    recovery      resume, a journal made anew, warm start
    publishing    child runs, the report and the end of the parent run
    loop          asks, submits, takes events; journal first
    storage       folders on storage that all hosts have
    records       what the journal says: one type for each kind of record, and their codec
    results       accepted results: history, summary, ranking
    identity      what a sweep is made of, so that a resumed one is known to be the same
    spec          the arguments of a sweep, checked

The way of a trial:

    trial      loop/asker.py -> loop/loop.py, journalled by loop/journal_writer.py
    attempt    submitted to an executor, whose events come back to loop/loop.py
    outcome    results/records.py, records/codec.py -> the journal, then the sampler
    child run  publishing/publisher.py -> a tracker; publishing/finish.py ends the parent run
"""

from __future__ import annotations
