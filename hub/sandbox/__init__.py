"""The one way untrusted code is contained on one machine, for learners' servers and for grading alike.

Imports nothing else of ours. `spec.SandboxSpec` says what a sandbox is, `software` what a Python program needs in one,
`launch.start` starts one, `running.RunningSandbox` asks about it and ends it, `probe.probe` says whether this machine
can. Nothing is imported here: the keeper runs once per learner and pays for every module.
"""
