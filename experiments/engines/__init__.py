"""Engines start workers. The launcher calls only these methods of an engine's worker:

    go()         lets the worker begin; it waits for this
    alive()      true while its process runs
    done()       true if it has ended because there are no more trials
    failed()     true if it has ended for an unforeseen reason
    refused()    true if it has failed because the user's task cannot be used; its log says why
    retired()    true if it has ended after a trial because it used too much memory; a new worker takes its place
    full()       true if it has ended because the disk is full
    stop()       ends it at once

The attributes `index` and `pid` say which worker it is.
"""
