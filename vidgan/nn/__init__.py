"""Networks: layers, one plan of levels, generator, discriminator. They know nothing of files."""
