"""The texts that are generated from the schema: config.yaml, docs/configuration.md and its JSON schema.

`make config` writes them; nothing in them is written by hand.
"""

import json
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from neds.config.described import (
    KeyDescription,
    described_blocks,
    described_keys,
    field_docstrings,
    one_line,
)
from neds.config.schema import Config
from neds.files.atomic import write_text
from neds.validation import as_yaml

SHIPPED = "config.yaml"
REFERENCE = "docs/configuration.md"
SCHEMA = "docs/configuration.schema.json"

SHOWN = (
    *("source", "sessions", "results", "modalities", "modes", "regimes", "seeds", "baselines"),
    *("synthetic.n_train", "synthetic.n_test", "partition.bin_s"),
    *("model.dim", "model.layers", "model.heads", "model.mlp"),
    *("training.epochs", "training.batch_size", "training.lr", "overrides"),
)
"""Keys of config.yaml: what a newcomer is likely to change first."""

_WIDTH = 122


def write_reference(root: Path) -> None:
    """Write all generated texts under the folder of the project."""
    for name, text in reference_texts().items():
        write_text(root / name, text)


def reference_texts() -> dict[str, str]:
    """Path under the folder of the project -> text."""
    return {SHIPPED: _shipped(), REFERENCE: _reference(), SCHEMA: _schema()}


def _shipped() -> str:
    known = {description.key: description for description in described_keys()}
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        f"# What is likely to be changed first. All keys, with the paper's values: {REFERENCE}. A file of your own",
        "# (`snakemake --configfile mine.yaml`) need hold only what differs. `neds config` shows what comes out.",
    ]
    block = ""
    for description in (known[key] for key in SHOWN):
        if description.block != block or not description.block:
            lines.append("")
        if description.block != block and description.block:
            lines += [f"# {one_line(dict(described_blocks())[description.block].__doc__)}", f"{description.block}:"]
        block = description.block
        indent = "  " if block else ""
        lines += [f"{indent}# {line}" for line in textwrap.wrap(_comment(description), _WIDTH - len(indent))]
        lines += [indent + line for line in _entry(description)]
    return "\n".join(lines) + "\n"


def _comment(description: KeyDescription) -> str:
    meaning = description.meaning
    if description.key != "overrides":
        meaning = re.split(r"(?<=\.)\s", meaning)[0]
    return meaning + (f" Paper: {description.paper}." if description.block and description.paper else "")


def _entry(description: KeyDescription) -> list[str]:
    value = description.default
    if isinstance(value, dict) and value:
        return [f"{description.name}:", *(f"  {name}: {as_yaml(inner)}" for name, inner in value.items())]
    return [f"{description.name}: {as_yaml(value)}"]


_INTRODUCTION = """\
# All keys of the configuration

<!-- Made by `make config` from neds/config/schema.py and neds/*/settings.py. -->

A configuration is put together from the defaults below, `config.yaml`, the files that `--configfile` names, in their
order, and `--config`, e.g. `--config 'model={dim: 24}' source=alf` (Snakemake takes top-level keys alone there, so that a
key of a block is written as a mapping). Relative paths start at the folder that Snakemake runs in. What comes later wins:

- **Blocks** (the sections below: `training`, `model`, `download.lfp`, ...) are merged key by key.
- Every other value replaces the one before it. A **mapping** such as `masking.weights`, `training.loss_weights`,
  `overrides` or `pretraining_sets` is replaced whole: `loss_weights: {}` means that all weights are 1.
- **Overrides** of a file win over the values of the same and of earlier files. A value that a later file gives for
  `model`, `masking` or `training` wins over the overrides of earlier files and of the defaults: with
  `training: {epochs: 2000}` in your file every model, pretrained ones included, is trained for 2000 epochs.

A key that is unknown, or given twice in one file, is refused, with everything else that is wrong, before any job starts. One
that nothing reads under the source, split, regimes and the like that are chosen is told at the start, with the reason.
`neds config --configfile mine.yaml` shows every value and where it came from, and what each stage and mode makes of it.

One configuration can hold different models by stage and mode. Five layers from scratch beside 22 pretrained ones, and
encoding-only models that are trained as the paper's:

```yaml
modes: [mm, encoding, decoding]
model: {layers: 5}
overrides:
  pretrain: {model.layers: 22}      # and fine-tuned networks, which have the size of the pretrained one
  encoding: {training.epochs: 4000, training.lr: 5.0e-4, masking.single_behaviour: 0.0}
  pretrain encoding: {training.lr: 3.0e-3}
```

A number with an exponent needs a point and a sign in YAML: 5.0e-4. Editors that know JSON schemas complete and check keys by
[configuration.schema.json](configuration.schema.json); a first line
`# yaml-language-server: $schema=docs/configuration.schema.json` says so to them.
"""


def _reference() -> str:
    keys = list(described_keys())
    parts = [_INTRODUCTION, "## Top level", _table(key for key in keys if not key.block)]
    for name, block in described_blocks():
        own = [key for key in keys if key.block == name]
        parts += [f"## `{name}`", one_line(block.__doc__), *([_table(own)] if own else [])]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(keys: Iterable[KeyDescription]) -> str:
    keys = list(keys)
    columns = {
        "key": [f"`{key.name}`" for key in keys],
        "type": [key.kind for key in keys],
        "default": [f"`{as_yaml(key.default)}`" for key in keys],
        "meaning": [key.meaning for key in keys],
        "when to change it": [key.when for key in keys],
        "paper": [key.paper for key in keys],
        "public code": [key.public_code for key in keys],
    }
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    rows = [list(columns), ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def _schema() -> str:
    schema = Config.model_json_schema()
    known = {"Config": Config} | {block.__name__: block for _, block in described_blocks()}
    for name, model in known.items():
        part = schema if model is Config else schema["$defs"][name]
        for field, text in field_docstrings(model).items():
            part["properties"][field]["description"] = text
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _without_titles(schema)
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def _without_titles(part: Any) -> Any:
    """Pydantic repeats every name as a title."""
    if isinstance(part, list):
        return [_without_titles(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    return {k: _without_titles(v) for k, v in part.items() if not (k == "title" and isinstance(v, str))}


if __name__ == "__main__":
    write_reference(Path(__file__).parents[2])
