"""What vidcolor costs beside a plain transcode; programs that nothing imports."""
