"""Tell how many bytes the sessions of a configuration would download (source one)."""

import argparse
from pathlib import Path

from neds.config import check_config
from neds.download.amount import amounts, summary
from neds.errors import UserError
from workflow_scripts._command import run, settings_value


def main(arguments: argparse.Namespace) -> None:
    config, sessions = check_config(settings_value(arguments.configfile, option="--configfile"), base=Path.cwd())
    if config.source != "one":
        raise UserError(
            f"{arguments.configfile}: source {config.source} downloads nothing; name a configuration of source one"
        )
    cache_dir = Path(config.download.cache_dir or f"{config.results}/one_cache")
    table = amounts([session.eid for session in sessions], cache_dir=cache_dir, settings=config.download_settings())
    print(summary(table, cache_dir=cache_dir))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", required=True, help="your configuration, as for snakemake")
    run(main, parser)
