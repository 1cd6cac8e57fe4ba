"""`neds size`: what a configuration would download."""

from pathlib import Path

from neds.commands.values import mapping_of
from neds.config import check_config
from neds.errors import UserError


def download_size(*, configfile: Path) -> str:
    """Tell how many bytes the sessions of a configuration would download (source one).

    Args:
        configfile: your configuration, as for snakemake.

    Raises:
        UserError: a configuration that cannot be used or of another source, or a failing network.
    """
    config, sessions = check_config(mapping_of(str(configfile), option="--configfile"), base=Path.cwd())
    if config.source != "one":
        raise UserError(f"{configfile}: source {config.source} downloads nothing; name a configuration of source one")
    # Here, because help should not wait for ONE.
    from neds.download.amount import amounts, summary

    cache_dir = Path(config.download.cache_dir or f"{config.results}/one_cache")
    eids = list(dict.fromkeys(session.recording for session in sessions))
    table = amounts(
        eids,
        cache_dir=cache_dir,
        settings=config.download_settings(),
    )
    return summary(table, cache_dir=cache_dir)
