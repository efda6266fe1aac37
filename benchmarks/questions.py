"""What models are asked about each example, so that a suite's attacks have what they need."""

from __future__ import annotations

from typing import Any

from ..attacks.registry import ATTACKS
from ..models.encoders.recipe import EncoderRecipe
from .nodes import derived_seed
from .schema import Suite


def asked_of(suite: Suite) -> dict[str, Any]:
    """What models are asked besides the plain question, as the suite's attacks need it; by name, with its settings."""
    infos = [ATTACKS[a] for a in suite.attacks]
    noise = max((info.queries - 1 for info in infos if info.sensitivity), default=0)
    if noise:
        return {"sensitivity": {"queries": noise, "seed": derived_seed(suite.seed, "noise")}}
    if not isinstance(suite.training, EncoderRecipe):
        return {}
    asked: dict[str, Any] = {}
    if any(info.answer == "view_cosines" for info in infos):
        asked["view_cosines"] = {
            "count": suite.encoder_queries.views,
            "recipe": suite.training.model_dump(mode="json", exclude_none=True),
            "seed": derived_seed(suite.seed, "views"),
        }
    if any(info.answer == "part_features" for info in infos):
        asked["part_features"] = {
            "count": suite.encoder_queries.crops,
            "scale": list(suite.encoder_queries.crop_scale),
            "seed": derived_seed(suite.seed, "crops"),
        }
    return {"queries": asked}


def answers_of(suite: Suite) -> list[str]:
    """Names of the answers that observations are made of."""
    match suite.network.task:
        case "classification":
            return ["logits", *asked_of(suite)]
        case "language-model":
            return ["log_likelihood"]
        case "encoder":
            return ["embedding", *asked_of(suite)["queries"]]


def queries_of(suite: Suite, attack: str) -> int:
    """Outputs of each model that an attack of ``suite`` needs for an example."""
    asked = suite.encoder_queries
    of_answer = {"view_cosines": asked.views, "part_features": 1 + asked.crops}
    return of_answer.get(ATTACKS[attack].answer, ATTACKS[attack].queries)
