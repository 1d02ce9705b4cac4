"""Sources of others: seven kinds of adapter behind one port, and the mapping that makes their records ours."""
