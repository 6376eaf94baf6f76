"""One step of training on a network so small that its outcome is known."""

import pytest
import torch

from visavis.training.draws import Draws
from visavis.training.learner import Learner, NotFinite


def learner(slope: float) -> Learner:
    """Four weights, all at 0, whose loss falls by `slope` for each; steps of 1, without momentum."""
    model = torch.nn.Linear(4, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    constant = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0)

    def called(images, targets):
        return {"loss": slope * model.weight.sum()}

    return Learner(model, called, optimiser, constant, None, Draws(), [(1, 1.0)], torch.device("cpu"))


@pytest.mark.parametrize(("slope", "moved"), [(1.0, 1.0), (5.0, 5.0), (50.0, 5.0), (1e6, 5.0)])
def test_gradients_are_clipped_to_a_length_of_ten(slope, moved):
    # The gradient of four weights is twice as long as its parts: from 5 each on, its length is 10.
    one = learner(slope)
    one.step([torch.zeros(3, 2, 2)], [{"draw": 0}])
    assert one.model.weight[0].tolist() == pytest.approx([-moved] * 4, rel=1e-4)
    assert one.done == 1


def test_a_loss_that_is_not_finite_changes_nothing():
    one = learner(float("nan"))
    with pytest.raises(NotFinite):
        one.step([torch.zeros(3, 2, 2)], [{"draw": 0}])
    assert one.model.weight[0].tolist() == [0, 0, 0, 0] and one.done == 0


def test_what_is_saved_during_a_step_is_the_state_before_it():
    """As by the thread that saves where a step does not end: a batch norm has its pictures in its mean by then."""
    one, during = learner(1.0), {}
    norm = torch.nn.BatchNorm1d(1)
    one.model.norm = norm

    def called(images, targets):
        norm(torch.tensor([[2.0], [4.0]]))
        during.update(one.state()["model"])
        return {"loss": one.model.weight.sum()}

    one.called = called
    one.step([torch.zeros(3, 2, 2)], [{"draw": 0}])
    assert during["norm.running_mean"].item() == 0 and during["norm.num_batches_tracked"].item() == 0
    after = one.state()["model"]
    assert after["norm.running_mean"].item() == pytest.approx(0.3) and after["norm.num_batches_tracked"].item() == 1
