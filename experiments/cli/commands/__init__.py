"""The commands of `recurrent`, one file each, found by its name. A file has:

its docstring      what the command does; the first line is shown by `recurrent --help`
EXAMPLE            one call
add(parser)        adds its arguments
run(parsed)        does it; returns the exit code
"""
