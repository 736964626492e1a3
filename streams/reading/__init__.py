"""How a film is read: containers, packets, pictures, times; door: `streams.source`."""
