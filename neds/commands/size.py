"""`neds size`: what a configuration would download."""

from pathlib import Path

from neds.commands.values import mapping_of
from neds.config import check_config
from neds.errors import UserError
from neds.files.addresses import is_address
from neds.words import counted


def download_size(*, configfile: Path) -> str:
    """Tell how many bytes the sessions of a configuration would download; of files on servers, how large they are.

    Args:
        configfile: your configuration, as for snakemake.

    Raises:
        UserError: a configuration that cannot be used or that downloads nothing, or a failing network.
    """
    config, sessions = check_config(mapping_of(str(configfile), option="--configfile"), base=Path.cwd())
    files = {session.path: session.etag for session in sessions if is_address(session.path)}
    if files:
        # Here, because help should not wait for it.
        from neds.download.ranges import size_of
        from neds.download.sizes import readable_size

        total = readable_size(sum(size_of(address, etag=etag) for address, etag in files.items()))
        fetched = "only what is used of them is fetched, in parts, and how much that is shows when it is read"
        return f"{counted(len(files), 'file')} on servers, {total} at most: {fetched}"
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
