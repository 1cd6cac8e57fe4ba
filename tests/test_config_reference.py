"""What is generated from the schema is up to date, complete, and true."""

import json
from itertools import pairwise

import jsonschema
import pytest
import yaml

from neds.config import Config
from neds.config.described import described_keys
from neds.config.layers import leaves
from neds.config.reference import REFERENCE, SCHEMA, SHIPPED, reference_texts, write_reference
from tests.test_config import ROOT

KEYS = list(described_keys())


@pytest.mark.parametrize("name", [SHIPPED, REFERENCE, SCHEMA])
def test_generated_texts_are_up_to_date(name):
    assert (ROOT / name).read_text(encoding="utf-8") == reference_texts()[name], "run `make config`"


def test_all_texts_are_written(tmp_path):
    write_reference(tmp_path)
    assert all((tmp_path / name).read_text(encoding="utf-8") == text for name, text in reference_texts().items())


def test_every_key_is_described_in_the_reference():
    assert [key.key for key in KEYS] == [key for key, _ in leaves(Config, Config().model_dump())]
    undescribed = [key.key for key in KEYS if not key.meaning.endswith((".", '"', ")")) or not key.when]
    assert not undescribed, "give each a docstring, and `key(..., when=...)`"
    sections = (ROOT / REFERENCE).read_text(encoding="utf-8").split("\n## ")
    of_block = {section.partition("\n")[0].strip("`"): section for section in sections}
    for key in KEYS:
        assert f"| `{key.name}` |" in of_block[key.block or "Top level"]


def test_patterns_are_told_in_words():
    told = {key.key: key.kind for key in KEYS}
    assert told["benchmark.label"] == "text (letters, digits, _ and - only) or null"
    assert not [key for key, kind in told.items() if "pattern" in kind], "put it in words in neds.settings.PATTERNS"


def test_keys_of_the_shipped_file_have_the_defaults_of_the_schema():
    defaults = {key.key: key.default for key in KEYS}
    given = dict(leaves(Config, yaml.safe_load((ROOT / SHIPPED).read_text())))
    assert given and all(defaults[key] == value for key, value in given.items())


def test_comments_stand_above_every_key_of_the_shipped_file():
    lines = (ROOT / SHIPPED).read_text().split("\n")
    assert lines[0] == f"# yaml-language-server: $schema={SCHEMA}"
    within = {"pretrain", "finetuned"}
    for before, line in pairwise(lines):
        name = line.strip().partition(":")[0]
        assert not line.strip() or line.strip()[0] == "#" or before.strip().startswith("#") or name in within


def test_schema_for_editors_takes_what_the_workflow_takes():
    validator = jsonschema.Draft202012Validator(json.loads((ROOT / SCHEMA).read_text(encoding="utf-8")))
    validator.check_schema(validator.schema)
    for path in [ROOT / SHIPPED, *sorted((ROOT / "docs/examples").glob("*.yaml"))]:
        assert not list(validator.iter_errors(yaml.safe_load(path.read_text()))), path
    for wrong in (
        {"trainin": {}},
        {"training": {"epochs": 0}},
        {"overrides": {"mmm": {}}},
        {"download": {"lfp": {"x": 1}}},
    ):
        assert list(validator.iter_errors(wrong)), wrong
    described = validator.schema["$defs"]["TrainingBlock"]["properties"]["epochs"]
    assert described["description"] == "Passes over the training trials." and described["paper"].startswith("2000")
