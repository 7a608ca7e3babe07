"""Networks of the recipe: what they are when they grow and when they are written and read again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from nemo.collections.asr.models import EncDecCTCModelBPE
from torch import Tensor

from processors.runtime.errors import UserError
from processors.tuning.model import Shape, build, deepened, export, restore

CHARACTERS = "您好请问"
TINY = Shape(layers=3, width=16, heads=2, channels=8)


@pytest.fixture
def tiny() -> EncDecCTCModelBPE:
    torch.manual_seed(1)
    return build(CHARACTERS, TINY)


def heard(model: EncDecCTCModelBPE) -> Tensor:
    """Log-probabilities of two seconds of noise."""
    model.eval()
    signal = torch.randn(2, 32_000, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        log_probs: Tensor = model.forward(input_signal=signal, input_signal_length=torch.tensor([32_000, 24_000]))[0]
    return log_probs


def test_a_deeper_network_says_what_it_said(tiny: EncDecCTCModelBPE) -> None:
    before = heard(tiny)
    deeper = deepened(tiny, 7)
    assert (len(deeper.encoder.layers), deeper.cfg.encoder.n_layers) == (7, 7)
    assert torch.allclose(heard(deeper), before, atol=1e-3)


def test_the_layers_that_were_added_learn(tiny: EncDecCTCModelBPE) -> None:
    deeper = deepened(tiny, 4)
    signal = torch.randn(1, 32_000)
    deeper.train()
    deeper.forward(input_signal=signal, input_signal_length=torch.tensor([32_000]))[0][..., 0].sum().backward()
    assert all(layer.feed_forward2.linear2.weight.grad.abs().sum() > 0 for layer in deeper.encoder.layers)


def test_a_network_does_not_lose_layers(tiny: EncDecCTCModelBPE) -> None:
    with pytest.raises(UserError, match="the network has 3 layers already"):
        deepened(tiny, 3)


def test_a_deeper_network_is_written_and_read_again(tiny: EncDecCTCModelBPE, tmp_path: Path) -> None:
    deeper = deepened(tiny, 5)
    export(deeper, tmp_path / "deeper.nemo")
    again = restore(tmp_path / "deeper.nemo")
    assert torch.allclose(heard(again), heard(deeper), atol=0.05)
    assert [path.name for path in tmp_path.iterdir()] == ["deeper.nemo"]
