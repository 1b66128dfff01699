"""What the JSON and CSV files of the verbs hold, built from results of the library; a key's suffix gives its unit."""
