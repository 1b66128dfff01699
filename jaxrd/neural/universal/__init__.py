"""The universal autoencoder: one encoder, a product code, any number of decoders; each image is decoded by itself."""
