"""The contents of the verbs' JSON and CSV files, built from results of the library; a key's suffix gives its unit."""
