"""Teaching a network: data, how film degrades, losses, the loop."""
