"""Variants of the model: what they change and what they leave alone."""

import pandas as pd
import pytest
import torch

from neds.ablations.changes import with_changes
from neds.ablations.paper import paper_rows
from neds.ablations.variants import paper_ablations, variants_in_use
from neds.config import Config, check_config
from neds.data.store import TrialStore
from neds.errors import UserError
from neds.modalities import resolve
from neds.model.checkpoint import Checkpoint, load_network, write_checkpoint
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.tables.ablation import ablation_table
from neds.tables.write import write_table
from neds.training.settings import TrainingRun
from tests.aligned_sessions import make_session

SIZE = {"dim": 16, "layers": 1, "heads": 2, "mlp": 16}


def make_network(**settings) -> tuple[NEDS, TrialStore]:
    store = TrialStore([make_session()], names=list(make_session().modalities), device=torch.device("cpu"))
    mode = preset("mm", store.modalities, MaskingSettings())
    torch.manual_seed(0)
    return NEDS(Design(ModelSettings(**SIZE, **settings), store.modalities, mode, store.n_bins), store.shapes), store


@pytest.mark.parametrize("absent", [["modality"], ["position"], ["modality", "position"]])
def test_a_variant_without_an_embedding_differs_in_nothing_else(absent, tmp_path):
    whole, _ = make_network()
    variant, store = make_network(**{f"{name}_embedding": False for name in absent})
    names = [name for name, _ in whole.named_parameters()]
    assert [name for name, _ in variant.named_parameters()] == [name for name in names if name not in absent]
    for name, parameter in variant.named_parameters():
        assert torch.equal(parameter, whole.get_parameter(name)), name

    batch = store.batch(torch.zeros(4, dtype=int).numpy(), torch.arange(4).numpy())
    hidden = torch.zeros(4, 5, store.n_bins, dtype=torch.bool)
    tokens = []
    for model in (whole, variant):
        model.eval()
        model.encoder.register_forward_pre_hook(lambda _, given: tokens.append(given[0]))
        model(batch, hidden)
    embedding = {"modality": whole.modality[:, None].expand(-1, store.n_bins, -1), "position": whole.position}
    expected = sum(embedding[name] for name in absent).flatten(0, 1)
    assert torch.allclose(tokens[0] - tokens[1], expected.expand_as(tokens[0]), atol=1e-6)

    path = tmp_path / "m.safetensors"
    write_checkpoint(path, Checkpoint(variant.design, variant.session_shapes), variant.state_dict())
    loaded, _ = load_network(path)
    assert loaded.state_dict().keys() == variant.state_dict().keys()


def test_changes_reach_a_training_run_and_leave_the_rest():
    run = TrainingRun(mode="mm", modalities=["spikes", "choice"])
    changes = {"model.layers": 7, "masking.weights.across": 0.0, "training.loss_weights.spikes": 9.0}
    changed = TrainingRun.model_validate(with_changes(run.model_dump(), changes))
    assert changed.model == ModelSettings(layers=7)
    assert changed.masking.weights == run.masking.weights | {"across": 0.0}
    assert changed.training.loss_weights == {"spikes": 9.0}
    assert run == TrainingRun(mode="mm", modalities=["spikes", "choice"])


def test_the_papers_variants_of_the_papers_model():
    paper = ModelSettings(dim=256, heads=8, mlp=512, layers=5, stitcher="mlp")
    ablations = paper_ablations(paper)
    assert ablations["size"].variants == {"deeper": {"model.layers": 22}}
    assert {name: len(ablation.variants) for name, ablation in ablations.items()} == {
        "schemes": 2,
        "size": 1,
        "embeddings": 3,
    }


def faults(**values) -> str:
    with pytest.raises(UserError) as caught:
        check_config(values, base=None)
    return str(caught.value)


@pytest.mark.parametrize(
    ("ablations", "message"),
    [
        ({"tables": ["scheme"]}, "config key ablations.tables.0: must be schemes, size or embeddings, not 'scheme'"),
        ({"variants": {"x": {"model.layer": 2}}}, "variants.x.model.layer: no key that a variant may change"),
        ({"variants": {"x": {"training.recompute": True}}}, "x.training.recompute: no key that a variant may change"),
        ({"variants": {"x": {"seeds": [3]}}}, "ablations.variants.x.seeds: no key that a variant may change"),
        ({"variants": {"x": {"model.layers": "two"}}}, "variants.x.model.layers: must be a whole number, not 'two'"),
        ({"variants": {"x": {"masking.weights.encodin": 0.0}}}, "ablations.variants.x.masking.weights.encodin"),
        ({"variants": {"x": {"model.layers": 3}}}, "ablations.variants.x: changes nothing"),
        ({"variants": {"x y": {"model.layers": 2}}}, "ablations.variants.x y: a name may hold"),
        ({"variants": {"50trials": {"model.layers": 2}}}, "ablations.variants.50trials: a name may hold"),
        ({"variants": {"deeper": {"model.layers": 2}}}, "ablations.variants.deeper: an ablation of the paper is called so"),
    ],
)  # fmt: skip
def test_a_fault_of_a_variant_is_named(ablations, message):
    assert message in faults(ablations=ablations, model={"layers": 3})


