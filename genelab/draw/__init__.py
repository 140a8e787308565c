"""Pictures of scenes, drawn by MuJoCo's renderer whatever simulates them."""
