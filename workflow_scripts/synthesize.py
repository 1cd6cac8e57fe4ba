"""Write one synthetic session as an ALF tree, and its true rates."""

import argparse
from pathlib import Path

from neds.synthetic.settings import SyntheticSessionSettings
from neds.synthetic.stage import synthesize
from workflow_scripts._command import add_settings, run, settings_value, validated


def main(arguments: argparse.Namespace) -> None:
    synthesize(
        settings=validated(SyntheticSessionSettings, settings_value(arguments.settings)),
        index=arguments.index,
        session_path=arguments.session_path,
        alf_root=arguments.alf_root,
        truth=arguments.truth,
        with_cameras=not arguments.without_cameras,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=int, required=True, help="number of the session in the data set")
    parser.add_argument("--session-path", required=True, help="lab/Subjects/subject/date/number")
    parser.add_argument("--alf-root", type=Path, required=True, help="folder to write the ALF tree to")
    parser.add_argument("--truth", type=Path, required=True, help="HDF5 file to write the true rates to")
    parser.add_argument("--without-cameras", action="store_true", help="leave out the camera files")
    add_settings(parser, help="config block `synthetic`, less what concerns the list of sessions")
    run(main, parser)
