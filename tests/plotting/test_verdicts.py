"""Check that verdicts are drawn as they were given."""

import numpy as np

from sbd.columns.finding import Columns
from sbd.evidence.significance import ColumnVerdicts
from sbd.plotting.verdicts import show_verdicts


def test_each_column_gets_the_ring_of_its_verdict():
    places = np.array([[10.0, 10.0], [10.0, 30.0], [30.0, 20.0]])
    columns = Columns(places, np.full(3, 4.0), np.full(3, 0.2))
    p, power = np.array([1e-4, 0.3, 0.5]), np.array([0.9, 0.4, 0.3])
    yes, flat = np.array([True, False, False]), np.full((40, 40), 0.45)
    verdicts = ColumnVerdicts(columns, p, yes, power, flat, flat, flat)
    false = np.array([False, False, True])
    dose = np.array([0.2, 1.0, 3.0])
    fig = show_verdicts(verdicts, dose, false=false, recorded=0.45)
    rings, scatter, stairs = fig.axes
    drawn = [ring.get_offsets().tolist() for ring in rings.collections]
    assert drawn == [[[10.0, 10.0]], [[30.0, 10.0]], [[20.0, 30.0]]]  # x before y
    assert len({tuple(ring.get_edgecolors()[0]) for ring in rings.collections}) == 3
    points = [tuple(c.get_offsets()[0]) for c in scatter.collections]
    np.testing.assert_allclose(points, np.stack([power, p], 1))
    # the third is not there, and no dose decides what is not
    np.testing.assert_allclose(stairs.lines[0].get_xdata(), [0.2, 1.0])
    np.testing.assert_allclose(stairs.lines[0].get_ydata(), [0.5, 1.0])
