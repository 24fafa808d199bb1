"""Loading and saving tables as plans, statements out and rows in; the two persisters of any database."""
