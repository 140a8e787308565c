"""Motion tracking: a robot with a floating base imitates a clip, which is a motion of its joints and links in time."""
