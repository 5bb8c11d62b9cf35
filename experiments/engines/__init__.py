"""Engines start workers. The launcher calls these methods of an engine's worker, and no others.

    go()         lets the worker begin; before that it waits
    alive()      true while its process runs
    done()       true if it has ended because there are no more trials
    failed()     true if it has ended for an unforeseen reason
    retired()    true if it has ended after a trial because it used too much memory; a new worker takes its place
    full()       true if it has ended because the disk is full
    stop()       ends it at once

The attributes `index` and `pid` say which worker it is.
"""
