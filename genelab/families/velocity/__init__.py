"""Velocity tasks: a robot with a floating base follows commands (x, y, turn).

They are m/s, m/s and rad/s, in the frame of the base: forward, to the left and a turn to the left are positive.
"""
