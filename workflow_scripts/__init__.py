"""What the rules call: `python -m workflow_scripts COMMAND ...` is `neds COMMAND ...` wherever this folder lies."""
