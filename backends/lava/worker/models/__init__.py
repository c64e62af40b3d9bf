"""Lava processes that Lava's library does not have. Nothing but process and model classes may
lie in this folder: Lava's compiler can execute every .py file beside a process it compiles."""
