"""Many films in one run: which there are, which are done already, a process for each of the others, and a report."""
