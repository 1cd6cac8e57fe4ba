"""Load one session from an ALF folder or from the IBL database: -> raw file."""

import argparse
from pathlib import Path

from neds.download.settings import DownloadSettings
from neds.download.stage import download
from workflow_scripts._command import add_settings, run, settings_value, validated


def main(arguments: argparse.Namespace) -> None:
    settings = validated(DownloadSettings, settings_value(arguments.settings))
    if arguments.pause_ms is not None:
        settings = settings.model_copy(update={"pause_s": arguments.pause_ms / 1000})
    download(
        source=arguments.source,
        eid=arguments.eid,
        output=arguments.output,
        settings=settings,
        session_path=arguments.session_path,
        alf_root=arguments.alf_root,
        cache_dir=arguments.cache_dir,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, choices=["alf", "one"])
    parser.add_argument("--eid", required=True, help="session id")
    parser.add_argument("--session-path", default="", help="source alf: lab/Subjects/subject/date/number")
    parser.add_argument("--alf-root", type=Path, help="source alf: folder that holds lab/Subjects/...")
    parser.add_argument("--cache-dir", type=Path, help="source one: folder of the downloaded files")
    parser.add_argument(
        "--pause-ms", type=int, help="source one: pause between downloads, in place of that of the settings"
    )
    parser.add_argument("--output", type=Path, required=True, help="raw session file to write")
    add_settings(parser, help="config block `download`")
    run(main, parser)
