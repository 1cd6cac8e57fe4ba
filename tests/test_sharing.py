"""A model that is given away: what its folder says, that it loads elsewhere, and that a hostile one is found out."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save_file

import neds
from neds.errors import UserError
from neds.evaluation.stage import evaluate
from neds.model.checkpoint import load_network
from neds.model.known import session_digest
from neds.model.settings import BEFORE_THEY_WERE_KEYS
from neds.provenance import content_digest
from neds.sharing.description import read_description
from neds.sharing.export import export_model
from neds.sharing.imported import import_model
from tests.aligned_sessions import make_session
from tests.test_training import settings, train_to

SESSIONS = (make_session("mouse1"), make_session("mouse2", n_units=5))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Checkpoint of a model of two sessions, beside their files."""
    folder = tmp_path_factory.mktemp("trained")
    return train_to(folder, settings(epochs=2, validate_every=1), *SESSIONS) / "best.safetensors"


@pytest.fixture(scope="module")
def exported(trained) -> Path:
    folder = trained.with_name("two-mice")
    export_model(checkpoint=trained, output=folder, licence="mit", data="Two mice that never were.")
    return folder


@contextmanager
def served(handler) -> Iterator[str]:
    """Address of a server on this computer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


def test_a_model_is_the_same_elsewhere(trained, exported, tmp_path):
    said = import_model(source=str(exported), output=tmp_path / "mine")
    assert "two-mice of 2 sessions, mit" in said
    first, second = neds.load_model(trained), neds.load_model(tmp_path / "mine")
    for session in SESSIONS:
        assert np.array_equal(first.encode(session)["spikes"], second.encode(session)["spikes"])
    pd.testing.assert_frame_equal(first.embeddings(), second.embeddings())
    assert not any(path.suffix in (".bin", ".pkl", ".pt") for path in exported.iterdir())


def test_a_model_that_was_shared_before_some_settings_is_what_it_was(exported, tmp_path):
    old = shutil.copytree(exported, tmp_path / "old")

    def forget(settings: dict) -> dict:
        return {key: value for key, value in settings.items() if key not in BEFORE_THEY_WERE_KEYS}

    resealed(
        old,
        header=lambda h: h["design"].update(settings=forget(h["design"]["settings"])),
        weights=lambda w: w.pop("beside.weight"),
    )
    configured(old, model=forget(json.loads((old / "config.json").read_text())["model"]))
    import_model(source=str(old), output=tmp_path / "mine")
    assert load_network(tmp_path / "mine/model.safetensors")[1].design.settings.hidden_values == "vector"
    assert read_description(tmp_path / "mine").model.readout == "token"


def test_the_folder_says_what_the_model_is_of(exported):
    card = (exported / "README.md").read_text()
    head = yaml.safe_load(card.split("---\n")[1])
    assert (head["license"], head["library_name"]) == ("mit", "neds")
    assert "Two mice that never were." in card and f"torch {torch.__version__}" in card
    config = json.loads((exported / "config.json").read_text())
    assert [(s["eid"], s["n_units"], s["sha256"]) for s in config["sessions"]] == [
        (session.eid, {"spikes": session.n_units}, session_digest(session)) for session in SESSIONS
    ]
    assert (config["n_bins"], config["bin_s"], config["window_start_s"]) == (10, 0.05, -0.2)
    assert config["weights"]["sha256"] == content_digest(exported / "model.safetensors")
    units = pd.read_csv(exported / "units.csv")
    assert list(units["uuid"]) == [f"{s.eid}-{n}" for s in SESSIONS for n in range(s.n_units)]


def test_the_card_has_the_scores_of_the_named_model_with_their_n(trained, tmp_path):
    one = train_to(tmp_path / "one", settings(epochs=1, validate_every=1), SESSIONS[0])
    files = {name: tmp_path / name for name in ("metrics", "units", "predictions")}
    evaluate(
        aligned=one / "mouse1.h5",
        checkpoint=one / "best.safetensors",
        model="neds-mm",
        training="scratch",
        seed=0,
        **files,
    )
    give = partial(export_model, checkpoint=trained, licence="mit", metrics=[files["metrics"]])
    give(output=tmp_path / "shared", model="neds-mm-scratch")
    card = (tmp_path / "shared/README.md").read_text()
    table = pd.read_csv(files["metrics"])
    inputs = "wheel_speed+whisker_motion_energy+choice+block"
    own = table[(table["metric"] == "bits_per_spike") & (table["inputs"] == inputs)]
    (row,) = [line for line in card.splitlines() if line.startswith("| encoding | spikes")]
    cells = [cell.strip() for cell in row.split("|")[3:-1]]
    n_test = len(SESSIONS[0].trials_of("test"))
    assert cells == ["bits_per_spike", f"{own['value'].item():.3f}", "nan", "1", "1", str(n_test)]
    head = yaml.safe_load(card.split("---\n")[1])
    results = {r["metrics"][0]["name"]: r["metrics"][0]["value"] for r in head["model-index"][0]["results"]}
    assert results["bits_per_spike, spikes"] == pytest.approx(own["value"].item(), abs=1e-4)
    with pytest.raises(UserError, match="--model: nothing: name one that the tables have scores of: neds-mm-scratch"):
        give(output=tmp_path / "other")


def test_a_folder_with_other_things_is_not_replaced(trained, exported, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.tex").write_text("years")
    for take in (
        partial(export_model, checkpoint=trained, licence="mit"),
        partial(import_model, source=str(exported)),
    ):
        with pytest.raises(UserError, match=r"holds other things \(thesis.tex\)"):
            take(output=tmp_path / "home")
    assert (tmp_path / "home/thesis.tex").read_text() == "years"


def test_a_folder_of_fitting_names_that_is_no_shared_model_is_not_replaced(trained, exported, tmp_path):
    """The files are called as those of many a project."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "README.md").write_text("years")
    configs = ("", "[]", "{", '{"format": "another-1"}', "[" * 10**5)
    for config in configs:
        if config:
            (home / "config.json").write_text(config)
        for take in (
            partial(export_model, checkpoint=trained, licence="mit"),
            partial(import_model, source=str(exported)),
        ):
            with pytest.raises(UserError, match="home holds files, but is no shared model; name another folder"):
                take(output=home)
    assert (home / "README.md").read_text() == "years"
    import_model(source=str(exported), output=tmp_path / "mine")
    (tmp_path / "mine/README.md").write_text("another card")
    import_model(source=str(exported), output=tmp_path / "mine")
    assert (tmp_path / "mine/README.md").read_text() == (exported / "README.md").read_text()


