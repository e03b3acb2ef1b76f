"""Scorers: each says what a place costs, and knows nothing of how places are found or compared.

`default` is `expected_loss`; `fgd` is the published rule it is measured against; `best_fit` looks at fullness alone.
"""
