"""Single pictures, read and written as the type of file that they are; door: `streams.still`."""
