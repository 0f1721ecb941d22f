"""The pure core: values and functions over values. No clock, no randomness, no input or output in here."""
