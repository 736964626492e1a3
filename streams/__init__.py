"""Film in, film out: pictures, time and ffmpeg; never torch, never colour."""
