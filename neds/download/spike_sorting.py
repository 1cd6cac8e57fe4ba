"""The spike sorting of one probe, through ibllib's SpikeSortingLoader."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
from brainbox.io.one import SpikeSortingLoader
from iblatlas.regions import BrainRegions
from one.alf.exceptions import ALFError
from one.alf.io import load_object
from one.alf.path import ALFPath

from neds.download.session_files import SessionFiles, Unavailable
from neds.signals.clock import ClockFault, spikes_in_order
from neds.words import counted

LOCATIONS = ".brainLocationIds_ccf_2017."
SPIKES = ("times", "clusters")
SPIKES_FOR_METRICS = ("amps", "depths")
UNKNOWN_REGION = "unknown"


MOST_UNKNOWN = 0.1
"""Share of spikes of clusters that the sorting does not list, above which its files are not of one sorting."""


class KnownRegions(BrainRegions):
    """The Allen regions, of which an id that they do not have is void; the original shifts the regions of all others."""

    def get(self, ids: np.ndarray) -> dict:
        return super().get(np.where(np.isin(ids, self.id), ids, 0))


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One probe's units and spikes.

    Attributes:
        times: (n_spikes,) seconds.
        clusters: (n_spikes,) row of `units` that fired each spike.
        units: the columns of `RawSession.units`.
        collection: the collection that was loaded, e.g. alf/probe00/pykilosort.
        remarks: what had to be mended, one sentence each.
    """

    times: np.ndarray
    clusters: np.ndarray
    units: pd.DataFrame
    collection: str
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sorting:
    """A spike sorting that was found.

    Attributes:
        loader: of its clusters and channels.
        chosen: the loader's options.
        collection: e.g. alf/probe00/pykilosort.
        spikes: files of its spikes.
    """

    loader: SpikeSortingLoader
    chosen: dict[str, str | None]
    collection: str
    spikes: list[ALFPath]

    @property
    def has_metrics(self) -> bool:
        return _has_metrics(self.loader)


def find_sorting(files: SessionFiles, name: str, *, spike_sorter: str, regions: BrainRegions) -> Sorting:
    """The spike sorting of probe `name`, by preference that of `spike_sorter`.

    Raises:
        Unavailable: there is none.
    """
    # Without `atlas` the loader downloads the Allen volumes; only their table of regions is needed.
    loader = SpikeSortingLoader(one=files.one, eid=files.eid, pname=name, atlas=SimpleNamespace(regions=regions))
    loader.collections = [found for found in loader.collections if found in files.collections_with("spikes.")]
    if not loader.collections:
        raise Unavailable("the session has no spike sorting of this probe")
    chosen = {"spike_sorter": spike_sorter, "revision": files.revision}
    try:
        loader.download_spike_sorting(objects=["clusters", "channels"], **chosen)
        loader.download_spike_sorting_object("electrodeSites", collection=f"alf/{name}", missing="ignore", **chosen)
    except ALFError as error:
        raise Unavailable(f"the spike sorting is incomplete, missing or ambiguous: {error.message}") from None
    collection = loader.files["clusters"][0].collection
    attributes = SPIKES if _has_metrics(loader) else (*SPIKES, *SPIKES_FOR_METRICS)
    return Sorting(loader, chosen, collection, _find_spikes(files, collection, attributes))


def _has_metrics(loader: SpikeSortingLoader) -> bool:
    return any(file.attribute == "metrics" for file in loader.files["clusters"])


