"""The gallery's exact formulas, against known values, closed forms and plain sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from phasegrid.field import absolute, base, exact, geometry, memorise, phases, polygons, scaling, trainability
from phasegrid.field.drawing import hull
from phasegrid.field.dynamics import levels, rests


def test_polygons_have_the_known_norms_biases_and_losses() -> None:
    assert np.allclose(polygons.best_polygon(5, 5), (1.17046, -0.28230, 0.015826), rtol=5e-5)
    assert np.allclose(polygons.best_polygon(6, 6), (1.32053, -0.61814, 0.048192), rtol=5e-5)
    at = levels(6)
    assert at["5-gon, 1 without direction"] == pytest.approx(0.0618, abs=5e-5)
    assert at["5-gon, 1 without direction, 1 silent"] == pytest.approx(0.0687, abs=6e-5)


def test_a_polygon_costs_what_its_parameters_cost() -> None:
    for k in range(2, 7):
        norm, bias, loss = polygons.best_polygon(k, 6)
        assert polygons.one_active_loss(*polygons.polygon(k, 6, norm, bias)) == pytest.approx(loss, abs=1e-12)


def test_losses_with_one_active_feature_are_those_of_samples() -> None:
    random = np.random.default_rng(0)
    weights, biases = random.normal(size=(3, 6, 2)), 0.3 * random.normal(size=(3, 6))
    x = np.zeros((200_000, 6))
    x[np.arange(len(x)), random.integers(6, size=len(x))] = random.random(len(x))
    for model, bias, loss in zip(weights, biases, polygons.one_active_loss(weights, biases), strict=True):
        sampled = np.square(np.maximum(x @ model @ model.T + bias, 0) - x).sum(axis=1)
        assert loss == pytest.approx(sampled.mean(), abs=5 * sampled.std() / math.sqrt(len(x)))


@pytest.mark.parametrize(("n", "m"), [(2, 1), (3, 2)])
def test_expected_losses_are_those_of_samples(n: int, m: int) -> None:
    random = np.random.default_rng(n)
    weights, biases, importance = random.normal(size=(n, m)), 0.3 * random.normal(size=n), random.random(n) + 0.5
    x = random.random((400_000, n)) * (random.random((400_000, n)) < 0.4)
    sampled = (importance * np.square(np.maximum(x @ weights @ weights.T + biases, 0) - x)).sum(axis=1)
    found = exact.expected_loss(weights, biases, np.array(0.4), importance)
    assert found == pytest.approx(sampled.mean(), abs=5 * sampled.std() / math.sqrt(len(x)))


def test_the_models_made_by_hand_cost_what_their_formulas_say() -> None:
    p, r = 0.3, 1.7
    best = p / 2  # constant output of an ignored feature
    models = {
        2: [([[1], [0]], [0, best], 0), ([[0], [1]], [best, 0], 1), ([[1], [-1]], [0, 0], 3)],
        3: [
            ([[1, 0], [0, 1], [0, 0]], [0, 0, best], 0),
            ([[1, 0], [0, 0], [0, 1]], [0, best, 0], 1),
            ([[1, 0], [-1, 0], [0, 1]], [0, 0, 0], 2),
            ([[1, 0], [0, 1], [0, -1]], [0, 0, 0], 3),
        ],
    }
    for n, made in models.items():
        formulas = phases.hand_built(np.array(p), np.array(r), n)
        for weights, biases, which in made:
            importance = np.array([1.0] * (n - 1) + [r])
            loss = exact.expected_loss(np.array(weights, float), np.array(biases, float), np.array(p), importance)
            assert loss == pytest.approx(formulas[which], rel=4e-3), (n, which)  # outputs have kinks
    equal = phases.hand_built(np.array([0.56, 4 / 7, 0.58]), np.array(1.0), 2)
    assert np.sign(equal[3] - equal[0] + 1e-12 * (np.arange(3) == 1)).tolist() == [-1, 1, 1]


def test_dimensionality_of_regular_shapes() -> None:
    angles = 2 * np.pi * np.arange(5) / 5
    pentagon = 1.17 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert np.allclose(geometry.dimensionality(pentagon), 2 / 5)
    assert np.allclose(memorise.dimensionality(np.vstack([pentagon, np.zeros((3, 2))])), [0.4] * 5 + [0] * 3)
    assert memorise.typical(np.vstack([pentagon, np.zeros((3, 2))])) == pytest.approx(0.4)
    assert np.allclose(geometry.dimensionality(np.array([[1.0, 0], [-1, 0], [0, 1]])), [0.5, 0.5, 1])
    assert np.isnan(geometry.dimensionality(np.array([[0.1, 0], [0, 1]]))).tolist() == [True, False]


def test_features_gather_or_not() -> None:
    even = np.linspace(0.48, 0.52, 4001)[None, None]
    assert geometry.share_at(even, 0.5)[0] == pytest.approx(0.5, abs=0.01)
    assert geometry.share_at(np.full((1, 1, 9), 0.501), 0.5)[0] == 1
    assert np.isnan(geometry.share_at(np.full((1, 1, 9), 0.3), 0.5)[0])


def test_two_units_a_feature_compute_absolute_values() -> None:
    encoder, decoder = np.zeros((3, 4)), np.zeros((3, 4))
    for feature in (0, 1):
        encoder[feature, 2 * feature : 2 * feature + 2] = (1, -1)
        decoder[feature, 2 * feature : 2 * feature + 2] = 1
    assert absolute.computed(encoder, decoder, np.zeros(3)).tolist() == [True, True, False]
    p = np.array([0.4])
    x = np.random.default_rng(0).random(400_000) * (np.random.default_rng(1).random(400_000) < 0.4)
    expected = 0.5 * x.var() / 3
    assert absolute.two_units_each(p, np.array([1, 0.5, 2]), 4)[0] == pytest.approx(expected, rel=0.01)


def test_what_is_left_out_of_a_power_law() -> None:
    p = scaling.densities(1.0, 50)
    random = np.random.default_rng(0)
    x = 2 * random.random((100_000, 50)) * (random.random((100_000, 50)) < p)
    found = scaling.left_out(p, np.array([0, 10]))
    assert np.allclose(found, [x.var(axis=0).sum(), x[:, 10:].var(axis=0).sum()], rtol=0.02)
    m = np.array([4.0, 8, 16])
    assert np.allclose(scaling.exponents(m, np.stack([3 / m, 2 / m**2], axis=1)), [1, 2])


def test_boundaries_of_maps() -> None:
    straight = np.zeros((32, 32), bool)
    straight[:, 13:] = True
    assert trainability.box_dimension(straight) == pytest.approx(1, abs=0.1)
    rough = np.random.default_rng(0).random((32, 32)) < 0.5
    assert trainability.box_dimension(rough) > 1.6
    assert math.isnan(trainability.box_dimension(np.zeros((32, 32), bool)))
    losses = np.array([0.5, np.nan, np.inf, 3.0])
    assert trainability.trains(losses, 1.0).tolist() == [True, False, False, False]


def test_intervals() -> None:
    for freedom, known in ((1, 12.706), (7, 2.3646), (31, 2.0395), (63, 1.9983)):  # tables of Student's t
        assert base.t_quantile(freedom) == pytest.approx(known, abs=2e-3)
    found = base.over_seeds(np.array([1.0, 2, 3, np.nan]))
    assert (found.value, found.count) == (2, 3)
    assert found.high - 2 == pytest.approx(4.3027 / math.sqrt(3), abs=1e-3)
    half = base.share(5, 10)  # R: binom::binom.wilson(5, 10)
    assert (half.low, half.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert math.isnan(base.over_seeds(np.array([1.0])).low)


def test_hulls_and_rests() -> None:
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2], [1, 1], [0.5, 1]], float)
    assert sorted(map(tuple, hull(square))) == [(0, 0), (0, 2), (2, 0), (2, 2)]
    assert len(hull(np.array([[0, 0], [1, 1], [2, 2.0]]))) == 0
    at = {"high": 1.0, "low": 0.5}
    assert rests(np.array([2.0] * 10 + [1.0] * 45 + [0.5] * 45), at, 45) == ["high", "low"]
    assert rests(np.linspace(2, 0.6, 100), at, 2) == []
