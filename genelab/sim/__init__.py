"""The simulator: what an engine must do, what engines share, and a package for each of them."""