def load_probe(files: SessionFiles, name: str, *, spike_sorter: str, regions: BrainRegions) -> Probe:
    """Load the spike sorting of probe `name`, by preference that of `spike_sorter`.

    Raises:
        Unavailable: no spike sorting, or datasets that do not fit together.
        UserError: a damaged file.
    """
    sorting = find_sorting(files, name, spike_sorter=spike_sorter, regions=regions)
    loader, chosen, collection = sorting.loader, sorting.chosen, sorting.collection
    spikes = _load_spikes(files, sorting.spikes)
    files.use([file for object_files in loader.files.values() for file in object_files])
    remarks = []
    if any(LOCATIONS in file.name for file in loader.files["channels"] + loader.files.get("electrodeSites", [])):
        channels = loader.load_channels(**chosen)
    else:
        # load_channels would compute locations from the histology, with the Allen volumes.
        channels = loader.load_spike_sorting_object("channels", **chosen)
        remarks.append("the channels have no brain locations, so the units' regions are unknown")
    clusters = load_object(loader.filter_files_by_namespace(loader.files["clusters"], None), wildcards=True)
    _check_consistent(spikes, clusters, channels)
    rows, lost = _rows_in_use(spikes, len(clusters["channels"]))
    spikes = {name: np.asarray(values)[rows] for name, values in spikes.items()}
    elsewhere = (clusters["channels"] < 0) | (clusters["channels"] >= min(len(values) for values in channels.values()))
    clusters["channels"] = np.where(elsewhere, 0, clusters["channels"])
    remarks += lost
    if elsewhere.any():
        remarks.append(
            f"region unknown of {counted(elsewhere.sum(), 'cluster')} on channels that the probe does not have"
        )
    if "atlas_id" in channels and (strange := ~np.isin(channels["atlas_id"], regions.id)).any():
        named = ", ".join(map(str, np.unique(channels["atlas_id"][strange])[:5]))
        remarks.append(
            f"region unknown of {counted(strange.sum(), 'channel')} in regions that the atlas does not have ({named})"
        )
        channels["acronym"] = np.where(strange, UNKNOWN_REGION, channels["acronym"])
    recompute = not _metrics_usable(clusters)
    if recompute:
        if sorting.has_metrics:
            further = _load_spikes(files, _find_spikes(files, collection, SPIKES_FOR_METRICS))
            spikes |= {name: np.asarray(values)[rows] for name, values in further.items()}
        remarks.append("clusters.metrics is missing or incomplete, so unit quality was computed from the spikes")
    # merge_clusters removes the metrics it merges; the channels keep their own quality under `labels`.
    merged = loader.merge_clusters(spikes, clusters, channels, compute_metrics=recompute)
    units = _unit_table(merged, probe=name, eid=files.eid, regions=regions)
    units.loc[elsewhere, ["acronym", "beryl", "cosmos"]] = UNKNOWN_REGION
    units.loc[elsewhere, ["depth_um", "channel"]] = np.nan, -1
    return Probe(
        times=spikes["times"],
        clusters=spikes["clusters"].astype(np.int32),
        units=units,
        collection=collection,
        remarks=remarks,
    )


def count_probe(files: SessionFiles, name: str, *, spike_sorter: str, regions: BrainRegions) -> tuple[int, int]:
    """Numbers of units and of spikes in the files of probe `name`, by their shapes alone; else as `load_probe`.

    Raises:
        Unavailable: no spike sorting, an empty one, or datasets that do not fit together.
        UserError: a damaged file.
    """
    sorting = find_sorting(files, name, spike_sorter=spike_sorter, regions=regions)
    clusters = files.use(sorting.loader.files["clusters"])
    spikes = {attribute: _n_rows(file) for attribute, file in files.use(sorting.spikes).items() if attribute in SPIKES}
    if "channels" not in clusters:
        raise Unavailable("the spike sorting has no clusters.channels")
    n_units = _n_rows(clusters["channels"])
    if spikes["times"] != spikes["clusters"]:
        raise Unavailable(f"{spikes['times']} spike times but {spikes['clusters']} spike clusters")
    if not n_units or not spikes["times"]:
        raise Unavailable("the spike sorting is empty")
    return n_units, spikes["times"]


def _n_rows(file: ALFPath) -> int:
    return len(np.load(file, mmap_mode="r", allow_pickle=False))


def _find_spikes(files: SessionFiles, collection: str, attributes: tuple[str, ...]) -> list[ALFPath]:
    """Some attributes of the spikes, the bulk of a session's data; SpikeSortingLoader would always download all four."""
    return files.find("spikes", needed=attributes, collection=collection, attribute=list(attributes))


