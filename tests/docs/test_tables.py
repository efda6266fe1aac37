"""The tables of the site against the registries, the schema and the adapters that they describe."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from compleak.attacks.registry import ATTACKS
from compleak.benchmarks.fields import Pretraining
from compleak.benchmarks.schema import Suite
from compleak.benchmarks.suite_files import built_in_suites
from compleak.compressors.registry import make_compressor
from compleak.compressors.settings import _EXAMPLES, parse_setting
from compleak.models.data import DATASETS
from compleak.models.encoders.recipe import RECIPES, EncoderRecipe, Privacy
from compleak.models.recipe import TrainingRecipe


def test_every_attack_is_described_with_its_access_queries_and_shadows(table):
    documented = {
        name: (access, queries, shadows) for name, _, _, access, queries, shadows in table("attacks.md", "attack")
    }
    known = {
        name: (
            info.stated_access,
            str(info.queries),
            f"{'no' if 'online' in name else info.least_shadows('disjoint')}, {info.least_shadows('pool')}",
        )
        for name, info in ATTACKS.items()
        if not ATTACKS.provider(name)
    }
    assert documented == known
    assert len(table("attacks.md", "attack")) == len(known), "an attack is described twice"


def test_every_attack_has_a_source_that_is_listed(table, pages):
    listed = pages["attacks.md"].partition("## Sources")[2]
    for name, score, source, *_ in table("attacks.md", "attack"):
        assert score, name
        for author in re.findall(r"([A-Z][a-z]+)(?: & [A-Z][a-z]+| et al\.)? (?:19|20)\d\d", source):
            assert author in listed, (name, author)
        assert re.search(r"CompLeak|ours|\d{4}", source), name


@pytest.mark.parametrize("column", [(1, "tflite", "resnet8"), (2, "tflite", "bert-tiny"),
                                    (3, "pytorch-mobile", "resnet8"), (4, "pytorch-mobile", "bert-tiny"),
                                    (5, "executorch", "resnet8"), (6, "executorch", "bert-tiny")])  # fmt: skip
def test_what_is_possible_is_what_adapters_do_not_refuse(table, column):
    index, framework, network = column
    adapter = make_compressor(framework)
    for line in table("settings.md", "setting"):
        refused = adapter.refusal(parse_setting(line[0]), network) is not None
        assert line[index] == ("no" if refused else "yes"), line[0]


def test_every_form_of_a_setting_is_in_the_table(table):
    assert set(_EXAMPLES) <= {line[0] for line in table("settings.md", "setting")}


def test_every_field_of_a_suite_is_described_with_its_default(table):
    documented = {name: default for name, default, _ in table("suites.md", "field")}
    apart = dict(_fields(TrainingRecipe, "training.")) | {
        f"pretraining.{n}": "needed" for n in Pretraining.model_fields
    }
    assert documented == dict(_fields(Suite)) | apart


def test_every_field_of_an_encoders_recipe_is_described(table):
    documented = [name for name, _, _ in table("encoders.md", "field")]
    nested = [f"training.dp.{name}" for name in Privacy.model_fields]
    assert documented == [*(f"training.{name}" for name in EncoderRecipe.model_fields), *nested]
    by_method = {line[0]: line[1:] for line in table("encoders.md", "method")}
    assert by_method.keys() == RECIPES.keys()


def _fields(model, prefix=""):
    for name, field in model.model_fields.items():
        nested = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        if not prefix or not nested:
            nothing_to_say = prefix == "" and name in ("statistics", "execution", "finetuning", "encoder_queries")
            default = "all defaults" if nothing_to_say else _default(field)
            if not (prefix == "" and name in ("statistics", "execution") and not nested):
                yield prefix + name, default
        if nested:
            yield from _fields(field.annotation, f"{prefix}{name}.")


def _default(field):
    if field.is_required():
        return "needed"
    value = field.default
    if value is None:
        return "none"
    if value == "":
        return "empty"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value).replace("()", "[]")


def test_every_built_in_suite_and_data_set_is_listed(table):
    assert {line[0] for line in table("suites.md", "suite")} == set(built_in_suites())
    ours = {name for name in DATASETS if not DATASETS.provider(name)}
    assert {line[0] for line in table("data.md", "name")} == ours
    for name, what, _ in table("data.md", "name"):
        assert f"{DATASETS[name].examples:,}" in what or name == "cifar100", name


def test_suites_in_the_text_are_valid(pages, tmp_path):
    whole = re.findall(r"```yaml\n(name: .*?)```", pages["suites.md"], re.S)
    assert whole
    for text in whole:
        content = yaml.safe_load(text)
        content["data"]["path"] = Path(tmp_path / content["data"]["path"])
        assert Suite.model_validate(content).name == content["name"]


def test_python_in_the_text_runs_and_prints_what_it_says(pages, capsys):
    text, names = pages["reference/index.md"], {}
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(block, names)  # noqa: S102
    assert f"```text\n{capsys.readouterr().out}```" in text
    assert names["scores"].shape == (100,)
