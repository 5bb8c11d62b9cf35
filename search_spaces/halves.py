"""The words of models with an encoder and a decoder. This file needs no Keras, and the command line reads it."""

ATTENTIONS = ("none", "dot")
# The names of layers; those of the recurrent layers end with a number.
SOURCE, TARGET, KEYS = "source_embedding", "target_embedding", "attention_keys"
ENCODER, DECODER = "encoder_", "decoder_"
