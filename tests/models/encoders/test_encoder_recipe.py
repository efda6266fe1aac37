"""Encoder recipes: what a method brings, what it refuses, and that they are read without a framework."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from compleak.models.encoders.recipe import RECIPES, EncoderRecipe


@pytest.mark.parametrize("method", list(RECIPES))
def test_what_is_not_given_is_the_method_s_own_and_survives_a_round_trip(method):
    recipe = EncoderRecipe(method=method, epochs=10, learning_rate=0.5)
    assert recipe.learning_rate == 0.5
    given = RECIPES[method]
    assert {name: getattr(recipe, name) for name in given} == given | {"learning_rate": 0.5}
    assert EncoderRecipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "simclr", "queue": 8}, "simclr has no queue. Its own settings are hidden, projection, temperature"),
        ({"method": "mae", "temperature": 0.1}, "mae has no temperature"),
        ({"method": "byol", "crop_scale": (0.5, 0.2)}, "0 < least <= largest <= 1"),
        ({"method": "byol", "crop_scale": (0.5, 1.2)}, "0 < least <= largest <= 1"),
        ({"method": "byol", "stop_epoch": 11}, "Epoch 11 is not one of 1 to 10"),
        ({"method": "byol", "checkpoints": (0,)}, "Epoch 0 is not one of 1 to 10"),
        ({"method": "byol", "stop_epoch": 4, "checkpoints": (5,)}, "training stops after 4"),
        ({"method": "simclr", "dp": {"epsilon": 8}}, "under simclr an example's loss depends on the others"),
        ({"method": "dino", "hidden": 0}, "DINO's head has hidden layers"),
        ({"method": "mae", "dp": {}}, "either an epsilon or a noise_multiplier"),
        ({"method": "mae", "dp": {"epsilon": 8, "noise_multiplier": 1}}, "either an epsilon or a noise_multiplier"),
        ({"method": "swav"}, "'simclr', 'moco'"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        EncoderRecipe(epochs=10, **changes)


def test_a_recipe_is_read_without_a_framework():
    code = "import sys, compleak.models.encoders.recipe; print('torch' in sys.modules, 'kornia' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
