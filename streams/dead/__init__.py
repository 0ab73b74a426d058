"""`leadbeat dead`: dead letters listed, explained, sent again; and `leadbeat erase`."""
