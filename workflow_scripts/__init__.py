"""One thin command per workflow rule; every one of them can be run by hand with `python -m workflow_scripts.<name>`."""
