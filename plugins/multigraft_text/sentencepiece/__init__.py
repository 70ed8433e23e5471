"""SentencePiece files, which published weights bring in the place of a tokenizer.json."""
