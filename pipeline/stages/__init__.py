"""One module per stage; each holds its problem, its answer, its reference, its measure of error and its tolerance."""
