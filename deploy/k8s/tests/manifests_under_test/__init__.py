"""The rendered overlays as values, and the rules that they keep. Used by the tests beside this folder.

A rule is a function from manifests to the breaches that it finds, in words; its docstring is its sentence. Beside each
stand the changes that have to make it speak: `RULES` are pairs of both.
"""
