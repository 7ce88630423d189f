"""How a learner's work reaches the centre: one bundle, uploaded in pieces, answered with a receipt."""
