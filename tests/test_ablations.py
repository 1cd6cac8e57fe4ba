"""Variants of the model: what they change and what they leave alone."""

import pytest
import torch

from neds.ablations.changes import with_changes
from neds.ablations.variants import paper_ablations, variants_in_use
from neds.config import Config, check_config
from neds.data.store import TrialStore
from neds.errors import UserError
from neds.model.checkpoint import Checkpoint, load_network, write_checkpoint
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.training.stage import TrainingRun
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
        ({"tables": ["scheme"]}, "config key ablations.tables.0: input should be 'schemes', 'size' or 'embeddings'"),
        ({"variants": {"x": {"model.layer": 2}}}, "variants.x.model.layer: no key that a variant may change"),
        ({"variants": {"x": {"seeds": [3]}}}, "ablations.variants.x.seeds: no key that a variant may change"),
        ({"variants": {"x": {"model.layers": "two"}}}, "ablations.variants.x.model.layers: input should be a valid integer"),
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
    assert "ablations.tables, embeddings, without-modality-embedding: changes nothing" in message
    assert "without-temporal" not in message


def test_ablations_are_of_the_multimodal_model():
    assert "add mm to modes" in faults(ablations={"tables": ["size"]}, modes=["encoding"])


def test_nothing_is_ablated_unless_asked_for():
    config = Config()
    assert variants_in_use(config.ablations, config.model) == {}
