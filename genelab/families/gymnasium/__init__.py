"""Tasks whose environment is one of gymnasium, by its identifier."""
