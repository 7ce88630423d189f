"""The grader's pages and API."""
