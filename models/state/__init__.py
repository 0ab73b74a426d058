"""What we remember of a subject: registers, the lead folded from them, and its facts as they stand."""
