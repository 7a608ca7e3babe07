"""Tiny cache-aware NeMo models with random weights: the whole path of a real checkpoint in a second."""

from pathlib import Path
from typing import Any

LABELS = ["你", "好", "我", "们", "a", "b", " ", "款"]
FEATURES = 40


def encoder(width: int = 32) -> dict[str, Any]:
    return {
        "_target_": "nemo.collections.asr.modules.ConformerEncoder",
        "feat_in": FEATURES,
        "feat_out": -1,
        "n_layers": 2,
        "d_model": width,
        "subsampling": "dw_striding",
        "subsampling_factor": 8,
        "subsampling_conv_channels": 16,
        "causal_downsampling": True,
        "ff_expansion_factor": 2,
        "self_attention_model": "rel_pos",
        "n_heads": 2,
        "att_context_size": [[14, 6], [14, 1]],
        "att_context_style": "chunked_limited",
        "xscaling": False,
        "conv_kernel_size": 5,
        "conv_norm_type": "layer_norm",
        "conv_context_size": "causal",
        "dropout": 0.0,
        "dropout_pre_encoder": 0.0,
        "dropout_att": 0.0,
    }


def preprocessor() -> dict[str, Any]:
    return {
        "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
        "sample_rate": 16000,
        "normalize": "NA",
        "window_size": 0.025,
        "window_stride": 0.01,
        "window": "hann",
        "features": FEATURES,
        "n_fft": 512,
        "log": True,
        "dither": 0.0,
        "pad_to": 0,
    }


def ctc(width: int = 32) -> Any:
    import torch
    from nemo.collections.asr.models import EncDecCTCModel
    from omegaconf import OmegaConf

    torch.manual_seed(1)
    config = {
        "sample_rate": 16000,
        "labels": LABELS,
        "preprocessor": preprocessor(),
        "encoder": encoder(width),
        "decoder": {
            "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
            "feat_in": width,
            "num_classes": len(LABELS),
            "vocabulary": LABELS,
        },
        "optim": {"name": "sgd", "lr": 0.1},
    }
    model = EncDecCTCModel(cfg=OmegaConf.create(config)).eval()
    # Centre the outputs on what noise gives, so that random weights say many different things.
    layer = model.decoder.decoder_layers[0]
    with torch.no_grad():
        features, length = model.preprocessor(
            input_signal=torch.randn(1, 160_000) * 0.1, length=torch.tensor([160_000])
        )
        mean = model.encoder(audio_signal=features, length=length)[0].mean(2)
        layer.weight.mul_(20.0)
        layer.bias.copy_(-(layer.weight[:, :, 0] @ mean[0]))
    return model


def rnnt(width: int = 32) -> Any:
    import torch
    from nemo.collections.asr.models import EncDecRNNTModel
    from omegaconf import OmegaConf

    torch.manual_seed(2)
    config = {
        "sample_rate": 16000,
        "labels": LABELS,
        "model_defaults": {"enc_hidden": width, "pred_hidden": 24, "joint_hidden": 24},
        "preprocessor": preprocessor(),
        "encoder": encoder(width),
        "decoder": {
            "_target_": "nemo.collections.asr.modules.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {"pred_hidden": 24, "pred_rnn_layers": 1, "dropout": 0.0},
        },
        "joint": {
            "_target_": "nemo.collections.asr.modules.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "jointnet": {"joint_hidden": 24, "activation": "relu", "dropout": 0.0},
        },
        "decoding": {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}},
        "loss": {"loss_name": "default"},
        "optim": {"name": "sgd", "lr": 0.1},
    }
    model = EncDecRNNTModel(cfg=OmegaConf.create(config)).eval()
    with torch.no_grad():
        last = model.joint.joint_net[-1]
        last.weight.mul_(8.0)
        last.bias[-1] += 4.0
    return model


def saved(folder: Path) -> Path:
    """A file of the CTC model."""
    path = folder / "tiny.nemo"
    ctc().save_to(str(path))
    return path
