"""Git repositories beside the experiments: under which commit, of which branch, a training was started.

    git        runs the git binary: what it may do, for how long, with which environment
    remote     URLs to fetch from, with credentials kept out of every command line
    graph      what git printed -> commits, branches, experiment references            (pure)
    source     one attached repository, read in place or kept as a bare clone
    tree       all of them, kept up to date in the background; what the rest of the Studio asks

Nothing here writes to a repository of the user's.
"""
