"""A policy as a folder that plain transformers and peft load, with a model card."""
