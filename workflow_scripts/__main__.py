"""`python -m workflow_scripts COMMAND ...`."""

from neds.commands.cli import main

if __name__ == "__main__":
    main()
