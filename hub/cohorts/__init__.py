"""People, their cohorts and roles, how they sign in, and what a server of theirs may be given."""
