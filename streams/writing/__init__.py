"""How a film is written: codecs, containers, the ffmpeg that encodes, what travels along; door: `streams.sink`."""
