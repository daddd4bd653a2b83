import numpy as np
import pytest
import torch
from torch import nn

from stream_ocr.models.detection.dbnet import DBNet
from stream_ocr.training.optimisation import LearningRate, averaged, averaged_state, parameter_groups


def test_learning_rate_rises_stays_and_falls() -> None:
    rate = LearningRate(2.0, warm_up_steps=60, last_step=1000, anneal_steps=100)
    assert rate.at(0) == pytest.approx(2 / 60)
    assert rate.at(500) == rate.at(900) == 2.0
    assert rate.at(925) == pytest.approx(1.0)
    assert rate.at(1000) == 0.0
    assert LearningRate(2.0, 60, last_step=1000).at(1000) == 2.0
    assert LearningRate(2.0, 60).at(10**9) == 2.0


def test_learning_rate_warms_up_again_for_a_new_optimiser() -> None:
    rate = LearningRate(1.0, warm_up_steps=10, begun_at=500)
    assert [rate.at(step) for step in (500, 504, 509, 600)] == pytest.approx([0.1, 0.5, 1.0, 1.0])


def test_weight_average_is_a_running_mean_of_weights_and_statistics() -> None:
    net = nn.BatchNorm1d(1)
    average = averaged(net, 0.9)
    values = np.arange(200)
    for value in values:
        with torch.no_grad():
            net.bias.fill_(value)
            assert net.num_batches_tracked is not None
            net.num_batches_tracked.fill_(value)
        average.update_parameters(net)
    shares = 0.9 ** values[::-1]
    state = averaged_state(average)
    assert state["bias"].item() == pytest.approx(float((shares * values).sum() / shares.sum()), abs=0.5)
    assert state["num_batches_tracked"].item() == 199


def test_weight_average_continues_after_a_resume() -> None:
    net = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        net.weight.fill_(1.0)
        average = averaged(net, 0.99, count=10_000)
        net.weight.fill_(2.0)
    average.update_parameters(net)
    assert averaged_state(average)["weight"].item() == pytest.approx(1.01)


def test_optimiser_does_not_decay_norms_and_biases() -> None:
    kernels, rest = parameter_groups(DBNet("small"), 0.01)
    assert kernels["weight_decay"] == 0.01
    assert rest["weight_decay"] == 0.0
    assert all(p.ndim == 1 for p in rest["params"])
