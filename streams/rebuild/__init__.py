"""`leadbeat rebuild`: all numbers anew from the events log."""
