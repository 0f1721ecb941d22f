"""HTTP in: the dialects of Threadworks over one run engine."""
