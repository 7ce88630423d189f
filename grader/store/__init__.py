"""The grader's own records: hand-ins, grading, marks, releases. All SQL of this package is in here.

Each class works inside a transaction that its caller, a service, owns; see `hub.database`.
"""
