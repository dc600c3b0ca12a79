"""Files of responses held against each other by the scores in them: no training, no model, no config."""
