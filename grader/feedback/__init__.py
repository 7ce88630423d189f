"""What a learner gets back: a page without scripts and without anything of a hidden test."""
