"""The commands of `tingjian` that cross processors; each module holds one command or its pure part.

Like `cli.py`, this folder may import every processor; no processor imports it. `cli.py` imports these modules
only inside its functions, so that `tingjian --help` stays fast.
"""
