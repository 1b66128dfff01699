"""What the JSON and CSV files of the verbs hold: results in nats become documents in bits."""