def test_the_folder_that_one_is_in_is_not_replaced(trained, exported, tmp_path, monkeypatch):
    """A shell would stay in the old one, and see nothing of the model."""
    monkeypatch.chdir(tmp_path)
    for take in (partial(export_model, checkpoint=trained, licence="mit"), partial(import_model, source=str(exported))):
        with pytest.raises(
            UserError, match=r"--output: \. is the folder that you are in; name one inside or beside it"
        ):
            take(output=Path())


def test_an_output_that_is_a_link_to_a_folder_stays_one(trained, exported, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    for take in (partial(export_model, checkpoint=trained, licence="mit"), partial(import_model, source=str(exported))):
        take(output=tmp_path / "link")
        assert (tmp_path / "link").is_symlink() and neds.load_model(tmp_path / "disk").eids == ["mouse1", "mouse2"]


def test_links_out_of_the_folder_are_not_followed(exported, tmp_path):
    (tmp_path / "secret").write_text("key")
    folder = shutil.copytree(exported, tmp_path / "theirs")
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("../secret")
    with pytest.raises(
        UserError, match=r"README.md: is a link to .*secret, which is outside the model's folder; copy the folder"
    ):
        import_model(source=str(folder), output=tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_model_in_the_cache_of_hugging_face_is_taken(exported, tmp_path):
    """Its files are links to others of the same model; one to another model's is refused."""
    root = tmp_path / "models--owner--name"
    snapshot, blobs = root / "snapshots/0a1b", root / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(sorted(exported.iterdir())):
        shutil.copy(path, blobs / str(number))
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    import_model(source=str(snapshot), output=tmp_path / "mine")
    assert neds.load_model(tmp_path / "mine").eids == ["mouse1", "mouse2"]
    shutil.copytree(blobs, tmp_path / "models--owner--other/blobs")
    (snapshot / "README.md").unlink()
    (snapshot / "README.md").symlink_to("../../../models--owner--other/blobs/0")
    with pytest.raises(UserError, match="which is outside"):
        import_model(source=str(snapshot), output=tmp_path / "again")


def test_what_is_no_address_is_told(tmp_path):
    with pytest.raises(UserError, match=r"--source: https://\[x: is no address \(Invalid IPv6 URL\)"):
        import_model(source="https://[x", output=tmp_path / "mine")


def test_a_model_comes_from_an_address_and_its_source_is_kept(exported, tmp_path):
    with served(partial(Quiet, directory=exported.parent)) as address:
        import_model(source=f"{address}/two-mice/", output=tmp_path / "mine")
    said = json.loads((tmp_path / "mine/source.json").read_text())
    assert said["source"].endswith("/two-mice/")
    assert said["files"]["model.safetensors"]["sha256"] == content_digest(exported / "model.safetensors")
    assert neds.load_model(tmp_path / "mine").eids == ["mouse1", "mouse2"]


@pytest.mark.parametrize("source", ["http://example.org/model", "ftp://127.0.0.1/model", "file:///etc"])
def test_only_https_is_fetched_from(source, tmp_path):
    with pytest.raises(UserError, match="only https is fetched from"):
        import_model(source=source, output=tmp_path / "mine")


def answering(*, status: int = 200, headers: dict[str, str] | None = None, endless: bool = False):
    """A handler that answers so whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                while endless:
                    self.wfile.write(b"0" * 2**20)

        def log_message(self, *args) -> None:
            pass

    return Handler


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"endless": True}, "is longer than 16777216 bytes"),
        ({"status": 404}, "the server says 404"),
        ({"status": 302, "headers": {"Location": "http://example.org/config.json"}}, "which is not https"),
        ({"status": 302, "headers": {"Location": "file:///etc/passwd"}}, "is not allowed"),
        ({"status": 302, "headers": {"Location": "https://[x"}}, "cannot be fetched .*Invalid IPv6 URL"),
    ],
)
def test_a_hostile_server_is_not_followed(answer, complaint, tmp_path):
    with served(answering(**answer)) as address, pytest.raises(UserError, match=complaint):
        import_model(source=address, output=tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def resealed(
    folder: Path, *, metadata: dict | None = None, header=lambda header: None, weights=lambda weights: None
) -> None:
    """Change the weights' file and have the configuration say its size and digest, as a forger would."""
    path = folder / "model.safetensors"
    with safe_open(path, framework="pt") as handle:
        described = json.loads(handle.metadata()["neds"])
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    header(described)
    weights(tensors)
    save_file(tensors, path, metadata={"neds": json.dumps(described)} | (metadata or {}))
    config = json.loads((folder / "config.json").read_text())
    config["weights"] = {"size": path.stat().st_size, "sha256": content_digest(path)}
    (folder / "config.json").write_text(json.dumps(config))


def test_a_model_without_a_licence_is_not_given_away(trained, tmp_path):
    with pytest.raises(UserError, match="--licence: is empty; name the licence of the weights"):
        export_model(checkpoint=trained, output=tmp_path / "given", licence=" ")
    assert not (tmp_path / "given").exists()


def configured(folder: Path, **values) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


@pytest.mark.parametrize(
    ("forge", "complaint"),
    [
        (lambda f: (f / "config.json").unlink(), "holds no config.json"),
        (lambda f: (f / "model.safetensors").unlink(), "holds no model.safetensors"),
        (lambda f: (f / "config.json").write_text("[" * 10**5), "damaged"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x80\x04K\x01."), "has 5 bytes with SHA-256"),
        (lambda f: configured(f, weights={"size": 2**40, "sha256": "0" * 64}), "and may have 4294967296"),
        (lambda f: configured(f, torch_dtype="float32"), "torch_dtype"),
        (lambda f: configured(f, name="../../etc"), "name"),
        (lambda f: configured(f, licence="mit\x1b[2J"), "control characters"),
        (lambda f: configured(f, bin_s=0.02), "is another model than config.json says"),
        (lambda f: resealed(f, metadata={"hook": "os.system"}), "holds hook, which is nothing of a shared model"),
        (lambda f: resealed(f, weights=lambda w: w["mask_vector"].fill_(torch.nan)), "weights that are not finite"),
        (lambda f: resealed(f, weights=lambda w: w.update(more=torch.zeros(3))), "weights more are not of the network"),
        (
            lambda f: resealed(f, weights=lambda w: w.update(mask_vector=w["mask_vector"].double())),
            "weights mask_vector are not of the network",
        ),
        (
            lambda f: resealed(f, weights=lambda w: w.update(known_sessions=torch.zeros(4, dtype=torch.uint8))),
            "damaged",
        ),
        (lambda f: resealed(f, header=lambda h: h["design"].update(n_bins=10**9)), "1000000000 bins"),
        (lambda f: resealed(f, header=lambda h: h["design"]["settings"].update(layers=10**9)), "1000000000 layers"),
        (lambda f: resealed(f, header=lambda h: h["design"]["settings"].update(dim=2**30)), "damaged"),
        (lambda f: resealed(f, header=lambda h: h["record"].pop("seed")), "damaged"),
    ],
)
def test_a_hostile_folder_is_found_out(forge, complaint, exported, tmp_path):
    """And nothing of it is kept."""
    forged = tmp_path / "forged"
    shutil.copytree(exported, forged)
    forge(forged)
    with pytest.raises(UserError, match=complaint) as refused:
        import_model(source=str(forged), output=tmp_path / "mine")
    assert "snakemake" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["forged"]


def test_other_weights_than_the_user_knows_of_are_refused(exported, tmp_path):
    with pytest.raises(UserError, match="not of those that --sha256 names"):
        import_model(source=str(exported), output=tmp_path / "mine", sha256="0" * 64)


def test_a_checkpoint_that_claims_to_be_huge_is_not_built(exported, tmp_path):
    """Loading one, too, takes no more memory than it brings."""
    shutil.copytree(exported, tmp_path / "forged")
    resealed(tmp_path / "forged", header=lambda h: h["design"]["settings"].update(mlp=2**40))
    with pytest.raises(UserError, match="are not of the network that it describes"):
        load_network(tmp_path / "forged/model.safetensors")
