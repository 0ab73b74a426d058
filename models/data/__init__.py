"""The data of canonical events: the fields that they tell, by what they are about."""
