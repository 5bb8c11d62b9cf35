"""Everything that runs: searches, tasks, the command line."""
