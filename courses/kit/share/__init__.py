"""The learner's side of a device share: what the server has, and being told when it ends."""
