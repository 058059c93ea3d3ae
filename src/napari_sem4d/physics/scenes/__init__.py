"""A library of surfaces as data, with sizes in units of rho50, for simulation, validation and training."""

from napari_sem4d.physics.scenes.library import Scene, make_scene, parameters_of, random_parameters, scene_names

__all__ = ["Scene", "make_scene", "parameters_of", "random_parameters", "scene_names"]