def _load_spikes(files: SessionFiles, found: list[ALFPath]) -> dict[str, np.ndarray]:
    return dict(load_object(list(files.use(found).values()), wildcards=True))


def _check_consistent(spikes: dict, clusters: dict, channels: dict) -> None:
    if "channels" not in clusters:
        raise Unavailable("the spike sorting has no clusters.channels")
    n_clusters = len(clusters["channels"])
    if len(spikes["times"]) != len(spikes["clusters"]):
        raise Unavailable(f"{len(spikes['times'])} spike times but {len(spikes['clusters'])} spike clusters")
    if n_clusters == 0 or len(spikes["times"]) == 0:
        raise Unavailable("the spike sorting is empty")
    # Metrics that do not fit are computed anew.
    others = {name: len(values) for name, values in clusters.items() if name not in ("metrics", "channels")}
    if wrong := [f"clusters.{name} {n}" for name, n in sorted(others.items()) if n != n_clusters]:
        raise Unavailable(
            f"the clusters do not fit together (rows: clusters.channels {n_clusters}, {', '.join(wrong)})"
        )


def _rows_in_use(spikes: dict, n_clusters: int) -> tuple[np.ndarray | slice, list[str]]:
    """Which spikes to take, in the order of time, and remarks on those that were left out.

    Raises:
        Unavailable: many are of clusters that are not there, none is left, or the times of a cluster go back.
    """
    clusters = np.asarray(spikes["clusters"])
    strange = (clusters < -1) | (clusters >= n_clusters)
    if strange.mean() > MOST_UNKNOWN:
        raise Unavailable(
            f"spikes.clusters names clusters beyond the {n_clusters} of clusters.channels, in {strange.sum()} of "
            f"{counted(len(clusters), 'spike')}"
        )
    remarks = []
    if strange.any():
        remarks.append(f"{strange.sum()} of {counted(len(clusters), 'spike')} of clusters that are not listed")
        clusters = np.where(strange, -1, clusters)
    try:
        rows, lost = spikes_in_order(np.asarray(spikes["times"]), clusters)
    except ClockFault as fault:
        raise Unavailable(str(fault)) from None
    if not len(clusters[rows]):
        raise Unavailable("the spike sorting has no spike with a time and a cluster")
    return rows, remarks + lost


def _metrics_usable(clusters: dict) -> bool:
    """Whether row i of clusters.metrics describes cluster i, which ibllib takes for granted."""
    metrics = clusters.get("metrics")
    if metrics is None or not {"label", "firing_rate"} <= set(metrics.columns):
        return False
    n_clusters = len(clusters["channels"])
    ids = metrics.get("cluster_id", metrics.index)
    return len(metrics) == n_clusters and np.array_equal(ids, np.arange(n_clusters))


def _unit_table(merged: dict, *, probe: str, eid: str, regions: BrainRegions) -> pd.DataFrame:
    n_units = len(merged["channels"])
    cluster_id = np.arange(n_units)
    unknown = np.full(n_units, UNKNOWN_REGION, object)
    acronym = np.asarray(merged.get("acronym", unknown)).astype(object)
    located = acronym != UNKNOWN_REGION

    def mapped(mapping: str) -> np.ndarray:
        names = unknown.copy()
        names[located] = regions.acronym2acronym(acronym[located].astype(str), mapping=mapping)
        return names

    return pd.DataFrame(
        {
            "uuid": merged["uuids"] if "uuids" in merged else [f"{eid}-{probe}-{index}" for index in cluster_id],
            "probe": probe,
            "cluster_id": cluster_id,
            "acronym": acronym,
            "beryl": mapped("Beryl"),
            "cosmos": mapped("Cosmos"),
            "depth_um": np.asarray(merged.get("depths", np.full(n_units, np.nan)), float),
            "channel": merged["channels"],
            "label": merged["label"],
            "firing_rate_hz": merged["firing_rate"],
        }
    )
