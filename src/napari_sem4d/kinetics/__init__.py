"""Change of surfaces in time: facets, islands, rates."""
