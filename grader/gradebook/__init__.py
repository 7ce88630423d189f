"""nbgrader's gradebook: written here and nowhere else, so that an exported course opens in nbgrader's own tools."""
