"""Handing in from a learner's own server: the centre's client, the server extension behind the panel, nbgrader's plugin.

Everything here runs as the learner, beside the learner's code: it guards against a bad network and against mistakes,
and the centre believes none of it.
"""
