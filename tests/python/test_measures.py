"""The table of measures, and what follows from it. As a program, it writes the table into the README."""

from __future__ import annotations

import inspect
import pickle
import re

import numpy as np
import pytest
from conftest import SOURCE

import phasegrid
from phasegrid import _core, measures, pictures

README = SOURCE / "README.md"
MARKED = re.compile(r"(<!-- measures: [^\n]*-->\n).*?(<!-- end of measures -->)", re.DOTALL)


def with_table(text: str) -> str:
    return MARKED.sub(lambda found: f"{found[1]}{measures.markdown_table()}\n{found[2]}", text)


@pytest.fixture(scope="module")
def results() -> phasegrid.Results:
    return phasegrid.train(
        n_features=2,
        n_hidden=1,
        n_experts=2,
        restarts=2,
        steps=30,
        batch=32,
        sparsity=[0.5, 0.99],
        last_importance=[1, 2],
    )


def test_the_readme_has_the_table() -> None:
    text = README.read_text()
    assert len(MARKED.findall(text)) == 1
    assert text == with_table(text), "write it anew: python tests/python/test_measures.py"


@pytest.mark.parametrize("measure", measures.MEASURES.values(), ids=lambda measure: measure.name)
def test_every_row_is_a_method_with_its_shape(results: phasegrid.Results, measure: measures.Measure) -> None:
    extents = {"expert": 2, "feature": 2}
    made = getattr(results, measure.name)()
    for array in made if len(measure.results) > 1 else [made]:
        assert array.shape == (2, 2, *(extents[extent] for extent in measure.extents))
        assert np.isfinite(array).all()
    method = getattr(phasegrid.Results, measure.name)
    assert list(inspect.signature(method).parameters)[1:] == list(measure.options)
    assert measure.documentation[1:] in method.__doc__
    if len(measure.results) > 1:
        assert made._fields == measure.results
        assert type(pickle.loads(pickle.dumps(made))) is type(made)
    # The defaults here are the library's: asked for by name or left to it, the same numbers come.
    left = _core.measure(results.core, measure.name)
    for array, other in zip(made if len(measure.results) > 1 else [made], left, strict=True):
        np.testing.assert_array_equal(array.reshape(other.shape), other)
    if not measure.draws:
        assert measure.results[0] in results.to_xarray()


def test_a_measure_refuses_what_it_does_not_know(results: phasegrid.Results) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'samples'"):
        results.total_capacity(samples=3)
    with pytest.raises(ValueError, match="there is no measure beauty"):
        _core.measure(results.core, "beauty")
    with pytest.raises(AttributeError):
        results.beauty()


def test_usage_is_weighed_over_as_many_inputs_as_asked_for(results: phasegrid.Results) -> None:
    """At n = 2 and S = 0.99 two in a hundred inputs are not all zero; none of the samples is lost to the others."""
    usage = results.expert_usage(samples=1000)
    counts = usage.active[1] * 1000
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    inputs = phasegrid.draw_inputs([0.99, 0.99], 1000, inputs="nonzero")
    assert (inputs != 0).any(axis=1).all()
    chosen = results.route((1, 0), inputs).experts
    np.testing.assert_allclose(usage.active[1, 0], np.bincount(chosen[:, 0], minlength=2) / 1000)


def test_any_measure_can_be_drawn_as_curves(results: phasegrid.Results) -> None:
    figure = pictures.curves(results, measure="total_capacity", axis="sparsity", fixed={"last_importance": 1})
    axes = figure.axes[0]
    assert axes.get_ylabel() == "total capacity"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), results.total_capacity()[:, 1], rtol=1e-6)
    shares = pictures.curves(results, measure="expert_usage", axis="sparsity", fixed={"last_importance": 0})
    assert len(shares.axes[0].lines) == 4  # gate and active of two experts
    with pytest.raises(ValueError, match="measure .beauty.: allowed are loss, "):
        pictures.curves(results, measure="beauty")
    with pytest.raises(ValueError, match="measured of results of phasegrid"):
        pictures.curves(results.arrays(), measure="total_capacity", axis="sparsity", fixed={"last_importance": 0})


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
