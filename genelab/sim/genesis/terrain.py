"""The ground of a terrain, as Genesis collides with it."""

from typing import Any

from genelab.sim.terrain import Heightfield


def add_terrain(scene: Any, heightfield: Heightfield, friction: float) -> list[Any]:
    """Add a terrain and the floor around it to a Genesis scene that is not built yet.

    Args:
        scene: the scene.
        heightfield: the terrain.
        friction: of terrain and floor. A contact takes the larger friction of the two that touch.

    Returns:
        The entities of terrain and floor.
    """
    import genesis as gs

    entities: list[Any] = []
    for lower, upper in heightfield.floor:
        floor = gs.morphs.Box(lower=lower, upper=upper, fixed=True)
        entities.append(scene.add_entity(floor, material=gs.materials.Rigid(friction=friction)))
    # Without a name: Genesis keeps named terrains on disk, and would take an old one for a new one.
    morph = gs.morphs.Terrain(
        height_field=heightfield.heights,
        horizontal_scale=heightfield.horizontal_scale,
        vertical_scale=heightfield.vertical_scale,
        pos=(*heightfield.corner, 0.0),
        # Its mesh costs memory and seconds at the build.
        visualization=False,
    )
    # Bodies collide with the heights themselves. Genesis samples a field of distances to the surface all the same, at
    # 128^3 points unless told, which takes many minutes for a map of a million points.
    material = gs.materials.Rigid(friction=friction, sdf_min_res=16, sdf_max_res=16)
    return [scene.add_entity(morph, material=material), *entities]
