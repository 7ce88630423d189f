"""From a server plan to a running, contained notebook server: what JupyterHub's process does for a learner."""
