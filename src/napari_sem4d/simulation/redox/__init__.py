"""A growth model of copper that is oxidised and reduced: heights, oxide and kinetics known at any place and time.

Places are x (right) and y (up) in nm from the middle of frame 0; times in s. Everything is a function of the
place, so that a drifted scan area is simply evaluated elsewhere.
"""

from napari_sem4d.simulation.redox.ground import Ground
from napari_sem4d.simulation.redox.islands import FAMILIES, Family, Island
from napari_sem4d.simulation.redox.model import Redox, State

__all__ = ["FAMILIES", "Family", "Ground", "Island", "Redox", "State"]
