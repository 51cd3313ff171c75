"""One file a kind of column: how it is recognised, encoded, and made into features of a model."""
