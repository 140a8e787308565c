"""A report: static pages over entries, sweeps, runs and campaigns that any browser shows without a network."""
