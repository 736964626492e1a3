"""Tables and weights that travel with the package."""
