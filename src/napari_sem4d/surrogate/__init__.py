"""The Vision Field Transformer: fast differentiable surrogate of the Monte Carlo process."""