def test_an_ablation_that_changes_nothing_is_refused():
    message = faults(ablations={"tables": ["embeddings"]}, model={"modality_embedding": False})
    assert "ablations.tables: embeddings, without-modality-embedding: changes nothing" in message
    assert "without-temporal" not in message


def test_ablations_are_of_the_multimodal_model():
    assert "add mm to modes" in faults(ablations={"tables": ["size"]}, modes=["encoding"])


def metrics_of(variants: dict[str, float]) -> pd.DataFrame:
    """Scores of the unchanged model and of variants, each so much worse, on three sessions with two seeds."""
    rows, losses = [], {"scratch": 0.0} | {f"scratch-{name}": loss for name, loss in variants.items()}
    for training, loss in losses.items():
        for rank, eid in enumerate("abc"):
            for seed in (0, 1):
                known = {"eid": eid, "subject": eid, "model": "neds-mm", "training": training, "seed": seed}
                scores = [
                    ("encoding", "choice", "spikes", "bits_per_spike", 0.3),
                    ("decoding", "spikes", "choice", "accuracy", 0.9),
                ]
                for task, inputs, target, metric, value in scores:
                    about = {"task": task, "inputs": inputs, "target": target, "metric": metric}
                    rows.append(known | about | {"value": value + 0.1 * rank + 0.01 * seed - loss, "n_test_trials": 9})
    return pd.DataFrame(rows)


def test_table_holds_means_and_errors_over_sessions_and_the_size(tmp_path):
    table = ablation_table(
        metrics_of({"deeper": 0.05, "of-another-table": 0.2}),
        resolve(["spikes", "choice"], {}),
        title="model size (Table 9)",
        variants=["deeper", "not-run"],
        parameters={"scratch": 0.3, "scratch-deeper": 1.1},
        paper=paper_rows("size"),
    )
    write_table(table, tmp_path / "ablation_size")
    numbers = pd.read_csv(tmp_path / "ablation_size.csv").set_index("model")
    assert list(numbers.index) == ["unchanged", "deeper", "unchanged (paper)", "deeper (paper)"]
    spikes = "spikes: bits per spike"
    assert numbers.loc["unchanged", spikes] == pytest.approx(0.405)
    assert numbers.loc["deeper", spikes] == pytest.approx(0.355)
    assert numbers.loc["deeper", f"{spikes}, s.e.m."] == pytest.approx(0.1 / 3**0.5)
    assert numbers.loc["deeper", f"{spikes}, n"] == 3
    assert numbers.loc["deeper", "parameters (M)"] == 1.1
    assert numbers.loc["deeper (paper)", spikes] == 0.09 and numbers.loc["deeper (paper)", "choice: accuracy"] == 0.83
    markdown = (tmp_path / "ablation_size.md").read_text()
    assert "0.35 ± 0.06" in markdown or "0.36 ± 0.06" in markdown
    assert "3 test sessions" in markdown and "other data" in markdown
    assert r"\begin{tabular}" in (tmp_path / "ablation_size.tex").read_text()
    page = (tmp_path / "ablation_size.html").read_text()
    assert page.count("<tr>") == 1 + 4 and "Model size (Table 9)" in page


def test_every_ablation_of_the_paper_has_its_numbers():
    for name, ablation in paper_ablations(ModelSettings()).items():
        rows = pd.DataFrame([row.model_dump() for row in paper_rows(name)])
        assert rows["name"].unique().tolist() == ["unchanged", *ablation.variants]
        assert len(rows) == 5 * (1 + len(ablation.variants))
    without_both = rows[(rows["name"] == "without-both-embeddings") & (rows["target"] == "spikes")].iloc[0]
    assert without_both["mean"] == 0.25
    assert without_both["sem"] == pytest.approx(0.07 / 10**0.5), "the paper gives standard deviations here"
    assert paper_rows("own") == []


def test_nothing_is_ablated_unless_asked_for():
    config = Config()
    assert variants_in_use(config.ablations, config.model) == {}
