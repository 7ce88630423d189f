"""The command line's commands, one module per idea; each is imported only when it is used."""
