"""Engines: what starts workers. A worker of an engine has these calls for the launcher, and no others.

    go()         let it begin; it waits for that
    alive()      its process runs
    done()       it has ended because nothing is left to do
    failed()     it has ended for none of the reasons that are foreseen
    retired()    it has grown too large and has ended: a fresh one takes its place
    full()       it has ended because the disk is full
    stop()       end it at once

`index` and `pid` name it.
"""
