"""What vidcolor costs beside a plain transcode; programs that nothing imports."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does, before torch is loaded
