"""Figure 1 shows the configuration in use."""

import re

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from neds.figures.overview import overview_figure
from neds.figures.save import draw
from neds.modalities import PAPER, Modality, resolve
from neds.model.settings import MaskingSettings, ModelSettings

T = 12
ALL = dict(PAPER)


def figure(**given) -> tuple[Figure, pd.DataFrame]:
    settings = {
        "modes": ["mm"],
        "modalities": ALL,
        "model": ModelSettings(dim=16, heads=2),
        "masking": MaskingSettings(),
    }
    chosen = settings | {"n_bins": T} | given
    masking = chosen.pop("masking")
    return overview_figure(**chosen, maskings=dict.fromkeys(chosen["modes"], masking))


def drawn(**given) -> pd.DataFrame:
    """What a configuration's figure shows, as its CSV has it."""
    return figure(**given)[1]


def masking(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["panel"] == "masking"]
    return rows.assign(share=rows["share"].astype(float), bin=rows["bin"].astype(float).astype(int))


def test_schemes_and_shares_are_those_of_the_configuration():
    weights = {"across": 1.0, "within_spikes": 0.0, "decoding": 2.0, "encoding": 3.0}
    rows = masking(drawn(masking=MaskingSettings(weights=weights, single_behaviour=0.25)))
    shares = rows.groupby(["scheme", "example"], sort=False)["share"].first().round(4).to_dict()
    assert shares == {
        ("encoding", "all behaviours seen"): 0.375,
        ("encoding", "one behaviour alone"): 0.125,
        ("decoding", ""): 0.3333,
        ("across", ""): 0.1667,
    }
    assert list(rows["scheme"].unique()) == ["encoding", "decoding", "across"]
    assert (
        rows.groupby(["scheme", "example", "modality"])["bin"]
        .apply(list)
        .map(lambda bins: bins == list(range(T)))
        .all()
    )


def test_shares_of_the_schemes_add_up_as_they_are_said():
    weights = {"encoding": 1.0, "decoding": 1.0, "units": 1.0, "future": 1.0}
    fig, _ = figure(masking=MaskingSettings(weights=weights))
    texts = [text.get_text() for text in fig.findobj(Text)]
    said = [float(found[1]) for text in texts if (found := re.search(r"([\d.]+) % of trials", text))]
    assert said == [12.5, 12.5, 25, 12.5, 12.5, 25]


def test_bins_are_hidden_as_in_training():
    rows = masking(drawn(masking=MaskingSettings(ratio=0.3)))
    states = rows.groupby(["scheme", "example", "modality"])["state"].agg(set)
    assert states["encoding", "all behaviours seen"].to_dict() == {
        name: {"predicted"} if name == "spikes" else {"seen"} for name in ALL
    }
    alone = states["encoding", "one behaviour alone"]
    assert alone["spikes"] == {"predicted"}
    assert sorted(map(tuple, alone.drop("spikes"))) == [("hidden",)] * 3 + [("seen",)]
    assert states["decoding", ""].to_dict() == {n: {"seen"} if n == "spikes" else {"predicted"} for n in ALL}
    across = rows[rows["scheme"] == "across"].pivot(index="bin", columns="modality", values="state")
    assert (across["spikes"] == across["wheel_speed"]).all() and set(across["spikes"]) == {"seen", "predicted"}
    for name, modality in ALL.items():
        if modality.kind == "categorical":
            assert all(len(state) == 1 for state in states.xs(name, level="modality")), "one fact, hidden whole or not"


def test_hidden_units_and_the_future_are_drawn():
    weights = {"encoding": 1.0, "units": 2.0, "future": 1.0}
    rows = masking(drawn(masking=MaskingSettings(weights=weights, units_without_behaviour=0.25, future_ratio=0.3)))
    assert rows.groupby(["scheme", "example"])["share"].first()["units"].to_dict() == pytest.approx(
        {"behaviours seen": 0.375, "units alone": 0.125}
    )
    for example, behaviour in (("behaviours seen", "seen"), ("units alone", "hidden")):
        own = rows[(rows["scheme"] == "units") & (rows["example"] == example)]
        of_unit = own[own["modality"] == "spikes"].groupby("unit")["state"].agg(set)
        assert set(map(tuple, of_unit)) == {("seen",), ("predicted",)}, "some units, each in all bins"
        assert set(own.loc[own["modality"] != "spikes", "state"]) == {behaviour}
    future = rows[rows["scheme"] == "future"].groupby("modality")
    assert future["unit"].count().sum() == 0, "all units alike"
    n_last = round(0.3 * T)
    for name, own in future:
        expected = ["hidden"] * T if ALL[name].per_trial else ["seen"] * (T - n_last) + ["predicted"] * n_last
        assert own.sort_values("bin")["state"].tolist() == expected


def test_unimodal_models_and_own_modalities():
    tail = Modality(name="tail", kind="continuous", width=3)
    table = drawn(modes=["encoding", "decoding"], modalities=resolve(["spikes", "tail"], {"tail": tail}))
    rows = masking(table)
    assert rows.groupby(["mode", "modality"])["state"].agg(set).to_dict() == {
        ("encoding", "spikes"): {"predicted, no token"},
        ("encoding", "tail"): {"seen"},
        ("decoding", "spikes"): {"seen"},
        ("decoding", "tail"): {"predicted, no token"},
    }
    facts = table[table["panel"] == "network"].set_index(["modality", "quantity"])["value"]
    assert facts["tail", "stitcher"] == "linear 3 → 16" and ("spikes", "stitcher") not in facts
    assert facts["spikes", "readout"] == "linear 16 → N" and ("tail", "readout") not in facts
    assert facts["", "tokens"] == str(T)
    assert facts["", "hidden values"] == "one vector" and facts["", "read beside a token"] == ""


@pytest.mark.parametrize("stitcher", ["linear", "mlp"])
def test_network_is_described_as_it_is_built(stitcher):
    model = ModelSettings(dim=16, heads=2, layers=4, mlp=32, stitcher=stitcher, modality_embedding=False)
    table = drawn(model=model)
    facts = table[table["panel"] == "network"].set_index(["modality", "quantity"])["value"]
    assert facts["", "tokens"] == str(5 * T) and facts["", "layers"] == "4"
    assert facts["", "added to every token"] == "position + session"
    # Per layer: attention 4 D (D + 1), MLP 2 D M + M + D, norms 4 D; final norm 2 D; mask vector D; the map of
    # what is seen of a bin D D; positions 5 T D.
    per_layer = 4 * 16 * 17 + 2 * 16 * 32 + 32 + 16 + 4 * 16
    assert int(facts["", "shared parameters"]) == 4 * per_layer + 2 * 16 + 16 + 16 * 16 + 5 * T * 16
    assert facts["", "hidden values"] == "one vector + what is seen of the bin" and facts["", "read beside a token"]
    expected = {"linear": "linear 2 → 16", "mlp": f"2 → 2 × {T} → 16"}[stitcher]
    assert facts["choice", "stitcher"] == expected


def test_the_same_configuration_gives_the_same_bytes(tmp_path):
    for name in ("first", "second"):
        draw(figure, tmp_path / name / "overview")
    for suffix in ("pdf", "png", "csv"):
        first, second = ((tmp_path / name / f"overview.{suffix}").read_bytes() for name in ("first", "second"))
        assert first == second and len(first) > 1000
