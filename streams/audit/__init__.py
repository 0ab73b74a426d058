"""`leadbeat audit`: every total that is kept live, made anew from the log and compared with what Redis holds.

It writes nothing.
"""
