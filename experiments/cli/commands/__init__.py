"""The commands of `recurrent`, one file each, found by its name. A file has:

its docstring      what the command does; the first line is shown by `recurrent --help`
EXAMPLE            one call
add(parser)        adds its arguments
run(parsed)        does it; returns the exit code

`run` catches no errors: main.py turns a RecurrentError into one line and exit code 2. A command that reads a search
takes `add_tracking_uri(parser)`, and reads inside `with working(uri)`; results.py is the plainest example.
"""
