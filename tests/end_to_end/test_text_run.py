"""A whole run over the user's own texts, with a network from a folder: no network connection, no package."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

WORDS = [f"word{i}" for i in range(60)]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    library = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    folder = tmp_path / "bert"
    PreTrainedTokenizerFast(tokenizer_object=library, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)  # noqa: S106
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=16, pad_token_id=0,
        )
    ).save_pretrained(folder)  # fmt: skip
    rng = np.random.default_rng(0)
    lines = [("text", "label")]
    for label in rng.integers(0, 3, 260):
        words = [WORDS[label], *rng.choice(WORDS[3:], rng.integers(3, 15))]
        lines.append((" ".join(words), "abc"[label]))
    lines.append(("", "a"))
    with (tmp_path / "texts.jsonl").open("w") as stream:
        stream.writelines(json.dumps({"text": t, "label": c}) + "\n" for t, c in lines[1:])
    content = {
        "name": "tiny-text",
        "data": {"name": "mine", "path": str(tmp_path / "texts.jsonl"), "length": 12},
        "membership": {"train": 50, "evaluate": 50, "shadows": 2, "dev": 20},
        "network": {"name": "bert", "weights": str(folder)},
        "training": {"epochs": 6, "batch_size": 16, "learning_rate": 5.0e-3, "optimizer": "adamw"},
        "finetuning": {"epochs": 1, "batch_size": 16, "learning_rate": 1.0e-3, "optimizer": "adamw"},
        "compress": {"pytorch-mobile": ["pruning-magnitude-0.6", "quantization-dynamic"]},
        "attacks": ["compleak-nr-entropy", "compleak-sr2-rf", "compleak-mr", "rmia-offline"],
        "statistics": {"resamples": 100},
    }
    path = tmp_path / "suite.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.mark.slow
def test_a_text_suite_runs_from_the_users_files_to_the_leaderboard(suite: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("COMPLEAK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    out = tmp_path / "run"
    command = [sys.executable, "-m", "compleak", "run", str(suite), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with (out / "leaderboard.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["framework"], row["setting"]) for row in rows if row["technique"] != "multiple"} == {
        ("none", "original"), ("pytorch-mobile", "pruning-magnitude-0.6"), ("pytorch-mobile", "quantization-dynamic"),
    }  # fmt: skip
    pruned = next(row for row in rows if row["setting"] == "pruning-magnitude-0.6")
    assert "Texts of at most 12 tokens" in pruned["notes"]
    (data,) = out.glob("nodes/data/*/data.json")
    facts = json.loads(data.read_text())["text"]
    assert (facts["texts"], facts["empty_dropped"], facts["vocabulary"]) == (261, 1, 64)
    assert facts["truncated"] > 0
