"""The last claim of section IV-B of [A]: a smaller model at the transmitter."""
