"""Many films, and the segments of each, as tasks of a Ray cluster: what is scheduled, retried and moved, Ray does."""

NO_RAY = "--on ray needs Ray: pip install 'vidcolor[ray]'"
