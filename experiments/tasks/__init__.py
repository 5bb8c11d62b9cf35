"""The tasks: one file each, found by its name. `base.py` holds the contract."""
